//! Random pauses: without chance, writers or processes that met once would meet again after every pause.

use std::{
    hash::{BuildHasher, RandomState},
    ops::RangeInclusive,
    time::Duration,
};

/// The longest pause. A longer one would only cost time, because no writer needs that long for one session.
const LONGEST: Duration = Duration::from_millis(100);

/// The pauses between the attempts of one write that conflicts with writes of other processes.
///
/// Writers in one process queue for a [`Turn`](cloakroom_core::Turn) instead. Writers in different processes cannot.
///
/// There is no pause after the first conflict. Each later pause is a random time between zero and a limit, so that
/// writers that collided once do not collide again. The limit starts at the duration of one attempt, doubles with each
/// conflict, and never exceeds 100 ms.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_backend::Pauses;
///
/// let mut pauses = Pauses::new();
/// let took = Duration::from_millis(2);
/// assert_eq!(pauses.after(took), None);
/// assert!(pauses.after(took).unwrap() <= Duration::from_millis(2));
/// assert!(pauses.after(took).unwrap() <= Duration::from_millis(4));
/// ```
#[derive(Debug, Default)]
pub struct Pauses {
    conflicts: u32,
}

impl Pauses {
    /// Creates the pauses of a write that has not been attempted yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { conflicts: 0 }
    }

    /// Returns how long to pause after a conflict, or `None` after the first one. `took` is the duration of the
    /// attempt.
    ///
    /// After a pause, read the session again: the record that came with the conflict has probably been replaced.
    pub fn after(&mut self, took: Duration) -> Option<Duration> {
        let doublings = self.conflicts.checked_sub(1);
        self.conflicts = self.conflicts.saturating_add(1);
        let factor = 2_u32.checked_pow(doublings?).unwrap_or(u32::MAX);
        let bound = took.saturating_mul(factor).min(LONGEST);
        Some(jitter(Duration::ZERO..=bound))
    }
}

/// Returns a random time in `range`, drawn evenly, so that callers that collided do not collide again.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_backend::jitter;
///
/// let (shortest, longest) = (Duration::from_millis(5), Duration::from_millis(10));
/// assert!((shortest..=longest).contains(&jitter(shortest..=longest)));
/// ```
#[must_use]
pub fn jitter(range: RangeInclusive<Duration>) -> Duration {
    let (shortest, longest) = range.into_inner();
    // The keys of a hasher are random enough to spread callers, and save a dependency.
    let random = RandomState::new().hash_one(());
    let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
    shortest + longest.saturating_sub(shortest).mul_f64(share)
}

/// Returns the pause before a server is tried again: `first`, doubled `times` times, but at most `longest`. Up to a
/// fifth is subtracted at random, so that processes that lost the same server do not all return at once.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_backend::doubled;
///
/// let pause = doubled(Duration::from_millis(5), 2, Duration::from_millis(60));
/// assert!((Duration::from_millis(16)..=Duration::from_millis(20)).contains(&pause));
/// ```
#[must_use]
pub fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    let pause = first.saturating_mul(2_u32.saturating_pow(times)).min(longest);
    jitter(pause / 5 * 4..=pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_and_grow_up_to_their_bound() {
        let took = Duration::from_millis(1);
        let mut longest = [Duration::ZERO; 12];
        for _ in 0..1_000 {
            let mut pauses = Pauses::new();
            assert_eq!(pauses.after(took), None);
            for (number, longest) in (0..).zip(&mut longest) {
                let pause = pauses.after(took).unwrap();
                assert!(pause <= LONGEST.min(took * 2_u32.pow(number)), "{pause:?}");
                *longest = pause.max(*longest);
            }
        }
        // Of 1,000 even draws, the largest is in the upper half.
        for (number, longest) in (0..).zip(longest) {
            assert!(longest > LONGEST.min(took * 2_u32.pow(number)) / 2, "{number}: {longest:?}");
        }
    }

    #[test]
    fn many_conflicts_and_odd_times_are_fine() {
        let mut pauses = Pauses { conflicts: u32::MAX };
        assert!(pauses.after(Duration::MAX).unwrap() <= LONGEST);
        assert_eq!(pauses.after(Duration::ZERO), Some(Duration::ZERO));
    }
}
