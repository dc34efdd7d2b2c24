//! The source of the current time: the system, or a test.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Tells the current time in milliseconds since 1970, like JavaScript's `Date.now()`.
///
/// Stores and sessions take the time only from here, so a test can move it.
///
/// ```
/// use cloakroom_core::Clock;
///
/// let clock = Clock::fixed(1_700_000_000_000);
/// clock.advance(1_500);
/// assert_eq!(clock.now_ms(), 1_700_000_001_500);
/// assert!(Clock::system().now_ms() > clock.now_ms());
/// ```
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// Returns the system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// Creates a clock that stands at `now_ms` until you move it. Clones move together.
    #[must_use]
    pub fn fixed(now_ms: i64) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now_ms))))
    }

    /// Returns the milliseconds since 1970-01-01T00:00:00Z, negative before that.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Some(hand) => hand.load(Ordering::Relaxed),
            // A system whose clock is before 1970 gets a wrong time, but no panic.
            None => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
                Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
            },
        }
    }

    /// Moves a fixed clock by `ms` milliseconds. Does nothing to the system's clock.
    pub fn advance(&self, ms: i64) {
        if let Some(hand) = &self.0 {
            hand.fetch_add(ms, Ordering::Relaxed);
        }
    }

    /// Sets a fixed clock to `now_ms`. Does nothing to the system's clock.
    pub fn set(&self, now_ms: i64) {
        if let Some(hand) = &self.0 {
            hand.store(now_ms, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock::fixed" } else { "Clock::system" })
    }
}
