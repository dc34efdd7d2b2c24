use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::MemoryStore;

use super::{
    super::{Result, column::Column, round_trips::round_trips},
    report,
};

pub(super) async fn column() -> Result<Column> {
    let subject = |(): &()| {
        let store = MemoryStore::new();
        StoreUnderTest::new(store.clone())
            .with_second_handle(store)
            .with_neighbour(MemoryStore::new())
    };
    Ok(Column {
        name: "memory",
        report: report((), subject).await,
        round_trips: round_trips(&MemoryStore::new(), &mut || Ok(0)).await?,
        backend: None,
    })
}
