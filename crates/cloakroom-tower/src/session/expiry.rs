//! How long a session lives, by the engine's clock.

use std::time::Duration;

use cloakroom_core::{Error, SessionData};

use super::Session;

impl Session {
    /// Makes the session live for `max_age` from now and from each extension on, in the store and in the browser: Express's
    /// `req.session.cookie.maxAge = ms`. `None` makes it a browser session.
    ///
    /// The record's `originalMaxAge` and `expires` change as in express-session 1.19.0, so Express goes on with the new
    /// life. Time comes from the engine's [`clock`](crate::ExpiryOptions::clock).
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert); [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) when that is beyond the last
    /// JavaScript date, in the year 275760.
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
        let (max_age, now_ms) = (max_age.into(), self.shared().setup.now_ms());
        let mut state = self.shared().open_for_change("set_max_age")?;
        state.record_mut("set_max_age")?.set_max_age(max_age, now_ms)
    }

    /// Makes the session end after this time from now, however often it is used: "eight hours after the login". `None`
    /// takes the end away.
    ///
    /// No extension moves the end, and [`regenerate_keeping_data`](Self::regenerate_keeping_data) and
    /// [`clear`](Self::clear) keep it. It is a member of the session, [`SessionData::ENDS_AT`], which Express keeps and does not
    /// look at: where Express has extended a session beyond its end, the store still has it, and no request gets it here.
    /// It is destroyed instead, with both presets.
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

    /// Returns when the session ends, however often it is used, in milliseconds since 1970. Returns `None` unless
    /// [`set_end_after`](Self::set_end_after) has set an end.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn ends_at_ms(&self) -> Result<Option<i64>, Error> {
        Ok(self.copy("ends_at_ms")?.ends_at_ms())
    }
}
