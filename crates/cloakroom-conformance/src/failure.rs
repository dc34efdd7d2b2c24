//! The reason why a case did not pass.

use std::{borrow::Cow, fmt};

use cloakroom_core::Error;

use crate::AccessError;

/// The result of a case.
pub(crate) type Verdict = Result<(), Failure>;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The store breaks the promise.
    Broken(String),
    /// The store or the subject lacks this part. The name is one that `not_offered` accepts.
    NotOffered(&'static str),
    /// A time limit that suits most machines was too short, or a backend's clock was late, for this reason. This says
    /// nothing about the store, so the case runs again with twice the time.
    TooSlow(Cow<'static, str>),
}

/// An error that a case does not expect breaks the promise. Its kind comes first, since a wrong kind is the usual
/// reason.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broken(format!("{} error: {error}", error.kind().as_str()))
    }
}

/// The subject's own access failed. That is not the store's fault, but a case that could not look must not pass.
impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        Self::Broken(format!("the access to the backend failed: {error}"))
    }
}

pub(crate) fn broken(reason: impl fmt::Display) -> Failure {
    Failure::Broken(reason.to_string())
}

/// Returns `Ok` if the promise holds, and the reason otherwise.
pub(crate) fn check(holds: bool, otherwise: impl fmt::Display) -> Verdict {
    if holds { Ok(()) } else { Err(broken(otherwise)) }
}
