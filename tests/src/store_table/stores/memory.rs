use cloakroom_core::MemoryStore;

use super::super::{Result, column::Column, outcomes::Outcomes, round_trips::round_trips};

pub(super) async fn column() -> Result<Column> {
    let store = MemoryStore::new();
    Ok(Column {
        name: "memory",
        round_trips: round_trips(&store, &mut || Ok(0)).await?,
        // The suite's own test, since the crate of the store cannot depend on the suite.
        outcomes: Outcomes::declared(&store, "cloakroom-conformance", "tests/memory.rs", None)
            .await?,
        backend: None,
    })
}
