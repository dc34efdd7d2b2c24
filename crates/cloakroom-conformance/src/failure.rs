//! Why a case did not pass.

use std::fmt;

use cloakroom_core::Error;

/// What a case ends with.
pub(crate) type Verdict = Result<(), Failure>;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The promise does not hold.
    Broken(String),
    /// The store or the subject lacks this part, by the name that `not_offered` takes.
    NotOffered(&'static str),
    /// A short session ended before the case came to its point. That says nothing about the store; it is run again.
    TooSlow,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broken(format!("{} error: {error}", error.kind().as_str()))
    }
}

pub(crate) fn broken(reason: impl fmt::Display) -> Failure {
    Failure::Broken(reason.to_string())
}

/// `Ok` when the promise holds, and the reason otherwise.
pub(crate) fn check(holds: bool, otherwise: impl fmt::Display) -> Verdict {
    if holds { Ok(()) } else { Err(broken(otherwise)) }
}
