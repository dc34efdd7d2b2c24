//! The pauses between attempts to connect.

use std::time::Duration;

use cloakroom_backend::doubled;
use tokio::time::Instant;

/// The pause after the first failure.
const FIRST: Duration = Duration::from_millis(20);

/// The longest pause after a failure on a connection that the server had accepted.
pub(crate) const ACCEPTED: Duration = Duration::from_millis(50);

/// The longest pause after a refused connection. It is short, because a refusal costs almost nothing and most outages
/// are of this kind: the server's return is noticed within 100 ms.
pub(crate) const REFUSED: Duration = FIRST;

/// A connection that lasted this long counts as good, and a failure this long ago no longer matters.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// Decides when the next attempt may start. All tasks and runtimes that use a store share it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    failures: u32,
    next: Option<Instant>,
}

impl Pace {
    /// Returns when the next attempt may start, and whether no attempt failed just before it.
    pub(crate) fn begin(&mut self, now: Instant) -> (Instant, bool) {
        if self.next.is_some_and(|next| now.saturating_duration_since(next) > LONG_ENOUGH) {
            self.succeed();
        }
        (self.next.unwrap_or(now), self.failures == 0)
    }

    /// Notes that an attempt failed, or that its connection did not last. The next attempt pauses for at most
    /// `longest`.
    pub(crate) fn fail(&mut self, now: Instant, longest: Duration) {
        self.next = Some(now + doubled(FIRST, self.failures, longest));
        self.failures = self.failures.saturating_add(1);
    }

    /// Notes that a connection lasted.
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
