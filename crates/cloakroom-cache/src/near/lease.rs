//! Whether the connection for invalidations works.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::moment::Moment;

/// The last confirmation of a connection, and how long it counts.
///
/// Nothing has to notice that the connection is silent: without another confirmation, the lease runs out, even if no task
/// of the runtime is polled, and while the machine is suspended.
pub(super) struct Lease {
    max_silence: Duration,
    base: Instant,
    /// When the question of the last confirmation was sent, in microseconds after `base` and one. 0 if the connection is
    /// lost, or was never confirmed.
    confirmed: AtomicU64,
    /// The same by the other clock. It is written first and read last, so it is never the older of the two.
    confirmed_ms: AtomicI64,
    /// The number of the connection.
    connection: Mutex<u64>,
}

impl Lease {
    pub(super) fn new(max_silence: Duration) -> Self {
        Self {
            max_silence,
            base: Instant::now(),
            confirmed: AtomicU64::new(0),
            confirmed_ms: AtomicI64::new(0),
            connection: Mutex::new(0),
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.base).as_micros();
        u64::try_from(since).unwrap_or(u64::MAX - 1)
    }

    /// Returns true if there is a connection that has been confirmed, no matter how long ago.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::SeqCst) > 0
    }

    /// Returns true if a question that was sent after `began` was answered.
    pub(super) fn is_confirmed_since(&self, began: Instant) -> bool {
        self.confirmed.load(Ordering::SeqCst) > self.micros(began) + 1
    }

    pub(super) fn is_valid(&self, now: Moment) -> bool {
        let Some(micros) = self.confirmed.load(Ordering::SeqCst).checked_sub(1) else {
            return false;
        };
        let at = self.base + Duration::from_micros(micros);
        let asked = Moment { at, ms: self.confirmed_ms.load(Ordering::SeqCst) };
        asked.age(now) < self.max_silence
    }

    /// Confirms the connection. If it is another one than before, `forget_all` runs first.
    pub(super) fn confirm(&self, connection: u64, asked: Moment, forget_all: impl Fn()) {
        let mut current = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection < *current {
            // Another one has taken its place, and what it reports says nothing about that.
            return;
        }
        if connection > *current {
            *current = connection;
            self.end(forget_all);
        }
        let micros = self.micros(asked.at) + 1;
        if micros >= self.confirmed.load(Ordering::SeqCst) {
            self.confirmed_ms.store(asked.ms, Ordering::SeqCst);
            self.confirmed.store(micros, Ordering::SeqCst);
        }
    }

    /// Ends the lease if it is that of this connection.
    pub(super) fn lose(&self, connection: u64, forget_all: impl Fn()) {
        let current = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == connection {
            self.end(forget_all);
        }
    }

    /// Ends the lease between two changes of the epoch. A reader that sees one epoch twice has seen the lease of that epoch
    /// in between, and a read that begins between the two changes is not kept beyond the second.
    fn end(&self, forget_all: impl Fn()) {
        forget_all();
        self.confirmed.store(0, Ordering::SeqCst);
        forget_all();
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::Clock;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn later(moment: Moment, seconds: u64) -> Moment {
        Moment { at: moment.at + Duration::from_secs(seconds), ..moment }
    }

    #[test]
    fn a_lease_counts_from_when_the_question_was_sent() {
        let lease = Lease::new(Duration::from_secs(10));
        let now = Moment::now(&Clock::fixed(1_700_000_000_000));
        let confirm = |connection, asked| lease.confirm(connection, asked, || ());
        let holds = |seconds| lease.is_valid(later(now, seconds));
        assert!(!lease.is_confirmed() && !holds(0), "nothing was confirmed");
        confirm(1, now);
        assert!(holds(0) && holds(9) && !holds(10));
        confirm(1, later(now, 5));
        assert!(holds(14) && !holds(15));
        confirm(1, now);
        assert!(holds(14), "an answer that comes late takes nothing back");
        confirm(2, now);
        confirm(1, later(now, 5));
        assert!(holds(9) && !holds(10), "another connection does not vouch for this one");
    }

    /// `Instant` stands still while a machine is suspended, so the connection seems to have been confirmed just before.
    #[test]
    fn a_lease_runs_out_while_the_machine_is_suspended() {
        let (lease, clock) = (Lease::new(HOUR), Clock::fixed(1_700_000_000_000));
        let is_valid = || lease.is_valid(Moment::now(&clock));
        lease.confirm(1, Moment::now(&clock), || ());
        assert!(is_valid());
        clock.advance(3_600_000);
        assert!(!is_valid());
        lease.confirm(1, Moment::now(&clock), || ());
        assert!(is_valid(), "the server has answered since");
        clock.advance(-1);
        assert!(!is_valid(), "the clock was set back, so nobody knows");
    }
}
