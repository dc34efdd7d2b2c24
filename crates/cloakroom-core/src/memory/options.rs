//! The options of a `MemoryStore`.

use std::time::Duration;

use crate::Clock;

/// Options of a [`MemoryStore`](crate::MemoryStore).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// The time to live of a browser session. One day by default, as in the npm stores. With zero, it ends at once.
    pub ttl: Duration,
    /// The maximum number of sessions. 1,000,000 by default. See [`MemoryStore`](crate::MemoryStore) for what happens at
    /// the limit.
    pub max_sessions: usize,
    /// The source of the current time.
    pub clock: Clock,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(86_400), max_sessions: 1_000_000, clock: Clock::system() }
    }
}

impl MemoryOptions {
    /// Sets [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets [`max_sessions`](Self::max_sessions).
    #[must_use]
    pub fn with_max_sessions(mut self, max_sessions: usize) -> Self {
        self.max_sessions = max_sessions;
        self
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}
