//! What every store refuses before anything is sent.

use std::time::Duration;

use cloakroom_core::{Error, ErrorKind};

use crate::Operation;

impl Operation {
    /// Refuses an empty id.
    ///
    /// # Errors
    ///
    /// [`InvalidId`](ErrorKind::InvalidId).
    pub fn check_id(&self, sid: &str) -> Result<(), Error> {
        if sid.is_empty() {
            return Err(self.error(ErrorKind::InvalidId, "the id is empty"));
        }
        Ok(())
    }

    /// Refuses a time to live of zero. `None` is the store's default.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData).
    pub fn check_ttl(&self, ttl: Option<Duration>) -> Result<(), Error> {
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(self.error(ErrorKind::InvalidData, "the ttl is zero"));
        }
        Ok(())
    }

    /// Returns what a session was read from, as far as its [`Revision`](cloakroom_core::Revision) says: `None` is a
    /// session without a revision, or with one of another store.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) for `None`.
    pub fn check_origin<T>(&self, origin: Option<T>) -> Result<T, Error> {
        origin.ok_or_else(|| {
            self.error(ErrorKind::InvalidData, "the session was not read from this store")
        })
    }
}

/// Returns a time to live in seconds, up to the next whole one.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_backend::whole_seconds;
///
/// assert_eq!(whole_seconds(Duration::from_millis(1_001)), 2);
/// assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
/// ```
#[must_use]
pub fn whole_seconds(ttl: Duration) -> u64 {
    ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0))
}
