//! Stores that were written for the tests.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use cloakroom_compat::{Promisified, promisify_store};
use cloakroom_core::{SessionData, Store};
use cloakroom_node::{NodeStore, NodeStoreBuilder};
use cloakroom_test_support::hushed;

/// Whether a promise is kept does not depend on how fast the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The folder of the stores.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores")
}

/// A builder of the store in a file.
pub(crate) fn file(name: &str) -> NodeStoreBuilder {
    NodeStore::builder().folder(folder()).factory(name).deadline(PATIENCE).start_deadline(PATIENCE)
}

/// The store that misbehaves, and the secret that is in all that it says.
pub(crate) fn odd() -> (NodeStoreBuilder, String) {
    let secret = hushed("secret");
    let options = serde_json::json!({ "secret": secret, "big": 2 * 1_024 * 1_024 });
    (file("odd.cjs").name("odd").options(options), secret)
}

/// As an async store, with a deadline that never matters.
pub(crate) fn promisified(store: &NodeStore) -> Promisified<NodeStore> {
    promisify_store(store.clone()).with_deadline(PATIENCE * 2)
}

/// The process id of the child of the misbehaving store.
pub(crate) async fn pid(store: &NodeStore) -> u32 {
    let session = promisified(store).get("pid").await.unwrap().unwrap();
    session.get::<u32>("pid").unwrap().unwrap()
}

/// A session with a member.
pub(crate) fn session(user: &str) -> SessionData {
    let mut session = SessionData::new();
    session.insert("user", user).unwrap();
    session
}

/// Whether a process runs. One that has ended and that nobody has waited for does not.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !matches!(state(&stat), None | Some('Z' | 'X'))
}

/// Whether all threads of a process are stopped: the signal alone is only on its way.
pub(crate) fn stands_still(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let stats = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("stat")));
    stats.flatten().all(|stat| state(&stat) == Some('T'))
}

/// The state in `/proc/PID/stat`. It follows the name, which is in brackets and can contain some itself.
fn state(stat: &str) -> Option<char> {
    stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next()
}

/// The time that a process has spent on a processor, in hundredths of a second.
pub(crate) fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The 14th field: the first after the name, in brackets, is the third.
    stat.rsplit(')').next().unwrap().split_whitespace().nth(11).unwrap().parse().unwrap()
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
