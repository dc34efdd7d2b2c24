//! A listing of a folder in which sessions are written.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{collections::BTreeSet, path::Path};

use cloakroom_core::{Clock, Enumerate, SessionData, Store, Touched};
use cloakroom_file::{FileOptions, FileStore};
use futures::TryStreamExt;

/// In a folder in memory, a rename moves a name to where the reader has been already.
#[tokio::test]
async fn a_session_that_is_touched_during_a_listing_is_listed_once() {
    const COUNT: usize = 3_000;
    let memory = Path::new("/dev/shm");
    let guard = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let guard = guard.unwrap();
    let clock = Clock::fixed(1_750_000_000_000);
    let options = FileOptions::default().with_clock(clock.clone()).with_durable(false);
    let store = FileStore::in_folder(guard.path(), options).unwrap();
    let session = SessionData::new();
    for number in 0..COUNT {
        store.set(&format!("sid-{number}"), &session).await.unwrap();
    }
    let mut ids = store.ids();
    let mut listed = Vec::new();
    while let Some(sid) = ids.try_next().await.unwrap() {
        listed.push(sid);
        if listed.len() % 50 == 0 {
            clock.advance(1);
            for number in 0..40 {
                let sid = format!("sid-{}", (listed.len() * 7 + number * 13) % COUNT);
                assert_eq!(store.touch(&sid, &session).await.unwrap(), Touched::Extended);
            }
        }
    }
    assert_eq!(listed.len(), COUNT);
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>().len(), COUNT);
}

/// Each key of a record of session-file-store takes 40 ms.
#[cfg(feature = "encryption")]
#[tokio::test]
async fn records_that_take_long_to_decrypt_are_listed_and_removed() {
    use std::{thread::sleep, time::Duration};

    use cloakroom_core::Error;

    const COUNT: u64 = 60;

    #[derive(Debug)]
    struct Slow;

    impl cloakroom_encryption::Encryption for Slow {
        fn encrypt(&self, session_json: &str) -> Result<String, Error> {
            Ok(session_json.to_owned())
        }

        fn decrypt(&self, stored: &str) -> Result<String, Error> {
            sleep(Duration::from_millis(25));
            Ok(stored.to_owned())
        }
    }

    let guard = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(1_750_000_000_000);
    let options = FileOptions::default().with_clock(clock.clone()).with_durable(false);
    let options = options.with_encryption(Slow).with_deadline(Duration::from_secs(1));
    let store = FileStore::in_folder(guard.path(), options).unwrap();
    for number in 0..COUNT {
        store.set(&format!("sid-{number}"), &SessionData::new()).await.unwrap();
    }
    assert_eq!(store.length().await.unwrap(), COUNT);
    assert_eq!(store.all().try_collect::<Vec<_>>().await.unwrap().len(), 60);
    clock.advance(3_600_001);
    assert_eq!(store.remove_expired().await.unwrap(), COUNT);
}
