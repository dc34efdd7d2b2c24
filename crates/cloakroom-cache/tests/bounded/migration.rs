//! The cache around two stores while sessions move between them.

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_compat::{ExpressSession, Migrating};
use cloakroom_core::{MemoryStore, SessionData, Store, Touched};

use crate::HOUR;

/// Inside of the handle, a cache would remember that the new store has no session, and the session would be in neither.
#[tokio::test]
async fn around_a_migration_a_session_that_another_process_moves_is_never_missed() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    let process = || {
        let options = CacheOptions::default().with_max_stale(HOUR);
        ExpressSession::new(Cached::new(Migrating::new(old.clone(), new.clone()), options))
    };
    let (first, second) = (process(), process());
    let written = SessionData::new();
    old.set("id", &written).await.unwrap();
    assert!(first.get("id").await.unwrap().is_some());
    let change = |name: &'static str| move |session: &mut SessionData| session.insert(name, 1);
    assert!(second.modify("id", change("second")).await.unwrap().is_some());
    assert!(old.get("id").await.unwrap().is_none());

    assert!(first.get("id").await.unwrap().is_some(), "as old as is allowed");
    assert_ne!(first.touch("id", &written).await.unwrap(), Touched::Missing);
    let changed = first.modify("id", change("first")).await.unwrap().unwrap();
    assert!(changed.contains("first") && changed.contains("second"));
}
