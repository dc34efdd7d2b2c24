//! The expiry of a cookie: how it is read and set, and how each request moves it.

use std::time::Duration;

use super::{Cookie, CookieMember, JsValue};
use crate::{
    Error, ErrorKind,
    date::{parse_date, to_iso_string},
    js,
};

impl Cookie {
    /// Returns when the cookie expires, in milliseconds since 1970. Returns `None` for a browser session, and if
    /// JavaScript cannot convert `expires` to a date.
    ///
    /// The date may be in the past although the session is live: Node.js leaves it stale when it only touches a session.
    /// The store's expiry decides.
    #[must_use]
    pub fn expires_ms(&self) -> Option<i64> {
        match self.raw(CookieMember::Expires) {
            // connect-redis takes it for no expiry.
            JsValue::Number(0.0) => None,
            value => value.date_ms(),
        }
    }

    /// Moves an expiry that is later than `ends_at_ms` to that.
    pub(crate) fn cut(&mut self, ends_at_ms: Option<i64>) {
        if let Some(ends_at_ms) = ends_at_ms
            && self.expires_ms() > Some(ends_at_ms)
            && let Some(expires) = to_iso_string(ends_at_ms)
        {
            self.set_raw(CookieMember::Expires, JsValue::String(expires.into()));
        }
    }

    /// Returns true if [`expires_ms`](Self::expires_ms) is not after `now_ms`. Returns false for a browser session.
    ///
    /// A session that a store returns is live even if this is true, because Node.js leaves the date stale.
    #[must_use]
    pub fn has_expired(&self, now_ms: i64) -> bool {
        self.expires_ms().is_some_and(|expires_ms| expires_ms <= now_ms)
    }

    /// Returns true if the two cookies agree in everything that determines when they expire.
    pub(crate) fn has_same_expiry(&self, other: &Self) -> bool {
        let same = |member| self.raw(member) == other.raw(member);
        same(CookieMember::Expires)
            && same(CookieMember::OriginalMaxAge)
            && self.original_max_age_ms() == other.original_max_age_ms()
    }

    /// Returns how long the session lives after each touch, in milliseconds. Returns `None` for a browser session.
    ///
    /// This is `originalMaxAge`. Without that member it is next-session's `maxAge`, which counts seconds.
    #[must_use]
    pub fn original_max_age_ms(&self) -> Option<i64> {
        match self.raw(CookieMember::OriginalMaxAge) {
            JsValue::Number(ms) if ms.is_finite() => Some(*ms as i64),
            JsValue::Undefined => self.next_session_max_age_ms(),
            _ => None,
        }
    }

    fn next_session_max_age_ms(&self) -> Option<i64> {
        let (_, seconds) = self.unknown.iter().find(|(name, _)| &**name == "maxAge")?;
        // next-session treats a maxAge of 0 as a browser session.
        Some((seconds.parse::<f64>().ok()? * 1_000.0) as i64).filter(|ms| *ms != 0)
    }

    /// Returns true if the record was written by next-session: it has `maxAge`, in seconds, and no `originalMaxAge`.
    #[must_use]
    pub fn is_next_session(&self) -> bool {
        *self.raw(CookieMember::OriginalMaxAge) == JsValue::Undefined
            && self.unknown.iter().any(|(name, _)| &**name == "maxAge")
    }

    /// Sets how long the session lives, from now and after each touch. `None` makes it a browser session.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the expiry is beyond the last JavaScript date, in the year 275760.
    pub fn set_max_age(
        &mut self,
        max_age: impl Into<Option<Duration>>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let max_age_ms = match max_age.into() {
            Some(age) => Some(i64::try_from(age.as_millis()).map_err(|_| out_of_range())?),
            None => None,
        };
        self.set_max_age_ms(max_age_ms, now_ms)
    }

    /// Like [`set_max_age`](Self::set_max_age), in milliseconds. A negative age means that the session has expired.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the expiry is beyond JavaScript's dates.
    pub fn set_max_age_ms(&mut self, max_age_ms: Option<i64>, now_ms: i64) -> Result<(), Error> {
        let expires_ms = match max_age_ms {
            Some(age) => Some(now_ms.checked_add(age).ok_or_else(out_of_range)?),
            None => None,
        };
        self.set_expires_ms(expires_ms, now_ms)
    }

