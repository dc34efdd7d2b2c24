//! Writes that wait for a lock, which another process holds.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use cloakroom_core::{Atomic, Enumerate, ErrorKind, SessionData, Store};
use cloakroom_file::{FileOptions, FileStore};
use tokio::{runtime::Runtime, time::sleep};

const SOON: Duration = Duration::from_millis(1);

fn store(folder: &Path, deadline: Duration) -> FileStore {
    FileStore::in_folder(folder, FileOptions::default().with_deadline(deadline)).unwrap()
}

fn patient(folder: &Path) -> FileStore {
    store(folder, Duration::from_secs(60))
}

fn session(word: &str) -> SessionData {
    let mut session = SessionData::new();
    session.insert("who", word).unwrap();
    session
}

/// Holds these locks, as processes in the middle of a write do.
fn hold(folder: &Path, numbers: impl IntoIterator<Item = u8>) -> Vec<File> {
    let hold = |number| {
        let path = folder.join(format!(".cloakroom/lock-{number}"));
        let file = File::create(path).unwrap();
        fs4::FileExt::lock(&file).unwrap();
        file
    };
    numbers.into_iter().map(hold).collect()
}

/// Returns the number of records that are not in their place yet.
fn unfinished(folder: &Path) -> usize {
    let names = fs::read_dir(folder.join(".cloakroom")).unwrap();
    names
        .filter(|file| !file.as_ref().unwrap().file_name().to_string_lossy().starts_with("lock-"))
        .count()
}

/// The record of `a` is under the lock 0.
#[tokio::test]
async fn a_clear_that_fails_tells_whether_it_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let patient = patient(folder.path());
    for sid in ('a'..='z').map(String::from) {
        patient.set(&sid, &session("ann")).await.unwrap();
    }
    let _locks = hold(folder.path(), 0..1);
    let hasty = store(folder.path(), Duration::from_millis(500));
    let error = hasty.clear().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let left = patient.length().await.unwrap();
    assert_eq!(error.outcome_unknown(), left < 26, "{left} are left: {error}");
    assert!(patient.get("a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_stopped_process_that_holds_the_lock_is_a_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let patient = patient(folder.path());
    patient.set("a", &session("ann")).await.unwrap();
    let read = patient.get("a").await.unwrap().unwrap();
    let locks = hold(folder.path(), 0..64);
    let hasty = store(folder.path(), Duration::from_millis(50));
    // Reading takes no lock.
    assert!(patient.get("a").await.unwrap().is_some());
    for error in [
        hasty.set("a", &session("bob")).await.unwrap_err(),
        hasty.update("a", &read).await.unwrap_err(),
        hasty.destroy("a").await.unwrap_err(),
        // The process that holds the lock may be about to create it.
        hasty.destroy("missing").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        // A write that has not begun by its deadline never does.
        assert!(!error.outcome_unknown(), "{error}");
    }
    drop(locks);
    assert_eq!(patient.get("a").await.unwrap(), Some(session("ann")));
    patient.set("a", &session("bob")).await.unwrap();
}

#[tokio::test]
async fn a_set_that_is_dropped_does_not_undo_a_later_logout() {
    let folder = tempfile::tempdir().unwrap();
    let store = patient(folder.path());
    store.set("a", &session("ann")).await.unwrap();
    let locks = hold(folder.path(), 0..64);
    // A request whose browser leaves.
    let waits = tokio::spawn({
        let store = store.clone();
        async move { store.set("a", &session("bob")).await }
    });
    while unfinished(folder.path()) == 0 {
        assert!(!waits.is_finished());
        sleep(SOON).await;
    }
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled());
    // The logout of the process that holds the lock.
    fs::remove_file(folder.path().join("a.json")).unwrap();
    drop(locks);
    while unfinished(folder.path()) > 0 {
        sleep(SOON).await;
    }
    assert_eq!(store.get("a").await.unwrap(), None);
}

#[test]
fn a_clear_that_is_dropped_removes_no_later_session() {
    let folder = tempfile::tempdir().unwrap();
    let store = patient(folder.path());
    let runtime = Runtime::new().unwrap();
    let (last, locks) = runtime.block_on(async {
        store.set("a", &session("ann")).await.unwrap();
        store.set("b", &session("bob")).await.unwrap();
        // `clear` goes through the folder in the same order.
        let names = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        let names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
        let sessions: Vec<_> = names.iter().filter_map(|name| name.strip_suffix(".json")).collect();
        let (first, last) = (sessions[0].to_owned(), sessions[1].to_owned());
        let locks = hold(folder.path(), [if last == "a" { 0 } else { 15 }]);
        let clears = tokio::spawn({
            let store = store.clone();
            async move { store.clear().await }
        });
        while store.get(&first).await.unwrap().is_some() {
            assert!(!clears.is_finished());
            sleep(SOON).await;
        }
        clears.abort();
        assert!(clears.await.unwrap_err().is_cancelled());
        (last, locks)
    });
    drop(locks);
    // It waits for the thread of `clear`.
    drop(runtime);
    assert!(folder.path().join(format!("{last}.json")).exists());
}
