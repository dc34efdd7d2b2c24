//! Why a case did not pass.

use std::fmt;

use cloakroom_core::Error;

use crate::AccessError;

/// What a case ends with.
pub(crate) type Verdict = Result<(), Failure>;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The promise does not hold.
    Broken(String),
    /// The store or the subject lacks this part, by the name that `not_offered` takes.
    NotOffered(&'static str),
    /// A time that is long enough on most machines was too short, and this is why. That says nothing about the store; the
    /// case is run again with twice the time.
    TooSlow(&'static str),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broken(format!("{} error: {error}", error.kind().as_str()))
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        Self::Broken(format!("the access to the backend failed: {error}"))
    }
}

pub(crate) fn broken(reason: impl fmt::Display) -> Failure {
    Failure::Broken(reason.to_string())
}

/// `Ok` when the promise holds, and the reason otherwise.
pub(crate) fn check(holds: bool, otherwise: impl fmt::Display) -> Verdict {
    if holds { Ok(()) } else { Err(broken(otherwise)) }
}
