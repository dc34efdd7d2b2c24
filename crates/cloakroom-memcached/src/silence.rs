//! How long a server has answered nothing.

use std::time::{Duration, Instant};

/// The time span in which calls waited, one after the other, without an answer.
#[derive(Debug, Default)]
pub(crate) struct Silence(Option<(Instant, Instant)>);

impl Silence {
    /// Extends the time span by a call that asked at this moment. `answered` is when the server last answered. Returns
    /// true if the time span is as long as `limit`.
    pub(crate) fn waits(
        &mut self,
        answered: Option<Instant>,
        asked: Instant,
        now: Instant,
        limit: Duration,
    ) -> bool {
        let since = match self.0 {
            // After a longer pause it may have been there in between: nobody asked.
            Some((since, until))
                if asked.saturating_duration_since(until) < limit
                    && answered.is_none_or(|answered| answered <= since) =>
            {
                since.min(asked)
            }
            _ => asked,
        };
        self.0 = Some((since, now));
        now.saturating_duration_since(since) >= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_by_one_long_call_or_by_short_ones_together() {
        let limit = Duration::from_secs(4);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (answered, calls, expected) in [
            (None, &[(0, 4)][..], true),
            (None, &[(0, 3)], false),
            (None, &[(0, 1), (1, 2), (2, 3), (3, 4)], true),
            (None, &[(0, 1), (4, 5)], true),
            // Nobody asked for a while.
            (None, &[(0, 1), (5, 6)], false),
            // Side by side.
            (None, &[(1, 2), (0, 3), (2, 4)], true),
            // An answer in between.
            (Some(2), &[(0, 1), (3, 4), (4, 5)], false),
            (Some(2), &[(0, 1), (3, 4), (4, 7)], true),
            // One slow answer beside others.
            (Some(3), &[(0, 4)], true),
        ] {
            let (mut silence, mut is_silent) = (Silence::default(), false);
            for (asked, ended) in calls {
                is_silent = silence.waits(answered.map(at), at(*asked), at(*ended), limit);
            }
            assert_eq!(is_silent, expected, "{answered:?} {calls:?}");
        }
    }
}
