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
