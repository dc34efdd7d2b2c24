//! The one error of all stores.

use std::{borrow::Cow, error::Error as StdError, fmt};

/// What a caller can act on.
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
    /// An option, a URL or a secret is wrong. Nothing was sent; mend the configuration.
    Config,
    /// This store cannot hold a session under this id. Nothing was sent.
    InvalidId,
    /// The session, or a value put into it, cannot be stored as Express would read it back. Nothing was sent.
    InvalidData,
    /// What the backend holds under this id is not a session: not JSON, not an object, not decryptable.
    Corrupt,
    /// The record is larger than the backend takes.
    TooLarge,
    /// The backend has no room left (Redis: `OOM`; Memcached: `out of memory`). Nothing was stored. Memcached may have
    /// dropped the record that was to be replaced.
    Full,
    /// The backend does not offer this operation.
    Unsupported,
    /// The backend cannot be reached, or went away before it answered.
    Unavailable,
    /// The backend did not answer within the deadline.
    Timeout,
    /// Anything else: the backend's own refusal, a failure in foreign code.
    Other,
}

impl ErrorKind {
    /// The kind in lower case words, as messages and reports print it.
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

/// Why an operation failed. Absence is never an error.
///
/// It prints as `store: operation: message`; the cause is behind [`source`](StdError::source).
/// No part of it holds a secret, a whole session id or session data.
pub struct Error {
    // One pointer, so that `Result<Option<Session>, Error>` stays as small as a session.
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
    /// An error of `store` during `operation`.
    ///
    /// The message is lower case, without a full stop, and quotes what is wrong with `{:?}`, but never a secret,
    /// a session id or session data.
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

    /// The same error with its cause. The cause must not print session data either.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// The same error with [`outcome_unknown`](Self::outcome_unknown): the write may have been carried out, now or later.
    #[must_use]
    pub fn with_outcome_unknown(mut self) -> Self {
        self.inner.outcome_unknown = true;
        self
    }

    /// The same error without [`outcome_unknown`](Self::outcome_unknown), for adapters that know that nothing was written.
    #[must_use]
    pub fn with_outcome_known(mut self) -> Self {
        self.inner.outcome_unknown = false;
        self
    }

    /// The same error under another store's name and operation, for adapters that wrap a store.
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

    /// What a caller can act on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The name of the store, such as `redis`.
    #[must_use]
    pub fn store(&self) -> &str {
        &self.inner.store
    }

    /// The operation that failed, such as `get`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// Returns `true` if the write may have been carried out although the call failed: its answer did not arrive in time,
    /// or the connection was lost before the answer came.
    ///
    /// Such a write can still happen later: a server that was frozen, or a network that was cut, carries out what it has
    /// already received. It can even happen after a [`destroy`](crate::Store::destroy) that succeeded on another
    /// connection, and the session is back then. Whoever must be sure that a session has ended destroys it again later.
    ///
    /// It is `false` if nothing was sent, if the backend refused the call, and for reads.
    /// [`get_and_touch`](crate::Atomic::get_and_touch) is not a read: it may have extended the session, which is
    /// harmless to repeat.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        self.inner.outcome_unknown
    }

    /// Returns `true` if the same call can succeed later without any change: the backend was away, slow or full.
    ///
    /// A full backend has room again when sessions expire; a retry within the same second rarely helps.
    ///
    /// If [`outcome_unknown`](Self::outcome_unknown) is `true` as well, read the session before you repeat a conditional
    /// write.
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
