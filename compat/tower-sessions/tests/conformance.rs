//! The suite on a store of tower-sessions: their memory store. `tests/frameworks` has their Redis store.

use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_tower_sessions::TowerSessionsStore;
use tower_sessions_memory_store::MemoryStore;

async fn subject() -> StoreUnderTest {
    let store = MemoryStore::default();
    let handle = || TowerSessionsStore::new(store.clone());
    StoreUnderTest::new(handle())
        .with_second_handle(handle())
        .with_neighbour(TowerSessionsStore::new(MemoryStore::default()))
}

suite!(subject, not_offered = [find_by, touch, atomic, enumerate, raw, faults]);
