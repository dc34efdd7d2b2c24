//! The turn to connect, which one call at a time has.
//!
//! A task can stop polling a call for a while, because it does something else first. Such a call must not hold up the
//! others. So nobody hands the turn to a waiting call: each looks for itself whether the turn is free. And a turn is
//! free again after the time that an attempt takes at most.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, futures::Notified};

#[derive(Debug, Default)]
pub(crate) struct Turns {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    turns: u64,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    number: u64,
    since: Instant,
    /// How long it is kept at most.
    longest: Duration,
}

/// A turn. It ends when it is dropped, or when it was held for too long.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
}

impl Turns {
    /// Returns a future that ends with the next turn that is given back from now on.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }

    /// Takes the turn for at most this long. If another call has it, returns the time after which to ask again.
    pub(crate) fn take(&self, now: Instant, longest: Duration) -> Result<Turn<'_>, Duration> {
        let mut state = self.lock();
        let left = state.current.as_ref().map_or(Duration::ZERO, |current| {
            current.longest.saturating_sub(now.saturating_duration_since(current.since))
        });
        if !left.is_zero() {
            return Err(left);
        }
        state.turns += 1;
        let number = state.turns;
        state.current = Some(Current { number, since: now, longest });
        Ok(Turn { turns: self, number })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Returns true if no other call has taken the turn since.
    pub(crate) fn is_current(&self) -> bool {
        self.is_current_in(&self.turns.lock())
    }

    /// Keeps the turn for this long from now on, unless another call has taken it.
    pub(crate) fn keep(&self, now: Instant, longest: Duration) {
        let mut state = self.turns.lock();
        if self.is_current_in(&state) {
            state.current = Some(Current { number: self.number, since: now, longest });
        }
    }

    fn is_current_in(&self, state: &State) -> bool {
        state.current.as_ref().is_some_and(|current| current.number == self.number)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        if self.is_current_in(&state) {
            state.current = None;
            drop(state);
            self.turns.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(2);

    #[test]
    fn a_turn_is_free_when_it_is_dropped_or_was_held_for_too_long() {
        let (turns, start) = (Turns::default(), Instant::now());
        let (middle, end) = (start + LONGEST / 2, start + LONGEST);
        let mut freed = Box::pin(turns.freed());
        let first = turns.take(start, LONGEST).unwrap();
        assert_eq!(turns.take(middle, LONGEST).unwrap_err(), LONGEST / 2);
        first.keep(middle, LONGEST);
        assert_eq!(turns.take(end, LONGEST).unwrap_err(), LONGEST / 2);

        let end = end + LONGEST / 2;
        let second = turns.take(end, Duration::MAX).unwrap();
        assert!(second.is_current() && !first.is_current());
        first.keep(end, Duration::ZERO);
        drop(first);
        assert!((&mut freed).now_or_never().is_none(), "the second has it");
        assert_eq!(turns.take(end + LONGEST, LONGEST).unwrap_err(), Duration::MAX - LONGEST);
        drop(second);
        assert!(freed.now_or_never().is_some());
        assert!(turns.take(end, LONGEST).is_ok());
    }
}
