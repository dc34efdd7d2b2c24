//! How an operation ended.

use cloakroom_core::{Created, ErrorKind, SessionData, Touched, Updated};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Ok,
    /// No live session has the id.
    Missing,
    /// A live session has the id already.
    Exists,
    /// Another writer has changed the session.
    Conflict,
    /// The store does not do this, and says so.
    NotOffered,
    /// The caller has dropped the operation.
    Dropped,
    Failed(ErrorKind),
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Exists => "exists",
            Self::Conflict => "conflict",
            Self::NotOffered => "not_offered",
            Self::Dropped => "dropped",
            Self::Failed(kind) => error_type(kind),
        }
    }

    /// Returns the kind of the error, or `None` after a success.
    #[cfg(feature = "tracing")]
    pub(super) const fn failure(self) -> Option<&'static str> {
        match self {
            Self::Failed(kind) => Some(error_type(kind)),
            _ => None,
        }
    }

    pub(super) const fn done<T>(_: &T) -> Self {
        Self::Ok
    }

    pub(super) const fn found(session: &Option<SessionData>) -> Self {
        if session.is_some() { Self::Ok } else { Self::Missing }
    }

    pub(super) const fn touched(touched: &Touched) -> Self {
        match touched {
            Touched::Extended => Self::Ok,
            Touched::Missing => Self::Missing,
            Touched::NotOffered => Self::NotOffered,
            _ => Self::Ok,
        }
    }

    pub(super) const fn created(created: &Created) -> Self {
        match created {
            Created::Stored(_) => Self::Ok,
            Created::Exists => Self::Exists,
        }
    }

    pub(super) const fn updated(updated: &Updated) -> Self {
        match updated {
            Updated::Stored(_) => Self::Ok,
            Updated::Gone => Self::Missing,
            Updated::Conflict(_) => Self::Conflict,
        }
    }
}

/// Returns the kind of an error as one word.
pub(super) const fn error_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidId => "invalid_id",
        ErrorKind::InvalidData => "invalid_data",
        ErrorKind::TooLarge => "too_large",
        kind => kind.as_str(),
    }
}
