//! When a server in trouble is tried again.

use std::time::{Duration, Instant};

use crate::doubled;

/// The pauses between attempts to connect. Each failure in a row doubles the pause, up to a limit that depends on the
/// failure.
///
/// ```
/// use std::time::{Duration, Instant};
/// use cloakroom_backend::Pace;
///
/// let ms = Duration::from_millis;
/// let (mut pace, now) = (Pace::new(0, ms(20), ms(1_000)), Instant::now());
/// assert_eq!(pace.pause(now), ms(0));
/// for longest in [20, 40, 50, 50] {
///     pace.fail(now, ms(50));
///     assert!((ms(longest * 4 / 5)..=ms(longest)).contains(&pace.pause(now)));
/// }
/// ```
#[derive(Debug)]
pub struct Pace {
    at_once: u32,
    first: Duration,
    calm: Duration,
    failures: u32,
    /// The last failure, and the longest pause after it.
    last: Option<(Instant, Duration)>,
}

impl Pace {
    /// Creates the pauses of a server that has not failed. The first `at_once` failures in a row have none, and the
    /// next one has a pause of `first`. After `calm` without a failure, the earlier ones do not matter any more.
    #[must_use]
    pub const fn new(at_once: u32, first: Duration, calm: Duration) -> Self {
        Self { at_once, first, calm, failures: 0, last: None }
    }

    /// Notes that an attempt failed, or that its connection was lost. The next attempt pauses for at most `longest`.
    pub fn fail(&mut self, now: Instant, longest: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.last = Some((now, longest));
    }

    /// Forgets the failures if the last one was so long ago that they do not matter any more.
    pub fn forget_old(&mut self, now: Instant) {
        if self.is_calm(now) {
            self.succeed();
        }
    }

    /// Notes that a connection lasted. Forgets the failures.
    pub const fn succeed(&mut self) {
        (self.failures, self.last) = (0, None);
    }

    /// Returns the rest of the pause before the next attempt. A part of it is random, so each call returns another
    /// time.
    #[must_use]
    pub fn pause(&self, now: Instant) -> Duration {
        let doublings = self.failures.checked_sub(self.at_once + 1);
        let (Some((last, longest)), Some(doublings)) = (self.last, doublings) else {
            return Duration::ZERO;
        };
        let pause = doubled(self.first, doublings, longest);
        pause.saturating_sub(now.saturating_duration_since(last))
    }

    /// Returns the number of failures in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns the time of the last failure that was not forgotten.
    #[must_use]
    pub fn last_failure(&self) -> Option<Instant> {
        self.last.map(|(last, _)| last)
    }

    /// Returns true if the last failure was so long ago that the failures do not matter any more, or if nothing failed.
    #[must_use]
    pub fn is_calm(&self, now: Instant) -> bool {
        self.last.is_none_or(|(last, _)| now.saturating_duration_since(last) >= self.calm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_millis(50);
    const CALM: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_grow_and_end_with_success_or_time() {
        for at_once in [0, 1, 3] {
            let now = Instant::now();
            let mut pace = Pace::new(at_once, FIRST, CALM);
            assert_eq!((pace.pause(now), pace.failures()), (Duration::ZERO, 0));
            for _ in 0..at_once {
                pace.fail(now, LONGEST);
                assert_eq!(pace.pause(now), Duration::ZERO);
            }
            for longest in [20, 40, 50, 50, 50] {
                pace.fail(now, LONGEST);
                let (pause, longest) = (pace.pause(now), Duration::from_millis(longest));
                assert!(pause <= longest && pause >= longest / 5 * 4, "{pause:?}");
                assert!(pace.pause(now + pause / 2) <= longest - pause / 2);
            }
            pace.fail(now, FIRST);
            assert!(pace.pause(now) <= FIRST, "another failure, another limit");
            pace.forget_old(now + CALM / 2);
            assert!(pace.failures() > 0 && !pace.is_calm(now));
            pace.forget_old(now + CALM);
            assert_eq!((pace.pause(now), pace.failures()), (Duration::ZERO, 0));
            pace.fail(now, LONGEST);
            pace.succeed();
            assert_eq!((pace.pause(now), pace.failures()), (Duration::ZERO, 0));
        }
    }

    #[test]
    fn many_failures_are_fine() {
        let now = Instant::now();
        let mut pace = Pace::new(0, FIRST, CALM);
        (pace.failures, pace.last) = (u32::MAX, Some((now, LONGEST)));
        pace.fail(now, LONGEST);
        assert!(pace.pause(now) <= LONGEST);
    }
}
