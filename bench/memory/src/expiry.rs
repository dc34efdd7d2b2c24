//! How long a call takes after all sessions have expired at once.

use std::time::Duration;

use cloakroom::{Clock, MemoryOptions, MemoryStore, SessionData, Store};
use cloakroom_bench::cpu;
use futures::executor::block_on;

use crate::{
    sessions::{NOW, key},
    threads::Numbers,
};

pub(crate) const BEFORE: &str = "cloakroom, while none has expired";
pub(crate) const AFTER: &str = "cloakroom, after all have expired at once";

/// Returns the CPU time of the longest call before and after the expiry, in microseconds. It is CPU time because a thread
/// also waits for its core, which the store cannot help.
pub(crate) fn longest_calls(number: usize, text: &str) -> [f64; 2] {
    let clock = Clock::fixed(NOW);
    let options = MemoryOptions::default().with_max_sessions(number * 2).with_clock(clock.clone());
    let store = MemoryStore::with_options(options);
    let mut session = SessionData::from_json(text).expect("it is a session");
    session.set_max_age(Duration::from_secs(3_600), NOW).expect("an hour is allowed");
    for at in 0..number {
        block_on(store.set(&key(at), &session)).expect("there is space");
    }
    let longest = |is_there| {
        let mut numbers = Numbers::new(9);
        let mut longest = Duration::ZERO;
        for _ in 0..20_000 {
            let sid = key(numbers.next(number));
            let before = cpu::of_this_thread();
            let found = block_on(store.get(&sid)).expect("it answers");
            longest = longest.max(cpu::of_this_thread() - before);
            assert_eq!(found.is_some(), is_there);
        }
        longest.as_secs_f64() * 1e6
    };
    let before = longest(true);
    clock.advance(7_200_000);
    [before, longest(false)]
}
