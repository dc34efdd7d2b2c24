//! What can be set.

use std::time::Duration;

use crate::Clock;

/// How a [`MemoryStore`](crate::MemoryStore) keeps sessions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// The time to live of a browser session: one day unless set, as the npm stores have it.
    pub ttl: Duration,
    /// The bound on the number of sessions, 1,000,000 unless set; see [`MemoryStore`](crate::MemoryStore) for what happens there.
    pub max_sessions: usize,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(86_400), max_sessions: 1_000_000, clock: Clock::system() }
    }
}

impl MemoryOptions {
    /// The same options with another [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The same options with another [`max_sessions`](Self::max_sessions).
    #[must_use]
    pub fn with_max_sessions(mut self, max_sessions: usize) -> Self {
        self.max_sessions = max_sessions;
        self
    }

    /// The same options with another [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}
