//! How the command ends.

use std::{fmt, io};

use cloakroom::{Error, ErrorKind};

/// The end of a command that did what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Exit code 0.
    Well,
    /// Something is missing or differs: exit code 1.
    Differs,
}

impl End {
    pub(crate) const fn well_if(is_well: bool) -> Self {
        if is_well { Self::Well } else { Self::Differs }
    }
}

/// Why a command could not do what it was asked: exit code 2.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A wrong argument, or what was found in its place.
    Usage(String),
    Store(Error),
    /// The reader of the output has gone, such as `head`. Nobody is left to be told.
    BrokenPipe,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            kind => Self::Usage(format!("cannot write the output: {kind}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::BrokenPipe => f.write_str("nobody reads the output"),
            Self::Store(error) => {
                write!(f, "{error}")?;
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                if error.outcome_unknown() {
                    f.write_str(" (some of it may have been done)")?;
                }
                Ok(())
            }
        }
    }
}

/// Returns true if an error is of one session, so that the next one can still be tried.
pub(crate) fn is_of_one_session(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Corrupt | ErrorKind::TooLarge | ErrorKind::InvalidId | ErrorKind::InvalidData
    )
}
