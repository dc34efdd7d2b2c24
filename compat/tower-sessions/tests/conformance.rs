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

suite!(
    subject,
    not_offered = [touch, atomic, enumerate, raw, faults],
    exceptions = [
        escapes_come_back_as_written = "values are kept, not their texts",
        lone_surrogates_come_back = "serde_json cannot hold one: the session is refused",
        spaces_come_back = "values are kept, not their texts",
        crlf_between_tokens_comes_back = "values are kept, not their texts",
        member_order_comes_back = "their records are maps without an order",
        doubled_names_come_back = "values are kept, not their texts",
        numbers_come_back_as_written = "values are kept, not their texts"
    ],
);
