//! The memory store keeps every promise. Its own crate cannot say so: it would depend on this one, which depends on it.

use cloakroom_conformance::{Outcome, StoreUnderTest, run, suite};
use cloakroom_core::{Clock, MemoryOptions, MemoryStore};

/// With a clock that the cases move.
async fn subject() -> StoreUnderTest {
    let mut options = MemoryOptions::default();
    options.clock = Clock::fixed(1_700_000_000_000);
    let store = MemoryStore::with_options(options.clone());
    StoreUnderTest::new(store.clone())
        .with_second_handle(store)
        .with_neighbour(MemoryStore::with_options(options.clone()))
        .with_clock(options.clock)
}

suite!(subject, not_offered = [find_by, raw, faults]);

#[test]
fn it_keeps_them_in_real_time_too() {
    let report = futures::executor::block_on(run(async || {
        let store = MemoryStore::new();
        StoreUnderTest::new(store.clone())
            .with_second_handle(store)
            .with_neighbour(MemoryStore::new())
    }));
    assert!(report.is_conformant(), "{report}");
    for case in report.with_outcome(Outcome::NotOffered) {
        assert!(
            ["find_by", "raw", "faults"].contains(&case.reason.as_deref().unwrap_or_default()),
            "{report}"
        );
    }
}
