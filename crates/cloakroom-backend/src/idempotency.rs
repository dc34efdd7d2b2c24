//! What a store can do if the answer to an operation is lost.

use cloakroom_core::Error;

/// What an operation does when it is sent, which determines what a store can do if its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Idempotency {
    /// It only reads.
    Read,
    /// It writes, and sending it twice is the same as sending it once.
    Repeatable,
    /// It writes, and must not be sent again if the first attempt may have succeeded, because another writer may have
    /// written since.
    Once,
}

impl Idempotency {
    /// Marks `error` as that of an operation whose answer is missing: the outcome of a write is then unknown.
    ///
    /// ```
    /// use cloakroom_backend::Idempotency;
    /// use cloakroom_core::{Error, ErrorKind};
    ///
    /// let lost = || Error::new(ErrorKind::Unavailable, "redis", "set", "the connection was lost");
    /// assert!(Idempotency::Once.unanswered(lost()).outcome_unknown());
    /// assert!(!Idempotency::Read.unanswered(lost()).outcome_unknown());
    /// ```
    #[must_use]
    pub fn unanswered(self, error: Error) -> Error {
        if self == Self::Read { error } else { error.with_outcome_unknown() }
    }

    /// Marks `error` as that of an operation that was answered. The outcome of a read is never unknown.
    pub(crate) fn answered(self, error: Error) -> Error {
        if self == Self::Read { error.with_outcome_known() } else { error }
    }
}
