//! Every promise of the contract, with memory in front of a store in memory.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_core::{Clock, MemoryOptions, MemoryStore};

/// With a clock that the cases move, and the default options besides. Both handles share the memory, as the tasks of one
/// process do.
async fn subject() -> StoreUnderTest {
    let clock = Clock::fixed(1_700_000_000_000);
    let cached = || {
        let far = MemoryStore::with_options(MemoryOptions::default().with_clock(clock.clone()));
        Cached::new(far, CacheOptions::default().with_clock(clock.clone()))
    };
    let store = cached();
    StoreUnderTest::new(store.clone())
        .with_second_handle(store)
        .with_neighbour(cached())
        .with_clock(clock)
}

suite!(subject, not_offered = [find_by, raw, faults]);
