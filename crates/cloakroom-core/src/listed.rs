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
