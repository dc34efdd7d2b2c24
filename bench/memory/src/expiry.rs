//! How long one call takes after all sessions have expired.

use cloakroom::{Clock, MemoryOptions, MemoryStore, SessionData, Store};
use cloakroom_bench::cpu;
use futures::executor::block_on;

use crate::{
    sessions::{CLOAKROOM, NOW, key},
    threads::Numbers,
};

/// Returns the CPU time of the longest call after the expiry, in microseconds, or `None` for a store that does not remove
/// expired sessions. It is CPU time because a thread also waits for its core, which the store cannot help.
pub(crate) fn longest_call(name: &str, number: usize, text: &str) -> Option<f64> {
    if name != CLOAKROOM {
        return None;
    }
    let clock = Clock::fixed(NOW);
    let options = MemoryOptions::default().with_max_sessions(number * 2).with_clock(clock.clone());
    let store = MemoryStore::with_options(options);
    let mut session = SessionData::from_json(text).expect("it is a session");
    session.set_max_age(std::time::Duration::from_secs(3_600), NOW).expect("an hour is allowed");
    for at in 0..number {
        block_on(store.set(&key(at), &session)).expect("there is space");
    }
    clock.advance(7_200_000);
    let mut numbers = Numbers::new(9);
    let mut worst = std::time::Duration::ZERO;
    for _ in 0..20_000 {
        let sid = key(numbers.next(number));
        let before = cpu::of_this_thread();
        assert!(block_on(store.get(&sid)).expect("it answers").is_none());
        worst = worst.max(cpu::of_this_thread() - before);
    }
    Some(worst.as_secs_f64() * 1e6)
}
