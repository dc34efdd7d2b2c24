//! An end that no extension moves: "eight hours after the login, no matter what".
//!
//! The record's cookie has no room for it. express-session 1.19.0 sets `originalMaxAge` along with `expires`, and moves
//! `expires` by it with each request; a record with an `expires` and no `originalMaxAge` it takes for a browser session
//! at the first request. A member of the session is what Express keeps.

use super::SessionData;
use crate::{Error, ErrorKind, JsValue, date::to_iso_string};

impl SessionData {
    /// The name of the member that holds the session's end: milliseconds since 1970, as `Date.now()` counts.
    ///
    /// Express keeps the member and does nothing about it. A middleware there can do what Rust does:
    ///
    /// ```js
    /// app.use((req, res, next) =>
    ///   req.session.cloakroomEndsAt <= Date.now() ? req.session.regenerate(next) : next())
    /// ```
    pub const ENDS_AT: &'static str = "cloakroomEndsAt";

    /// When the session ends, however often it is extended, in milliseconds since 1970. `None` when no end was set, and
    /// when the member is neither a number nor a date.
    ///
    /// It bounds [`time_to_live`](Self::time_to_live), [`extended`](Self::extended) and [`touch`](Self::touch), so that
    /// every store that counts by the session ends it then. A store that gives all sessions one life, and Node.js, which
    /// knows nothing of the end, can keep the record for longer: whoever hands sessions out asks
    /// [`has_ended`](Self::has_ended).
    #[must_use]
    pub fn ends_at_ms(&self) -> Option<i64> {
        JsValue::parse(self.get_json(Self::ENDS_AT)?).date_ms()
    }

    /// Sets the session's end, in milliseconds since 1970, or takes it away. An expiry of the cookie that is later
    /// becomes the end.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) for a time beyond JavaScript's dates.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_core::{SessionData, TimeToLive};
    ///
    /// let now_ms = 1_700_000_000_000;
    /// let mut session = SessionData::new();
    /// session.cookie_mut().set_max_age(Some(Duration::from_secs(60)), now_ms)?;
    /// session.set_ends_at_ms(Some(now_ms + 90_000))?;
    ///
    /// session.touch(now_ms + 50_000);
    /// assert_eq!(session.cookie().expires_ms(), session.ends_at_ms());
    /// assert_eq!(session.time_to_live(now_ms + 50_000), TimeToLive::Seconds(40));
    /// assert!(session.has_ended(now_ms + 90_000));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn set_ends_at_ms(&mut self, ends_at_ms: Option<i64>) -> Result<(), Error> {
        let Some(ends_at_ms) = ends_at_ms else {
            self.remove(Self::ENDS_AT);
            return Ok(());
        };
        if to_iso_string(ends_at_ms).is_none() {
            let message = "the end is beyond the last JavaScript date";
            return Err(Error::new(ErrorKind::InvalidData, "session", "ends_at", message));
        }
        self.change(Self::ENDS_AT, Some(ends_at_ms.to_string()));
        if self.cookie().expires_ms() > Some(ends_at_ms) {
            self.cookie_mut().cut(Some(ends_at_ms));
        }
        Ok(())
    }

    /// Returns true if the session's [end](Self::ends_at_ms) has come. Returns false for a session without one.
    #[must_use]
    pub fn has_ended(&self, now_ms: i64) -> bool {
        self.ends_at_ms().is_some_and(|ends_at_ms| ends_at_ms <= now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Revision, TimeToLive};

    const NOW: i64 = 1_700_000_000_000;
    const LATER: &str = "\"2023-11-14T22:14:00.000Z\"";

    fn read(max_age: &str, expires: &str, ends_at: &str) -> SessionData {
        let cookie = format!(r#"{{"originalMaxAge":{max_age},"expires":{expires}}}"#);
        let text = format!(r#"{{"cookie":{cookie},"cloakroomEndsAt":{ends_at}}}"#);
        SessionData::from_json(text).unwrap().with_revision(Revision::of_text())
    }

    #[test]
    fn an_end_is_a_number_or_a_date() {
        let rows = [
            ("1700000030000", Some(NOW + 30_000)),
            ("1.7e12", Some(NOW)),
            ("0", Some(0)),
            ("\"2023-11-14T22:13:50.000Z\"", Some(NOW + 30_000)),
            ("\"garbage\"", None),
            ("8640000000000001", None),
            ("true", None),
            ("null", None),
            ("[1]", None),
        ];
        for (text, ms) in rows {
            assert_eq!(read("null", "null", text).ends_at_ms(), ms, "{text}");
        }
        assert_eq!(SessionData::new().ends_at_ms(), None);
        assert!(!SessionData::new().has_ended(i64::MAX));
    }

    #[test]
    fn nothing_lives_beyond_its_end() {
        let rows = [
            // Its own max age is shorter.
            ("10000", LATER, NOW + 60_000, TimeToLive::Seconds(40)),
            ("60000", LATER, NOW + 30_000, TimeToLive::Seconds(30)),
            ("60000", "null", NOW + 30_000, TimeToLive::Seconds(30)),
            ("null", LATER, NOW + 30_000, TimeToLive::Seconds(30)),
            // What has no time of its own is kept until its end.
            ("null", "null", NOW + 30_000, TimeToLive::Seconds(30)),
            ("null", "\"2023-11-14T00:00:00.000Z\"", NOW + 30_000, TimeToLive::Seconds(30)),
            ("60000", LATER, NOW, TimeToLive::Expired),
            ("null", "null", NOW - 1, TimeToLive::Expired),
        ];
        for (max_age, expires, ends_at, life) in rows {
            let session = read(max_age, expires, &ends_at.to_string());
            assert_eq!(session.time_to_live(NOW), life, "{max_age} {expires}");
            let extended = session.extended(NOW);
            assert_eq!(extended.time_to_live(NOW), life, "extended: {max_age} {expires}");
            assert!(extended.cookie().expires_ms() <= Some(ends_at), "{max_age} {expires}");
            let mut touched = session.clone();
            touched.touch(NOW);
            assert!(touched.cookie().expires_ms() <= Some(ends_at), "{max_age} {expires}");
            let mut touched = session.clone();
            touched.touch_as_express(NOW).unwrap();
            assert!(touched.cookie().expires_ms() <= Some(ends_at), "{max_age} {expires}");
            assert_eq!(touched.cookie().original_max_age_ms(), max_age.parse().ok());
        }
    }

    #[test]
    fn a_life_that_the_handler_sets_is_cut_and_counts_from_the_handlers_cookie() {
        let mut session = read("60000", LATER, &(NOW + 30_000).to_string());
        session.cookie_mut().set_max_age_ms(Some(90_000), NOW).unwrap();
        assert_eq!(session.time_to_live(NOW), TimeToLive::Seconds(30));
        let extended = session.extended(NOW).into_owned();
        assert_eq!(extended.time_to_live(NOW), TimeToLive::Seconds(30));
        session.cookie_mut().set_max_age_ms(Some(20_000), NOW).unwrap();
        assert_eq!(session.extended(NOW).time_to_live(NOW), TimeToLive::Seconds(20));
    }

    #[test]
    fn an_end_is_a_member_that_can_be_taken_away() {
        let mut session = SessionData::new();
        let plain = session.to_json().into_owned();
        session.set_ends_at_ms(Some(NOW)).unwrap();
        assert_eq!(session.get_json(SessionData::ENDS_AT), Some("1700000000000"));
        session.set_ends_at_ms(None).unwrap();
        assert_eq!(session.to_json(), plain);
        let error = session.set_ends_at_ms(Some(i64::MAX)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(session.to_json(), plain);
    }
}
