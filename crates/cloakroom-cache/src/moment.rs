//! A point in time, by the system's monotonic clock and by the store's.

use std::time::{Duration, Instant};

use cloakroom_core::Clock;

/// A point in time by two clocks.
///
/// The clock of the contract can be moved by a test, and by the operator of the machine, who may set it back. `Instant`
/// only goes forwards, but stands still while a machine is suspended.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) ms: i64,
}

impl Moment {
    pub(crate) fn now(clock: &Clock) -> Self {
        Self { at: Instant::now(), ms: clock.now_ms() }
    }

    /// Returns the time from this moment to `now`, by the clock that says more. If a clock was set back, nobody knows the
    /// time, and it counts as very long.
    pub(crate) fn age(self, now: Self) -> Duration {
        let by_clock = now.ms.checked_sub(self.ms).and_then(|ms| u64::try_from(ms).ok());
        let by_clock = by_clock.map_or(Duration::MAX, Duration::from_millis);
        now.at.saturating_duration_since(self.at).max(by_clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_says_more_decides() {
        let clock = Clock::fixed(1_700_000_000_000);
        let began = Moment::now(&clock);
        clock.advance(5_000);
        let later = Moment::now(&clock);
        assert!(began.age(later) >= Duration::from_secs(5));
        assert_eq!(later.age(began), Duration::MAX, "the clock was set back");
        let hour = Duration::from_secs(3_600);
        let monotonic = Moment { at: began.at + hour, ms: began.ms };
        assert_eq!(began.age(monotonic), hour, "the clock stands still");
    }
}
