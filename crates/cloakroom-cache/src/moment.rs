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
    /// time, and it counts as very long. A `now` that another thread has overtaken counts as this moment.
    pub(crate) fn age(self, now: Self) -> Duration {
        let Some(by_instant) = now.at.checked_duration_since(self.at) else {
            return Duration::ZERO;
        };
        let by_clock = now.ms.checked_sub(self.ms).and_then(|ms| u64::try_from(ms).ok());
        by_instant.max(by_clock.map_or(Duration::MAX, Duration::from_millis))
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
        let hour = Duration::from_secs(3_600);
        let monotonic = Moment { at: began.at + hour, ms: began.ms };
        assert_eq!(began.age(monotonic), hour, "the clock stands still");
        let set_back = Moment { at: began.at + hour, ms: began.ms - 1 };
        assert_eq!(began.age(set_back), Duration::MAX);
    }

    #[test]
    fn a_moment_that_was_overtaken_is_not_a_clock_that_was_set_back() {
        let overtaken = Moment { at: Instant::now(), ms: 1_700_000_000_000 };
        let read = Moment { at: overtaken.at + Duration::from_micros(10), ms: overtaken.ms + 1 };
        assert_eq!(read.age(overtaken), Duration::ZERO);
    }
}
