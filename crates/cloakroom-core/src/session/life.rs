//! How long a session lives after a write.
//!
//! The `expires` of a record goes stale, because express-session without `resave` only touches an unchanged session and
//! does not write it. So a session that came from a store with its expiry unchanged lives for its `originalMaxAge`.

use std::{borrow::Cow, time::Duration};

use super::SessionData;
use crate::{Cookie, CookieMember, Error, LAST_DATE_MS};

/// How long a store keeps a session, by [`SessionData::time_to_live`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeToLive {
    /// The session lives for this many whole seconds, at least one.
    Seconds(u64),
    /// The cookie has no expiry, so the store's default applies.
    Browser,
    /// The expiry has passed, so the session is destroyed, not stored.
    Expired,
}

impl SessionData {
    /// Returns how long a store keeps this session, in whole seconds.
    ///
    /// - A session that was read from a store, and whose expiry has not been changed since, lives for its max age from
    ///   now: express-session 1.19.0 extends every session before it saves it. Its `expires` never ends it or shortens
    ///   its life, because Node.js leaves that date stale. Without a max age it lives until its `expires`, or as a
    ///   browser session if that has passed.
    /// - Any other session lives for `ceil(cookie.expires - now)`, which is how connect-redis 4 to 10 compute it.
    ///
    /// An `expires` that is not a date is ignored. A [store expiry](Self::with_store_expiry_ms) takes the place of all
    /// this.
    /// No session lives beyond its [end](Self::ends_at_ms); a browser session that has one is kept until then.
    ///
    /// ```
    /// use cloakroom_core::{Revision, SessionData, TimeToLive};
    ///
    /// let text = r#"{"cookie":{"originalMaxAge":60000,"expires":"2020-01-01T00:00:00.000Z","path":"/"}}"#;
    /// let now_ms = 1_700_000_000_000;
    /// let made_here = SessionData::from_json(text)?;
    /// assert_eq!(made_here.time_to_live(now_ms), TimeToLive::Expired);
    /// let read = made_here.with_revision(Revision::of_text());
    /// assert_eq!(read.time_to_live(now_ms), TimeToLive::Seconds(60));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn time_to_live(&self, now_ms: i64) -> TimeToLive {
        let life = match self.edits.store_expiry_ms.map(|at_ms| left(at_ms, now_ms)) {
            None => self.life_by_cookie(now_ms),
            Some(0) => TimeToLive::Expired,
            Some(seconds) => TimeToLive::Seconds(seconds),
        };
        let Some(ends_at_ms) = self.ends_at_ms() else { return life };
        match (life, left(ends_at_ms, now_ms)) {
            (TimeToLive::Expired, _) | (_, 0) => TimeToLive::Expired,
            (TimeToLive::Browser, most) => TimeToLive::Seconds(most),
            (TimeToLive::Seconds(seconds), most) => TimeToLive::Seconds(seconds.min(most)),
        }
    }

    fn life_by_cookie(&self, now_ms: i64) -> TimeToLive {
        if !self.is_as_read() {
            return match self.cookie().expires_ms().map(|expires_ms| left(expires_ms, now_ms)) {
                None => TimeToLive::Browser,
                Some(0) => TimeToLive::Expired,
                Some(seconds) => TimeToLive::Seconds(seconds),
            };
        }
        let cookie = self.loaded.cookie();
        let by_expires = cookie.expires_ms().map_or(0, |expires_ms| left(expires_ms, now_ms));
        match (extended_to(cookie, now_ms), by_expires) {
            // A later `expires` than the max age gives was set on purpose.
            (Some(expires_ms), seconds) => {
                TimeToLive::Seconds(left(expires_ms, now_ms).max(seconds))
            }
            // The store still had the session, so a date that has passed is stale.
            (None, 0) => TimeToLive::Browser,
            (None, seconds) => TimeToLive::Seconds(seconds),
        }
    }

    /// Returns the session as express-session 1.19.0 would pass it to a store. If the session was read from a store,
    /// and its expiry has not been changed since, its `expires` becomes its max age from now. A session without a max
    /// age, and any other session, is returned unchanged.
    /// An `expires` that is later than the session's [end](Self::ends_at_ms) becomes the end.
    ///
    /// Call it before you pass a session to code that reads `expires`. The [`time_to_live`](Self::time_to_live) stays
    /// the same.
    #[must_use]
    pub fn extended(&self, now_ms: i64) -> Cow<'_, Self> {
        if self.edits.store_expiry_ms.is_some() {
            return Cow::Borrowed(self);
        }
        let (is_as_read, ends_at_ms) = (self.is_as_read(), self.ends_at_ms());
        let loaded_ms = || self.loaded.cookie().expires_ms();
        let is_moved = is_as_read
            && extended_to(self.loaded.cookie(), now_ms).is_some_and(|at| loaded_ms() < Some(at));
        let is_cut = ends_at_ms.is_some() && self.cookie().expires_ms() > ends_at_ms;
        if !is_moved && !is_cut {
            return Cow::Borrowed(self);
        }
        let mut extended = self.clone();
        let mut cookie = self.cookie().clone();
        if is_moved {
            cookie.touch(now_ms);
        }
        cookie.cut(ends_at_ms);
        extended.edits.cookie = Some(Box::new(cookie));
        extended.edits.is_extended = is_as_read;
        Cow::Owned(extended)
    }

    /// Sets when the store ends the session, in milliseconds since 1970, whatever its cookie says: for a copy, which
    /// keeps the time that the original has left. The record stays byte for byte the same.
    ///
    /// It holds until the session is stored, or its cookie is changed. [`time_to_live`](Self::time_to_live) and
    /// [`extended`](Self::extended) go by it, so every store does. An npm store goes by the cookie alone, and so does a
    /// [`CallbackStore`] that asks for neither.
    ///
    /// [`CallbackStore`]: https://docs.rs/cloakroom-compat/latest/cloakroom_compat/trait.CallbackStore.html
    ///
    /// ```
    /// use cloakroom_core::{SessionData, TimeToLive};
    ///
    /// let now_ms = 1_700_000_000_000;
    /// let session = SessionData::new().with_store_expiry_ms(now_ms + 1_500);
    /// assert_eq!(session.time_to_live(now_ms), TimeToLive::Seconds(2));
    /// assert_eq!(session.to_json(), SessionData::new().to_json());
    /// ```
    #[must_use]
    pub fn with_store_expiry_ms(mut self, expires_at_ms: i64) -> Self {
        self.edits.store_expiry_ms = Some(expires_at_ms);
        self
    }

    /// Returns the [store expiry](Self::with_store_expiry_ms), or `None` if the session has none.
    #[must_use]
    pub fn store_expiry_ms(&self) -> Option<i64> {
        self.edits.store_expiry_ms
    }

    /// Makes the session live for `max_age` from now and from each touch on, but not beyond its
    /// [end](Self::ends_at_ms): Express's `req.session.cookie.maxAge = ms`. `None` makes it a browser session.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](crate::ErrorKind::InvalidData) when that is beyond the last JavaScript date, in the year 275760.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_core::SessionData;
    ///
    /// let mut session = SessionData::new();
    /// session.set_max_age(Duration::from_secs(60), 1_700_000_000_000)?;
    /// assert_eq!(
    ///     session.to_json(),
    ///     r#"{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","httpOnly":true,"path":"/"}}"#,
    /// );
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn set_max_age(
        &mut self,
        max_age: impl Into<Option<Duration>>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let ends_at_ms = self.ends_at_ms();
        self.cookie_mut().set_max_age(max_age, now_ms)?;
        self.cookie_mut().cut(ends_at_ms);
        Ok(())
    }

    /// Returns true if the session was read from a store and its expiry has not been changed since.
    fn is_as_read(&self) -> bool {
        let is_same = || self.cookie().has_same_expiry(self.loaded.cookie());
        self.revision.is_some() && (self.edits.is_extended || is_same())
    }

    /// Returns the cookie if it was changed since it was loaded. An extension by [`extended`](Self::extended) does not
    /// count and is taken back, because it would overwrite another request's new expiry in a merge.
    pub(super) fn changed_cookie(&self) -> Option<Box<Cookie>> {
        let mut cookie = self.edits.cookie.clone()?;
        if self.edits.is_extended {
            cookie.set_raw(
                CookieMember::Expires,
                self.loaded.cookie().raw(CookieMember::Expires).clone(),
            );
        }
        Some(cookie).filter(|cookie| **cookie != *self.loaded.cookie())
    }
}