    /// Sets when the session expires, in milliseconds since 1970. `None` makes it a browser session.
    ///
    /// As in Express, the time from `now_ms` to that date becomes the max age, so each later touch extends the session by
    /// as much again.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the expiry is beyond JavaScript's dates.
    pub fn set_expires_ms(&mut self, expires_ms: Option<i64>, now_ms: i64) -> Result<(), Error> {
        let next_session = self.is_next_session();
        let (expires, age) = match expires_ms {
            Some(ms) => (
                JsValue::String(to_iso_string(ms).ok_or_else(out_of_range)?.into()),
                Some(ms.saturating_sub(now_ms)),
            ),
            None => (JsValue::Null, None),
        };
        self.set_raw(CookieMember::Expires, expires);
        if next_session {
            self.unknown.retain(|(name, _)| &**name != "maxAge");
            if let Some(ms) = age {
                self.unknown.push(("maxAge".into(), js::number(ms as f64 / 1_000.0).into()));
                return Ok(());
            }
        }
        self.set_raw(
            CookieMember::OriginalMaxAge,
            age.map_or(JsValue::Null, |ms| JsValue::Number(ms as f64)),
        );
        Ok(())
    }

    /// Sets the expiry to `now_ms` plus the session's max age. Does nothing to a browser session.
    ///
    /// Express would remove the expiry of a record without `originalMaxAge`, such as next-session's. This method keeps
    /// that shape and extends it. Like Express, it removes an `expires` that is not a date if it cannot
    /// compute a new one.
    pub fn touch(&mut self, now_ms: i64) {
        let age = self.original_max_age_ms();
        match age.and_then(|age| now_ms.checked_add(age)).and_then(to_iso_string) {
            Some(expires) => self.set_raw(CookieMember::Expires, JsValue::String(expires.into())),
            None if self.expires_ms().is_none() && self.raw(CookieMember::Expires).is_truthy() => {
                self.set_raw(CookieMember::Expires, JsValue::Null);
            }
            // The new date would be beyond JavaScript's dates. Keeping the old one is closer to the intent than removing it.
            None => {}
        }
    }

    /// Changes the cookie as express-session 1.19.0 does when it loads a session: removes unknown members, sets `path`,
    /// `httpOnly` and `expires` to their defaults if they are missing, and parses an `expires` that is a string.
    pub fn load_as_express(&mut self) {
        self.unknown.clear();
        for (member, default) in [
            (CookieMember::Expires, JsValue::Null),
            (CookieMember::HttpOnly, JsValue::Bool(true)),
            (CookieMember::Path, "/".into()),
        ] {
            if *self.raw(member) == JsValue::Undefined {
                self.set_raw(member, default);
            }
        }
        let date = match self.raw(CookieMember::Expires) {
            JsValue::String(text) => parse_date(text).and_then(to_iso_string),
            // A string with half a surrogate pair, which no date contains.
            JsValue::Other(json) if json.starts_with('"') => None,
            _ => return,
        };
        let date = date.map_or(JsValue::InvalidDate, |date| JsValue::String(date.into()));
        self.set_raw(CookieMember::Expires, date);
    }

    /// Changes the cookie as a request through express-session 1.19.0 does between load and store. It calls
    /// [`load_as_express`](Self::load_as_express), then derives `expires` from `originalMaxAge`, even if that removes it.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) where Express throws, because `originalMaxAge` is set but not a number. The
    /// expiry then stays as loaded.
    pub fn touch_as_express(&mut self, now_ms: i64) -> Result<(), Error> {
        self.load_as_express();
        // Express assigns `cookie.maxAge = cookie.originalMaxAge`; the setter accepts a number or a falsy value.
        let expires = match self.raw(CookieMember::OriginalMaxAge) {
            JsValue::Number(ms) => {
                let at = now_ms as f64 + ms;
                let expires = to_iso_string(at as i64).filter(|_| at.is_finite());
                let left = expires.as_ref().map_or(f64::NAN, |_| at.trunc() - now_ms as f64);
                self.set_raw(CookieMember::OriginalMaxAge, JsValue::Number(left));
                expires.map_or(JsValue::InvalidDate, |expires| JsValue::String(expires.into()))
            }
            other if other.is_truthy() => {
                let message = "the cookie's originalMaxAge is invalid: must be a number";
                return Err(Error::new(ErrorKind::InvalidData, "session", "touch", message));
            }
            other => other.clone(),
        };
        self.set_raw(CookieMember::Expires, expires);
        Ok(())
    }

    /// Returns true if express-session 1.19.0 throws when it constructs its `Cookie` from this one: `maxAge` is set but
    /// not a number.
    pub(crate) fn breaks_express(&self) -> bool {
        let max_age = self.unknown.iter().find(|(name, _)| &**name == "maxAge");
        max_age.is_some_and(|(_, json)| match JsValue::parse(json) {
            JsValue::Number(_) => false,
            other => other.is_truthy(),
        })
    }
}

