//! The pauses between attempts to connect.

use std::time::Duration;

use cloakroom_backend::doubled;
use tokio::time::Instant;

/// The pause after the first failure.
const FIRST: Duration = Duration::from_millis(20);

/// The longest pause after a connection that a server has accepted.
pub(crate) const ACCEPTED: Duration = Duration::from_millis(50);

/// The longest pause after a connection that was refused. It costs next to nothing, and most outages are of this kind:
/// a server that is back is noticed within 100 ms.
pub(crate) const REFUSED: Duration = FIRST;

/// A connection that lasted this long was a good one, and a failure this long ago says nothing about now.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// When the next attempt may begin. All tasks and runtimes that use a store share it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    failures: u32,
    next: Option<Instant>,
}

impl Pace {
    /// Returns when the attempt that is made now may begin, and whether none has failed just before it.
    pub(crate) fn begin(&mut self, now: Instant) -> (Instant, bool) {
        if self.next.is_some_and(|next| now.saturating_duration_since(next) > LONG_ENOUGH) {
            self.succeed();
        }
        (self.next.unwrap_or(now), self.failures == 0)
    }

    /// An attempt failed, or what came of it did not last. The next one pauses for at most `longest`.
    pub(crate) fn fail(&mut self, now: Instant, longest: Duration) {
        self.next = Some(now + doubled(FIRST, self.failures, longest));
        self.failures = self.failures.saturating_add(1);
    }

    /// A connection lasted.
    pub(crate) fn succeed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_with_success_or_time() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.begin(now), (now, true));
        for longest in [20, 40, 50, 50, 50] {
            pace.fail(now, ACCEPTED);
            let (next, is_first) = pace.begin(now);
            let pause = next - now;
            let longest = Duration::from_millis(longest);
            assert!(pause <= longest && pause >= longest / 5 * 4, "{pause:?}");
            assert!(!is_first);
        }
        let later = now + LONG_ENOUGH + 2 * ACCEPTED;
        assert_eq!(pace.begin(later), (later, true));
        pace.fail(now, REFUSED);
        pace.fail(now, REFUSED);
        assert!(pace.begin(now).0 - now <= REFUSED);
        pace.succeed();
        assert_eq!(pace.begin(now), (now, true));
    }
}
