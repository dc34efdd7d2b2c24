//! How long a write may begin.
//!
//! It runs on another thread, which goes on when nobody waits for it any more. Either the write begins, or its caller
//! gives up; both at once would make a write that was told as undone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Instant,
};

const WAITS: u8 = 0;
const WRITES: u8 = 1;
const GIVEN_UP: u8 = 2;

/// The time until which a write may begin, and whether it has.
#[derive(Debug)]
pub(crate) struct Until {
    at: Instant,
    state: AtomicU8,
}

impl Until {
    pub(crate) fn new(at: Instant) -> Self {
        Self { at, state: AtomicU8::new(WAITS) }
    }

    /// Returns true if no write may begin any more.
    pub(crate) fn is_over(&self) -> bool {
        self.state.load(Ordering::Acquire) == GIVEN_UP || Instant::now() >= self.at
    }

    /// Returns whether the write may begin, and notes that it does.
    pub(crate) fn may_write(&self) -> bool {
        !self.is_over() && self.decide(WRITES) == WRITES
    }

    /// Returns true if nothing was written, and nothing will be.
    pub(crate) fn give_up(&self) -> bool {
        self.decide(GIVEN_UP) == GIVEN_UP
    }

    /// Gives up all that has not begun, even if a first write has: nobody waits for it any more.
    fn abandon(&self) {
        self.state.store(GIVEN_UP, Ordering::Release);
    }

    /// The first one who decides is right. Returns what holds.
    fn decide(&self, state: u8) -> u8 {
        match self.state.compare_exchange(WAITS, state, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => state,
            Err(decided) => decided,
        }
    }
}

/// Gives up when it is dropped, as with the future of a request whose browser left. Otherwise the write could begin
/// after a later one of the same caller.
#[derive(Debug)]
pub(crate) struct WhileAwaited(pub(crate) Arc<Until>);

impl Drop for WhileAwaited {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_write_begins_or_is_given_up() {
        let far = || Until::new(Instant::now() + Duration::from_secs(60));
        let until = far();
        assert!(until.may_write() && until.may_write() && !until.give_up());
        let until = far();
        assert!(until.give_up() && until.give_up() && !until.may_write());
        let until = Arc::new(far());
        assert!(until.may_write());
        drop(WhileAwaited(Arc::clone(&until)));
        assert!(until.is_over() && !until.may_write());
        let until = Until::new(Instant::now());
        assert!(!until.may_write() && until.give_up());
    }
}
