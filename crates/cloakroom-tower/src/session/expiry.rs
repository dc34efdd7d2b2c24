//! How long a session lives. The engine's clock counts, so that tests can move it.

use std::time::Duration;

use cloakroom_core::{Error, SessionData};

use super::Session;
use crate::cookie_options::CookieShape;

impl Session {
    /// Makes the session live for `max_age` from now, and from each extension, in the store and in the browser:
    /// Express's `req.session.cookie.maxAge = ms`. `None` makes it a browser session: the browser forgets it when it is
    /// closed.
    ///
    /// The record's `originalMaxAge` and `expires` change as in express-session 1.19.0, so Express continues with the
    /// new life; with the preset of next-session, `maxAge` and `expires` do. The time is that of the engine's
    /// [`clock`](crate::ExpiryOptions::clock).
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert), and [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if the session would
    /// live beyond the last JavaScript date, in the year 275760.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn example(session: cloakroom_tower::Session, is_remembered: bool) -> Result<(), cloakroom_core::Error> {
    /// if is_remembered {
    ///     session.set_max_age(Duration::from_secs(30 * 86_400))?;
    /// } else {
    ///     session.set_max_age(None)?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn set_max_age(&self, max_age: impl Into<Option<Duration>>) -> Result<(), Error> {
        let setup = &self.shared().setup;
        let (max_age, now_ms) = (max_age.into(), setup.now_ms());
        let shape = setup.options().preset.cookie_shape();
        let mut state = self.shared().open_for_change("set_max_age")?;
        let record = state.record_mut("set_max_age")?;
        if shape == CookieShape::NextSession && max_age.is_some() {
            let mut cookie = record.cookie().clone();
            shape.take_shape(&mut cookie);
            // Tried first: if the time is too long, the record stays as it is.
            cookie.set_max_age(max_age, now_ms)?;
            *record.cookie_mut() = cookie;
        }
        record.set_max_age(max_age, now_ms)
    }

    /// Makes the session end at this time from now, no matter how often it is used: "eight hours after the login".
    /// `None` removes the end.
    ///
    /// No extension moves the end, and [`regenerate_keeping_data`](Self::regenerate_keeping_data) and
    /// [`clear`](Self::clear) keep it.
    ///
    /// The end is a member of the session, [`SessionData::ENDS_AT`]. Express keeps this member but does not read it, so
    /// Express can extend a session beyond its end. Both presets destroy such a session when a request brings its
    /// cookie.
    ///
    /// # Errors
    ///
    /// As [`set_max_age`](Self::set_max_age).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # async fn example(session: cloakroom_tower::Session) -> Result<(), cloakroom_core::Error> {
    /// session.regenerate().await?;
    /// session.insert("user", "ann")?;
    /// session.set_end_after(Duration::from_secs(8 * 3_600))?;
    /// # Ok(()) }
    /// ```
    pub fn set_end_after(&self, time: impl Into<Option<Duration>>) -> Result<(), Error> {
        let now_ms = self.shared().setup.now_ms();
        // A sum that is too large is beyond JavaScript's dates, too.
        let ends_at_ms = time
            .into()
            .map(|time| now_ms.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
        let computed = {
            let mut state = self.shared().open_for_change("set_end_after")?;
            state.record_mut("set_end_after")?.set_ends_at_ms(ends_at_ms)?;
            state.memory.take_computed(Some(SessionData::ENDS_AT))
        };
        drop(computed);
        Ok(())
    }

    /// Returns the end that [`set_end_after`](Self::set_end_after) has set, in milliseconds since 1970, or `None` if
    /// the session has none.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn ends_at_ms(&self) -> Result<Option<i64>, Error> {
        Ok(self.copy("ends_at_ms")?.ends_at_ms())
    }
}
