//! Why a program did not start, or did not answer.

use std::{fmt, io, path::Path};

/// Why a program did not start, or did not answer: the command, what happened, and the end of its log.
///
/// `Debug` prints the same text as `Display`, so that `unwrap` in a test shows the log as it is.
pub struct Error {
    message: String,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// A program that is not on this machine.
    pub(crate) fn missing(what: &str) -> Self {
        Self::new(format!("{what} is missing here: `cargo xtask test` installs it"))
    }

    pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(format!("cannot {doing} {}: {error}", path.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
