//! Whether the connection for invalidations works.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The last confirmation of a connection, and how long it counts.
///
/// Nothing has to notice that the connection is silent: without another confirmation, the lease runs out, even if no task
/// of the runtime is polled.
pub(super) struct Lease {
    max_silence: Duration,
    base: Instant,
    /// When the question of the last confirmation was sent, in microseconds after `base` and one. 0 if the connection is
    /// lost, or was never confirmed.
    confirmed: AtomicU64,
    /// The number of the connection.
    connection: Mutex<u64>,
}

impl Lease {
    pub(super) fn new(max_silence: Duration) -> Self {
        Self {
            max_silence,
            base: Instant::now(),
            confirmed: AtomicU64::new(0),
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

    pub(super) fn is_valid(&self, now: Instant) -> bool {
        let Some(asked) = self.confirmed.load(Ordering::SeqCst).checked_sub(1) else {
            return false;
        };
        Duration::from_micros(self.micros(now).saturating_sub(asked)) < self.max_silence
    }

    /// Confirms the connection. If it is another one than before, `forget_all` runs first.
    pub(super) fn confirm(&self, connection: u64, asked: Instant, forget_all: impl Fn()) {
        let mut current = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection < *current {
            // Another one has taken its place, and what it reports says nothing about that.
            return;
        }
        if connection > *current {
            *current = connection;
            self.end(forget_all);
        }
        self.confirmed.fetch_max(self.micros(asked) + 1, Ordering::SeqCst);
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
