//! What can be done when the answer to an operation is lost.

use cloakroom_core::Error;

/// What an operation does when it is sent, and so what can be done when its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Idempotency {
    /// It only reads.
    Read,
    /// It writes, and writing twice is the same as writing once.
    Repeatable,
    /// It writes, and must not be sent again if the first time can have worked: somebody else may have written since.
    Once,
}

impl Idempotency {
    /// Returns `error` as that of an operation whose answer is missing: a write may have been carried out.
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

    /// Returns `error` as that of an operation that was answered. The outcome of a read is never unknown.
    pub(crate) fn answered(self, error: Error) -> Error {
        if self == Self::Read { error.with_outcome_known() } else { error }
    }
}
