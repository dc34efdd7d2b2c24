//! Checks that every store makes before it sends anything.
//!
//! They are here and not in the stores, so that the same mistake is the same error everywhere.

use std::time::Duration;

use cloakroom_core::{Error, ErrorKind};

use crate::Operation;

impl Operation {
    /// Rejects an empty id. With a key prefix it would name a record of its own, which everybody with an empty cookie
    /// shares.
    ///
    /// # Errors
    ///
    /// [`InvalidId`](ErrorKind::InvalidId) if the id is empty.
    pub fn check_id(&self, sid: &str) -> Result<(), Error> {
        if sid.is_empty() {
            return Err(self.error(ErrorKind::InvalidId, "invalid id: must not be empty"));
        }
        Ok(())
    }

    /// Rejects a time to live of zero. `None`, the store's default, is accepted. Backends disagree about zero:
    /// Memcached keeps such a record for ever, and Redis deletes it.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the time to live is zero.
    pub fn check_ttl(&self, ttl: Option<Duration>) -> Result<(), Error> {
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(self.error(ErrorKind::InvalidData, "invalid ttl: must be above zero"));
        }
        Ok(())
    }

    /// Unwraps what a session was read from. Pass `None` for a session without a
    /// [`Revision`](cloakroom_core::Revision), or with that of another store.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) for `None`.
    pub fn check_origin<T>(&self, origin: Option<T>) -> Result<T, Error> {
        origin.ok_or_else(|| {
            self.error(
                ErrorKind::InvalidData,
                "cannot update a session that was not read from this store",
            )
        })
    }
}

/// Returns the error for an invalid option of a store, which is refused when the store is opened. `why` says what is
/// accepted.
///
/// ```
/// let error = cloakroom_backend::invalid_option("redis", "ttl", "must be above zero");
/// assert_eq!(error.to_string(), "redis: open: invalid option \"ttl\": must be above zero");
/// ```
#[must_use]
pub fn invalid_option(store: &'static str, option: &str, why: &str) -> Error {
    let message = format!("invalid option {option:?}: {why}");
    Error::new(ErrorKind::Config, store, "open", message)
}

/// Returns a time to live in seconds, rounded up: rounded down, a session of less than a second would have none.
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
