//! Makes an item of a listing. The contract in `store.rs` says what its fields are.

use std::{fmt, time::Duration};

use crate::{Listed, SessionData};

impl Listed {
    /// Returns an item of a listing. A store calls it in [`Enumerate::all`](crate::Enumerate::all).
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_core::{Listed, SessionData};
    ///
    /// let listed = Listed::new("an id", SessionData::new(), Some(Duration::from_secs(60)));
    /// assert_eq!(listed.id, "an id");
    /// ```
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        session: SessionData,
        time_left: impl Into<Option<Duration>>,
    ) -> Self {
        Self { id: id.into(), session, time_left: time_left.into() }
    }

    /// Returns the same item at a later time: it has `elapsed` less time left, and zero once the session has ended.
    ///
    /// A store that reads several sessions at once and yields them one by one calls it for each of them, because its
    /// caller decides when it goes on.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_core::{Listed, SessionData};
    ///
    /// let listed = Listed::new("an id", SessionData::new(), Some(Duration::from_secs(60)));
    /// let later = listed.after(Duration::from_secs(20));
    /// assert_eq!(later.time_left, Some(Duration::from_secs(40)));
    /// assert_eq!(later.after(Duration::from_secs(41)).time_left, Some(Duration::ZERO));
    ///
    /// let endless = Listed::new("an id", SessionData::new(), None);
    /// assert_eq!(endless.after(Duration::MAX).time_left, None);
    /// ```
    #[must_use]
    pub fn after(mut self, elapsed: Duration) -> Self {
        self.time_left = self.time_left.map(|left| left.saturating_sub(elapsed));
        self
    }
}

/// Prints no id.
impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listed")
            .field("session", &self.session)
            .field("time_left", &self.time_left)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_id() {
        let listed = Listed::new("the-secret-id", SessionData::new(), None);
        assert!(!format!("{listed:?}").contains("secret"), "{listed:?}");
    }
}