fn out_of_range() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "session",
        "cookie",
        "the expiry is out of range: JavaScript dates end in the year 275760",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn expires_is_read_as_connect_redis_reads_it() {
        let rows = [
            ("\"2023-11-14T22:13:20.500Z\"", Some(NOW + 500)),
            ("\"Tue, 14 Nov 2023 22:13:20 GMT\"", Some(NOW)),
            ("4102448400000", Some(4_102_448_400_000)),
            ("8.64e15", Some(8_640_000_000_000_000)),
            ("8640000000000001", None),
            ("-1e300", None),
            ("0", None),
            ("\"garbage\"", None),
            ("false", None),
            ("null", None),
            ("{}", None),
        ];
        for (expires, ms) in rows {
            assert_eq!(
                Cookie::from_json(&format!("{{\"expires\":{expires}}}")).unwrap().expires_ms(),
                ms,
                "{expires}"
            );
        }
    }

    /// The right column is what `createSession` of express-session 1.19.0 makes of the left one.
    #[test]
    fn a_cookie_is_loaded_as_express_loads_it() {
        let rows = [
            ("{}", r#"{"expires":null,"httpOnly":true,"path":"/"}"#),
            (
                r#"{"path":"/","httpOnly":true,"secure":false,"maxAge":60,"expires":"2023-11-14T22:14:20.000Z"}"#,
                r#"{"expires":"2023-11-14T22:14:20.000Z","secure":false,"httpOnly":true,"path":"/"}"#,
            ),
            (
                r#"{"originalMaxAge":60000,"expires":"Tue, 14 Nov 2023 22:14:20 GMT","httpOnly":false,"sameSite":true}"#,
                r#"{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","httpOnly":false,"path":"/","sameSite":true}"#,
            ),
            (
                r#"{"originalMaxAge":60000,"expires":1700000010000,"httpOnly":true,"path":"/"}"#,
                r#"{"originalMaxAge":60000,"expires":1700000010000,"httpOnly":true,"path":"/"}"#,
            ),
            (
                r#"{"originalMaxAge":60000,"expires":"not a date"}"#,
                r#"{"originalMaxAge":60000,"expires":null,"httpOnly":true,"path":"/"}"#,
            ),
        ];
        for (stored, loaded) in rows {
            let mut cookie = Cookie::from_json(stored).unwrap();
            cookie.load_as_express();
            assert_eq!(cookie.to_json(), loaded);
        }
    }

    #[test]
    fn touch_rolls_every_shape_and_loses_none() {
        let rows = [
            (
                r#"{"originalMaxAge":60000,"expires":"2020-01-01T00:00:00.000Z","path":"/"}"#,
                r#"{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","path":"/"}"#,
            ),
            (
                r#"{"path":"/","secure":false,"maxAge":60,"expires":"2020-01-01T00:00:00.000Z"}"#,
                r#"{"expires":"2023-11-14T22:14:20.000Z","secure":false,"path":"/","maxAge":60}"#,
            ),
            (
                r#"{"originalMaxAge":null,"expires":null}"#,
                r#"{"originalMaxAge":null,"expires":null}"#,
            ),
            (
                r#"{"expires":"2030-01-01T00:00:00.000Z"}"#,
                r#"{"expires":"2030-01-01T00:00:00.000Z"}"#,
            ),
        ];
        for (before, after) in rows {
            let mut cookie = Cookie::from_json(before).unwrap();
            cookie.touch(NOW);
            assert_eq!(cookie.to_json(), after);
        }
    }

    #[test]
    fn a_new_expiry_keeps_the_shape_of_a_next_session_record() {
        let mut cookie =
            Cookie::from_json(r#"{"path":"/","maxAge":60,"expires":"2020-01-01T00:00:00.000Z"}"#)
                .unwrap();
        cookie.set_max_age_ms(Some(1_500), NOW).unwrap();
        assert_eq!(
            cookie.to_json(),
            r#"{"expires":"2023-11-14T22:13:21.500Z","path":"/","maxAge":1.5}"#
        );
        assert_eq!(cookie.original_max_age_ms(), Some(1_500));
    }

    #[test]
    fn dates_beyond_javascript_are_refused() {
        let mut cookie = Cookie::new();
        for max_age in [Duration::MAX, Duration::from_millis(9_000_000_000_000_000)] {
            assert_eq!(
                cookie.set_max_age(Some(max_age), NOW).unwrap_err().kind(),
                ErrorKind::InvalidData
            );
        }
        assert_eq!(cookie, Cookie::new());
        assert!(cookie.set_expires_ms(Some(8_640_000_000_000_000), NOW).is_ok());
    }
}
