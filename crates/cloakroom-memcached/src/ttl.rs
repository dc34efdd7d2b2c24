//! The expiry of an item, as it is sent to memcached.

use std::time::Duration;

use cloakroom_backend::whole_seconds;
use cloakroom_core::{SessionData, TimeToLive};

use crate::{MemcachedOptions, options::LONGEST_RELATIVE};

/// The default time to live of a browser session: connect-memcached's `oneDay`.
const DAY: u64 = 86_400;

/// The last second of memcached's clock, in January 2038. It reads later dates as dates before 1970.
const LAST_DATE: u64 = i32::MAX as u64;

/// The expiry that a write gives to the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// The number to send: seconds, a date, or 0 for an item that never expires.
    At(u32),
    /// The expiry has passed: the item is deleted.
    Passed,
}

impl MemcachedOptions {
    /// Returns the expiry that `set` and `touch` give to `session`.
    pub(crate) fn expiry(&self, session: &SessionData) -> Expiry {
        // The time of a copy wins, because whoever copies sessions means each to keep its own.
        if self.ttl.is_some() && session.store_expiry_ms().is_none() {
            return Expiry::At(self.default_expiry());
        }
        let now_ms = self.clock.now_ms();
        match session.time_to_live(now_ms) {
            TimeToLive::Browser => Expiry::At(self.default_expiry()),
            TimeToLive::Seconds(seconds) => Expiry::At(self.lasting(seconds, 1, now_ms)),
            TimeToLive::Expired => Expiry::Passed,
        }
    }

    /// Returns the expiry that `get_and_touch` gives.
    pub(crate) fn expiry_of(&self, ttl: Option<Duration>) -> u32 {
        match ttl {
            Some(ttl) if self.ttl.is_none() => {
                self.lasting(whole_seconds(ttl), 1, self.clock.now_ms())
            }
            _ => self.default_expiry(),
        }
    }

    /// Returns the default expiry exactly as connect-memcached sends it.
    fn default_expiry(&self) -> u32 {
        let seconds = self.ttl.map_or(DAY, whole_seconds);
        self.lasting(seconds, 0, self.clock.now_ms())
    }

    /// Returns the expiry of an item that must live for `seconds`, and may live for up to `more` beyond.
    ///
    /// memcached counts in ticks of one second: an item with 1 second to live expires at the next tick, which may come
    /// at once. One more second ensures that no item expires early.
    fn lasting(&self, seconds: u64, more: u64, now_ms: i64) -> u32 {
        let longest = whole_seconds(self.max_expiration);
        if seconds <= longest {
            // Exactly 30 days is still sent as a number of seconds.
            return u32::try_from(seconds.saturating_add(more).min(longest)).unwrap_or(0);
        }
        let now = u64::try_from(now_ms.div_euclid(1_000)).unwrap_or(0);
        let date = now.saturating_add(seconds).saturating_add(more);
        // A longer time can only be sent as a date. 0 means "never" and stands for dates that memcached cannot
        // represent. It would read a date within the first 30 days of 1970, which only a wrong clock gives, as seconds.
        if date > LAST_DATE || date <= LONGEST_RELATIVE {
            return 0;
        }
        u32::try_from(date).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::Clock;

    use super::*;

    /// In 2025.
    const NOW: i64 = 1_750_000_000_000;
    const NOW_S: u32 = 1_750_000_000;

    fn options(now_ms: i64) -> MemcachedOptions {
        MemcachedOptions { clock: Clock::fixed(now_ms), ..Default::default() }
    }

    fn living(ms: i64) -> SessionData {
        let mut session = SessionData::new();
        session.cookie_mut().set_max_age_ms(Some(ms), NOW).unwrap();
        session
    }

    #[test]
    fn a_browser_session_lives_a_day_as_in_node() {
        assert_eq!(options(NOW).expiry(&SessionData::new()), Expiry::At(86_400));
        assert_eq!(options(NOW).expiry_of(None), 86_400);
    }

    #[test]
    fn no_session_ends_before_its_cookie_or_never() {
        for (ms, seconds) in [
            (1, 2),
            (500, 2),
            (999, 2),
            (1_000, 2),
            (1_001, 3),
            (59_999, 61),
            (86_400_000, 86_401),
            (2_591_999_000, 2_592_000),
        ] {
            assert_eq!(options(NOW).expiry(&living(ms)), Expiry::At(seconds), "{ms} ms");
        }
        assert_eq!(options(NOW).expiry_of(Some(Duration::from_millis(200))), 2);
    }

    #[test]
    fn more_than_30_days_are_a_date() {
        const DAY_MS: i64 = 86_400_000;
        for (ms, date) in [
            (30 * DAY_MS, 2_592_000),
            (30 * DAY_MS + 1, NOW_S + 2_592_002),
            (31 * DAY_MS, NOW_S + 31 * 86_400 + 1),
            (365 * DAY_MS, NOW_S + 365 * 86_400 + 1),
        ] {
            assert_eq!(options(NOW).expiry(&living(ms)), Expiry::At(date), "{ms} ms");
        }
        assert_eq!(
            options(NOW).expiry_of(Some(Duration::from_secs(31 * 86_400))),
            NOW_S + 31 * 86_400 + 1
        );
    }

    #[test]
    fn what_memcached_has_no_date_for_never_expires() {
        let last = i64::from(i32::MAX) * 1_000;
        assert_eq!(options(NOW).expiry(&living(last - NOW - 1_000)), Expiry::At(i32::MAX as u32));
        assert_eq!(options(NOW).expiry(&living(last - NOW)), Expiry::At(0));
        assert_eq!(options(NOW).expiry(&living(8_640_000_000_000_000 - NOW)), Expiry::At(0));
        assert_eq!(options(NOW).expiry_of(Some(Duration::MAX)), 0);
        // A wrong clock loses no session either.
        assert_eq!(options(-1).expiry(&living(8_640_000_000_000_000 - NOW)), Expiry::At(0));
        assert_eq!(options(i64::MAX).expiry_of(Some(Duration::from_secs(9_999_999))), 0);
    }

    #[test]
    fn an_expiry_that_has_passed_is_none() {
        for ms in [0, -1, -999, -5_000] {
            assert_eq!(options(NOW).expiry(&living(ms)), Expiry::Passed, "{ms} ms");
        }
    }

    #[test]
    fn the_option_ttl_wins_over_the_cookie_as_in_node() {
        let mut options = options(NOW);
        options.ttl = Some(Duration::from_secs(60));
        for session in [SessionData::new(), living(1_000), living(-1_000), living(999_999_999)] {
            assert_eq!(options.expiry(&session), Expiry::At(60));
        }
        assert_eq!(options.expiry_of(None), 60);
        assert_eq!(options.expiry_of(Some(Duration::from_secs(9))), 60);
        options.ttl = Some(Duration::from_secs(31 * 86_400));
        assert_eq!(options.expiry(&SessionData::new()), Expiry::At(NOW_S + 31 * 86_400));
    }

    #[test]
    fn a_smaller_max_expiration_makes_dates_earlier() {
        let mut options = options(NOW);
        options.max_expiration = Duration::from_secs(3_600);
        assert_eq!(options.expiry(&living(3_600_000)), Expiry::At(3_600));
        assert_eq!(options.expiry(&living(3_601_000)), Expiry::At(NOW_S + 3_602));
    }
}
