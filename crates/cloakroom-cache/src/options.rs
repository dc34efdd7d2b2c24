//! The options of a cache.

use std::time::Duration;

use cloakroom_core::Clock;

/// Options of [`Cached`](crate::Cached).
///
/// ```
/// use std::time::Duration;
/// use cloakroom_cache::CacheOptions;
///
/// let options = CacheOptions::default()
///     .with_max_bytes(256 << 20)
///     .with_touch_interval(Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CacheOptions {
    /// The memory that the cache may use, in bytes. 64 MiB by default. When it is full, sessions that were not read for
    /// a while make room. A record of more than a 64th of it, or of more than 1 MiB if that is more, may not be kept.
    pub max_bytes: u64,
    /// How old an answer from memory may be in bounded mode. 1 second by default. Zero means that every read goes to the
    /// store.
    pub max_stale: Duration,
    /// In coherent mode, how long memory is used after the last proof that the connection for invalidations works. 1
    /// second by default. The server is asked four times in this period, at most once per 10 ms.
    pub max_silence: Duration,
    /// How much time must have passed before a session is extended again. 1 second by default. It is never more than a
    /// tenth of the session's time to live, and at most 1 second if only the store knows that. Zero means that every
    /// `touch` and every `get_and_touch` goes to the store.
    ///
    /// If the store ignores the cookie and uses its own time to live, set this to a tenth of that or less. `Ttl::Of` of
    /// Redis and the option `ttl` of Memcached are such times.
    ///
    /// If a session is not used any more, it ends earlier than without the cache, by at most this time.
    pub touch_interval: Duration,
    /// The source of the current time. Pass the store's own clock if a test moves that.
    pub clock: Clock,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_stale: Duration::from_secs(1),
            max_silence: Duration::from_secs(1),
            touch_interval: Duration::from_secs(1),
            clock: Clock::system(),
        }
    }
}

impl CacheOptions {
    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sets [`max_stale`](Self::max_stale).
    #[must_use]
    pub fn with_max_stale(self, max_stale: Duration) -> Self {
        Self { max_stale, ..self }
    }

    /// Sets [`max_silence`](Self::max_silence).
    #[must_use]
    pub fn with_max_silence(self, max_silence: Duration) -> Self {
        Self { max_silence, ..self }
    }

    /// Sets [`touch_interval`](Self::touch_interval).
    #[must_use]
    pub fn with_touch_interval(self, touch_interval: Duration) -> Self {
        Self { touch_interval, ..self }
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }
}
