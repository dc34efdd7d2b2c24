//! The one error of all stores.

use std::{borrow::Cow, error::Error as StdError, fmt};

/// The kind of an [`Error`], for callers that react to it.
///
/// ```
/// use cloakroom_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Timeout, "redis", "get", "no answer within 5 s");
/// assert_eq!(error.kind(), ErrorKind::Timeout);
/// assert!(error.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option, a URL or a secret is wrong. Nothing was sent; fix the configuration.
    Config,
    /// The store does not accept this id. Nothing was sent.
    InvalidId,
    /// The session, or a value in it, cannot be stored such that Express reads the same back. Nothing was sent.
    InvalidData,
    /// The record under this id is not a session: it is not JSON, not an object, or cannot be decrypted.
    Corrupt,
    /// The record is larger than the backend or the store's limit accepts. It was not written, or not read.
    TooLarge,
    /// The backend is out of space (Redis: `OOM`; Memcached: `out of memory`). Nothing was stored, and Memcached may have
    /// dropped the record that the write was to replace.
    Full,
    /// The backend does not support this operation.
    Unsupported,
    /// The backend cannot be reached, or the connection was lost before the answer came.
    Unavailable,
    /// The backend did not answer within the deadline.
    Timeout,
    /// Anything else: the backend rejected the operation, or code of the application failed.
    Other,
}

impl ErrorKind {
    /// Returns the kind in lower case words, as messages and reports print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::InvalidId => "invalid id",
            Self::InvalidData => "invalid data",
            Self::Corrupt => "corrupt",
            Self::TooLarge => "too large",
            Self::Full => "full",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Other => "other",
        }
    }
}

/// Prints [`as_str`](ErrorKind::as_str), padded if the format asks for it.
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error of every operation in these crates. A session that does not exist is never an error.
///
/// It prints as `store: operation: message`; [`source`](StdError::source) returns the cause, if there was one.
/// No part of it contains a secret, a session id or session data, so it is safe to log.
pub struct Error {
    // One pointer, so that `Result<Option<SessionData>, Error>` stays as small as a session.
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    store: Cow<'static, str>,
    operation: &'static str,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    outcome_unknown: bool,
}

impl Error {
    /// Creates an error of `store` during `operation`.
    ///
    /// Write the message in lower case without a full stop. Quote the offending part with `{:?}`, unless it may be a
    /// secret, a session id or session data.
    #[must_use]
    pub fn new(
        kind: ErrorKind,
        store: impl Into<Cow<'static, str>>,
        operation: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                store: store.into(),
                operation,
                message: message.into(),
                source: None,
                outcome_unknown: false,
            }),
        }
    }

    /// Adds the cause. It must not print secrets or session data either.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Sets [`outcome_unknown`](Self::outcome_unknown): the write may have happened, or may still happen.
    #[must_use]
    pub fn with_outcome_unknown(mut self) -> Self {
        self.inner.outcome_unknown = true;
        self
    }

    /// Clears [`outcome_unknown`](Self::outcome_unknown), for adapters that know that nothing was written.
    #[must_use]
    pub fn with_outcome_known(mut self) -> Self {
        self.inner.outcome_unknown = false;
        self
    }

    /// Replaces the store's name and the operation, for adapters that wrap a store.
    #[must_use]
    pub fn with_context(
        mut self,
        store: impl Into<Cow<'static, str>>,
        operation: &'static str,
    ) -> Self {
        self.inner.store = store.into();
        self.inner.operation = operation;
        self
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns the name of the store, such as `redis`.
    #[must_use]
    pub fn store(&self) -> &str {
        &self.inner.store
    }

    /// Returns the operation that failed, such as `get`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// Returns `true` if the write may have happened although the call failed: the answer did not arrive in time, or
    /// the connection was lost before it came. Also returns `true` if a part of it happened: a `clear` had removed some
    /// sessions when it failed. Returns `false` if nothing was sent, if the backend rejected the call, and for reads.
    ///
    /// Such a write can still happen later, because a frozen server or a delayed network eventually delivers what was
    /// sent. It can even happen after a [`destroy`](crate::Store::destroy) that succeeded on another connection, and
    /// then it brings the session back. To be sure that a session has ended, destroy it again later.
    ///
    /// [`get_and_touch`](crate::Atomic::get_and_touch) counts as a write, because it may have extended the session. It is
    /// harmless to repeat.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        self.inner.outcome_unknown
    }

    /// Returns `true` if the same call can succeed later without any change: the backend was unreachable, slow or full.
    ///
    /// A full backend has room again when sessions expire, so a retry within the same second rarely helps.
    ///
    /// If [`outcome_unknown`](Self::outcome_unknown) is `true` as well, read the session before you repeat a conditional
    /// write: the first attempt may have changed the revision.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.inner.kind, ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Full)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.inner.store, self.inner.operation, self.inner.message)
    }
}

// By hand, so that the box does not show.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("store", &self.inner.store)
            .field("operation", &self.inner.operation)
            .field("message", &self.inner.message)
            .field("outcome_unknown", &self.inner.outcome_unknown)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_store_operation_and_message_and_keeps_the_source() {
        let error = Error::new(ErrorKind::Unavailable, "redis", "set", "connection refused")
            .with_source(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
            .with_outcome_unknown();
        assert_eq!(error.to_string(), "redis: set: connection refused");
        assert_eq!(error.source().unwrap().to_string(), "connection refused");
        assert!(error.outcome_unknown() && error.is_retryable());
        assert_eq!((error.store(), error.operation()), ("redis", "set"));
        assert!(!error.with_outcome_known().outcome_unknown());
    }

    #[test]
    fn only_absent_slow_and_full_backends_are_worth_a_retry() {
        for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Full] {
            assert!(Error::new(kind, "s", "o", "m").is_retryable(), "{kind}");
        }
        for kind in [
            ErrorKind::Config,
            ErrorKind::InvalidId,
            ErrorKind::InvalidData,
            ErrorKind::Corrupt,
            ErrorKind::TooLarge,
            ErrorKind::Unsupported,
            ErrorKind::Other,
        ] {
            assert!(!Error::new(kind, "s", "o", "m").is_retryable(), "{kind}");
        }
    }

    #[test]
    fn a_kind_prints_in_words_and_pads() {
        assert_eq!(ErrorKind::InvalidId.to_string(), "invalid id");
        assert_eq!(format!("[{:>8}]", ErrorKind::Full), "[    full]");
    }

    #[test]
    fn an_error_is_one_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