/// Returns now plus the cookie's max age, in milliseconds since 1970. Returns `None` if the cookie has no max age, if
/// it is not positive, or if the sum is beyond the last JavaScript date.
fn extended_to(cookie: &Cookie, now_ms: i64) -> Option<i64> {
    let age_ms = cookie.original_max_age_ms().filter(|age_ms| *age_ms > 0)?;
    now_ms.checked_add(age_ms).filter(|at_ms| *at_ms <= LAST_DATE_MS)
}

/// Returns the whole seconds from `now_ms` to `then_ms`, rounded up, or 0 if `then_ms` has passed.
fn left(then_ms: i64, now_ms: i64) -> u64 {
    u64::try_from(then_ms.saturating_sub(now_ms)).map_or(0, |ms| ms.div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Revision;

    const NOW: i64 = 1_700_000_000_000;
    const STALE: &str = "\"2023-11-14T22:13:15.000Z\"";
    const SOON: &str = "\"2023-11-14T22:13:22.000Z\"";

    fn read(max_age: &str, expires: &str) -> SessionData {
        let text = format!(
            r#"{{"cookie":{{"originalMaxAge":{max_age},"expires":{expires},"path":"/"}},"a":1}}"#
        );
        SessionData::from_json(text).unwrap().with_revision(Revision::of_text())
    }

    #[test]
    fn a_session_that_was_read_lives_on_by_its_max_age() {
        for (max_age, expires, life) in [
            ("60000", STALE, TimeToLive::Seconds(60)),
            ("60000", SOON, TimeToLive::Seconds(60)),
            ("1500", STALE, TimeToLive::Seconds(2)),
            ("60000", "null", TimeToLive::Seconds(60)),
            ("60000", "\"garbage\"", TimeToLive::Seconds(60)),
            // Nothing shortens it.
            ("1000", SOON, TimeToLive::Seconds(2)),
            ("null", "null", TimeToLive::Browser),
            ("null", STALE, TimeToLive::Browser),
            ("null", SOON, TimeToLive::Seconds(2)),
            ("0", STALE, TimeToLive::Browser),
            ("-5", SOON, TimeToLive::Seconds(2)),
            ("8640000000000000", STALE, TimeToLive::Browser),
            ("\"x\"", STALE, TimeToLive::Browser),
        ] {
            let session = read(max_age, expires);
            assert_eq!(session.time_to_live(NOW), life, "{max_age} {expires}");
            let extended = session.extended(NOW);
            assert_eq!(extended.time_to_live(NOW), life, "extended: {max_age} {expires}");
        }
    }

    #[test]
    fn a_cookie_that_was_changed_says_when_the_session_ends() {
        for (expires_ms, life) in [
            (NOW + 5_000, TimeToLive::Seconds(5)),
            (NOW, TimeToLive::Expired),
            (NOW - 1, TimeToLive::Expired),
        ] {
            let mut session = read("60000", SOON).extended(NOW).into_owned();
            session.cookie_mut().set_expires_ms(Some(expires_ms), NOW).unwrap();
            assert_eq!(session.time_to_live(NOW), life);
            assert_eq!(session.extended(NOW).to_json(), session.to_json());
        }
        let mut session = read("60000", STALE);
        session.cookie_mut();
        assert_eq!(session.time_to_live(NOW), TimeToLive::Seconds(60), "looked at, not changed");
    }

    #[test]
    fn extended_moves_expires_and_nothing_else() {
        let mut session = read("60000", STALE);
        session.insert("b", 2).unwrap();
        assert_eq!(
            session.extended(NOW).to_json(),
            r#"{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","path":"/"},"a":1,"b":2}"#
        );
        // A clock that went back moves it again.
        let again = session.extended(NOW).extended(NOW - 1_000).into_owned();
        assert!(again.to_json().contains("22:14:19.000Z"), "{}", again.to_json());

        for kept in [read("null", STALE), read("null", SOON), read("1000", SOON)] {
            assert_eq!(kept.extended(NOW).to_json(), kept.to_json());
        }
        let made_here =
            SessionData::from_json(read("60000", STALE).to_json().into_owned()).unwrap();
        assert_eq!(made_here.extended(NOW).to_json(), made_here.to_json());
    }

    #[test]
    fn a_store_expiry_takes_the_place_of_the_cookies() {
        for text in [read("60000", STALE), read("null", "null"), SessionData::new()] {
            let session = text.clone().with_store_expiry_ms(NOW + 1_500);
            assert_eq!(session.time_to_live(NOW), TimeToLive::Seconds(2));
            assert_eq!(session.time_to_live(NOW + 1_500), TimeToLive::Expired);
            assert_eq!(session.extended(NOW).to_json(), text.to_json());
            // The end is a promise to the user, which no copy breaks.
            let mut ending = text.clone();
            ending.insert_json(SessionData::ENDS_AT, (NOW + 500).to_string()).unwrap();
            let ending = ending.with_store_expiry_ms(NOW + 1_500);
            assert_eq!(ending.time_to_live(NOW), TimeToLive::Seconds(1));
            let mut stored = session.clone();
            stored.mark_stored(Revision::of_text());
            let mut changed = session;
            changed.cookie_mut();
            assert_eq!((stored.store_expiry_ms(), changed.store_expiry_ms()), (None, None));
        }
    }

    #[test]
    fn next_sessions_shape_is_kept_and_extended() {
        let text = r#"{"cookie":{"path":"/","maxAge":60,"expires":"2020-01-01T00:00:00.000Z"}}"#;
        let session = SessionData::from_json(text).unwrap().with_revision(Revision::of_text());
        assert_eq!(session.time_to_live(NOW), TimeToLive::Seconds(60));
        assert_eq!(
            session.extended(NOW).to_json(),
            r#"{"cookie":{"expires":"2023-11-14T22:14:20.000Z","path":"/","maxAge":60}}"#
        );
    }

    #[test]
    fn an_extension_is_not_a_change_to_merge() {
        let mut first = read("60000", SOON);
        first.cookie_mut().set_path(Some("/shop"));
        let mut second = read("60000", SOON);
        first.merge(&second.extended(NOW));
        assert_eq!(first.cookie().path(), Some("/shop"));
        second.cookie_mut().set_domain(Some("shop.example"));
        first.merge(&second.extended(NOW));
        assert_eq!(first.cookie().domain(), Some("shop.example"));
        assert!(first.to_json().contains("22:13:22"), "{}", first.to_json());
    }

    #[test]
    fn another_attribute_that_is_changed_ends_no_session() {
        let mut session = read("60000", STALE);
        session.cookie_mut().set_path(Some("/shop"));
        assert_eq!(session.time_to_live(NOW), TimeToLive::Seconds(60));
        let extended = session.extended(NOW);
        assert!(extended.to_json().contains(r#""expires":"2023-11-14T22:14:20.000Z""#));
        assert_eq!(extended.cookie().path(), Some("/shop"));
    }
}
