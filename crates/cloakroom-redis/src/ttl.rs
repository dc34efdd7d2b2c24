//! The option `ttl`. In connect-redis 4 to 10 the cookie comes first, so a number is only for browser sessions; in 3
//! the option came first.

use std::{fmt, sync::Arc, time::Duration};

use cloakroom_backend::whole_seconds;
use cloakroom_core::{SessionData, TimeToLive};

/// The longest time to live that is sent, in seconds: 285,000 years, which exceeds every JavaScript date. Redis rejects
/// values that overflow its clock.
pub(crate) const LONGEST: u64 = 9_000_000_000_000;

/// The expiry that a write gives to the key.
#[derive(Clone, Copy)]
pub(crate) enum Expiry {
    /// The key lives for this many seconds.
    Seconds(u64),
    /// The key lives until it is destroyed, because of the option `disable_ttl`.
    Never,
    /// The expiry has passed: the key is deleted.
    Passed,
}

/// The time to live of sessions: the option `ttl`, which is a number or a function as in connect-redis 7 and later.
#[derive(Clone)]
#[non_exhaustive]
pub enum Ttl {
    /// The time to live of a browser session, whose cookie has no expiry. Any other session lives as long as its
    /// cookie.
    Browser(Duration),
    /// Computes the time to live of every session, for `set` and `touch`. The cookie's expiry is ignored. Zero destroys
    /// the session.
    Of(Arc<dyn Fn(&SessionData) -> Duration + Send + Sync>),
}

impl Ttl {
    /// Computes the time to live of every session with `function`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_redis::{RedisOptions, Ttl};
    ///
    /// let mut options = RedisOptions::default();
    /// options.ttl = Ttl::of(|session| match session.contains("user") {
    ///     true => Duration::from_secs(3_600),
    ///     false => Duration::from_secs(60),
    /// });
    /// ```
    #[must_use]
    pub fn of(function: impl Fn(&SessionData) -> Duration + Send + Sync + 'static) -> Self {
        Self::Of(Arc::new(function))
    }

    /// Returns the time to live of `session` in whole seconds, or zero if its expiry has passed.
    pub(crate) fn seconds(&self, session: &SessionData, now_ms: i64) -> u64 {
        // connect-redis rounds up as well.
        let seconds = match self {
            // Express has just extended the cookie when connect-redis calls the function.
            Self::Of(function) if session.store_expiry_ms().is_none() => {
                whole_seconds(function(&session.extended(now_ms)))
            }
            _ => match (session.time_to_live(now_ms), self) {
                (TimeToLive::Seconds(seconds), _) => seconds,
                (TimeToLive::Browser, Self::Browser(ttl)) => whole_seconds(*ttl),
                // A copy is never a browser session.
                (TimeToLive::Browser | TimeToLive::Expired, _) => 0,
            },
        };
        seconds.min(LONGEST)
    }
}

impl From<Duration> for Ttl {
    fn from(ttl: Duration) -> Self {
        Self::Browser(ttl)
    }
}

impl Default for Ttl {
    /// Returns one day for browser sessions.
    fn default() -> Self {
        Self::Browser(Duration::from_secs(86_400))
    }
}

impl fmt::Debug for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Browser(ttl) => f.debug_tuple("Browser").field(ttl).finish(),
            Self::Of(_) => f.write_str("Of(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::Revision;

    use super::*;

    const NOW: i64 = 4_102_444_800_000;

    fn expiring(expires: &str) -> SessionData {
        SessionData::from_json(format!(r#"{{"cookie":{{"expires":{expires}}}}}"#)).unwrap()
    }

    #[test]
    fn seconds_are_those_of_connect_redis() {
        let default = Ttl::default();
        for (expires, seconds) in [
            ("null", 86_400),
            (r#""2100-01-01T01:00:00.000Z""#, 3_600),
            (r#""2100-01-01T00:00:01.500Z""#, 2),
            (r#""2100-01-01T00:00:00.060Z""#, 1),
            (r#""2100-01-01T00:00:00.000Z""#, 0),
            (r#""2099-12-31T23:59:59.000Z""#, 0),
            (r#""+275760-09-13T00:00:00.000Z""#, 8_635_897_555_200),
        ] {
            assert_eq!(default.seconds(&expiring(expires), NOW), seconds, "{expires}");
        }
    }

    #[test]
    fn the_option_ttl_is_the_life_of_browser_sessions_only() {
        let ttl = Ttl::from(Duration::from_secs(60));
        assert_eq!(ttl.seconds(&expiring("null"), NOW), 60);
        assert_eq!(ttl.seconds(&expiring(r#""2100-01-01T01:00:00.000Z""#), NOW), 3_600);
    }

    #[test]
    fn a_function_wins_over_the_cookie_and_is_rounded_up() {
        let past = expiring(r#""1999-01-01T00:00:00.000Z""#);
        for (ttl, seconds) in [
            (Duration::from_millis(1), 1),
            (Duration::from_millis(60_500), 61),
            (Duration::ZERO, 0),
            (Duration::MAX, LONGEST),
        ] {
            assert_eq!(Ttl::of(move |_| ttl).seconds(&past, NOW), seconds);
        }
    }

    #[test]
    fn a_function_sees_no_stale_expiry() {
        let text = r#"{"cookie":{"originalMaxAge":60000,"expires":"2099-12-31T23:59:59.000Z"}}"#;
        let read = SessionData::from_json(text).unwrap().with_revision(Revision::of_text());
        let left = Ttl::of(|session| {
            let left_ms = session.cookie().expires_ms().unwrap() - NOW;
            Duration::from_millis(u64::try_from(left_ms).unwrap_or_default())
        });
        assert_eq!(left.seconds(&read, NOW), 60);
    }

    #[test]
    fn what_is_longer_than_redis_can_hold_is_cut() {
        let far = Ttl::from(Duration::MAX);
        assert_eq!(far.seconds(&SessionData::new(), NOW), LONGEST);
        assert!(i64::try_from(LONGEST * 1_000).is_ok_and(|ms| ms.checked_add(NOW).is_some()));
    }
}
