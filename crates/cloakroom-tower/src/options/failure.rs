//! The group `failure` of the options.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom_backend::DEFAULT_LIMIT;
use cloakroom_core::Error;

use crate::{OnEvent, SessionError, SessionEvent};

/// Returns true while the store is connected.
pub type IsConnected = Arc<dyn Fn() -> bool + Send + Sync>;

/// Receives errors, such as to log them.
pub type OnError = Arc<dyn Fn(&Error) + Send + Sync>;

/// Returns the response for an error.
pub type ErrorResponse = Arc<dyn Fn(&Error) -> http::Response<Bytes> + Send + Sync>;

/// What happens if the store or the request fails, and who is informed.
#[derive(Clone)]
#[non_exhaustive]
pub struct FailureOptions {
    /// Whether the changes of a failed request are stored. A request has failed if its answer has a status of 500 or
    /// more, or 408. Express stores its changes; the safe preset stores only what the handler saved itself.
    pub store_failed: bool,
    /// The answer to a request when the store is unavailable. The express preset always answers 500.
    pub when_unavailable: WhenUnavailable,
    /// How long loading may take, how long each call of a handler on its session may take, and how long writing back
    /// may take. `None`, the default, is 5 s each, or the store's own deadline if that is longer. Of this deadline and
    /// that of the store, the earlier one holds, and the store's error says whether anything was sent.
    ///
    /// The safe preset may take an eighth of it more to end a session that is left over. The express preset has a
    /// deadline for each call to the store, of which loading makes up to three.
    pub deadline: Option<Duration>,
    /// Returns true while the store is connected: Connect's `connect` and `disconnect` events. While it returns
    /// `false`, requests pass without a session, as in Express. By default,
    /// [`when_unavailable`](Self::when_unavailable) decides about requests to a store that does not answer. It runs in
    /// `Service::call`, so it must not block.
    pub is_connected: Option<IsConnected>,
    /// Called with every error that the layer meets, including those that become responses: log them here. It is also
    /// called with the errors that a handler answers with, as a [`SessionError`] or an [`Error`]: these leave an
    /// `Arc<Error>` in the response's extensions.
    ///
    /// A store that can be read but not written, so that sessions are not extended, is reported once until it is over. It
    /// can run in `Service::call`, so it must not block.
    pub on_error: Option<OnError>,
    /// Called for things that fail no request, such as a cookie that no secret verifies: at once, and then at most once
    /// an hour for each reason, with the number of requests since the last call. It can run in `Service::call`, so it
    /// must not block.
    pub on_event: Option<OnEvent>,
    /// Returns the response when the session cannot be loaded or stored. Defaults to that of [`SessionError`].
    pub error_response: ErrorResponse,
}

/// The answer to a request when the store cannot be reached or does not answer.
///
/// A store that can be read but refuses to extend a session counts as available: requests get their sessions.
///
/// If the store fails to write a change, the answer is always an error response: a lost login is not answered with 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenUnavailable {
    /// An error response, 503; the handler does not run.
    Error,
    /// An empty session that cannot be changed: every change is an error. The browser keeps its cookie.
    Anonymous,
    /// The session if it can at least be read, else an empty one. In both, every change is an error, so the handler
    /// learns of it before the end of the request. The layer notices that a store only reads when it extends a session;
    /// where reading does not extend, the end of a request with changes fails.
    ReadOnly,
}

impl FailureOptions {
    pub(super) fn new() -> Self {
        Self {
            store_failed: false,
            when_unavailable: WhenUnavailable::Error,
            deadline: None,
            is_connected: None,
            on_error: None,
            on_event: None,
            error_response: Arc::new(SessionError::response),
        }
    }

    pub(super) fn express() -> Self {
        Self {
            store_failed: true,
            error_response: Arc::new(SessionError::express_response),
            ..Self::new()
        }
    }

    /// Sets [`store_failed`](Self::store_failed).
    #[must_use]
    pub fn with_store_failed(mut self, store_failed: bool) -> Self {
        self.store_failed = store_failed;
        self
    }

    /// Sets [`when_unavailable`](Self::when_unavailable).
    #[must_use]
    pub fn with_when_unavailable(mut self, when_unavailable: WhenUnavailable) -> Self {
        self.when_unavailable = when_unavailable;
        self
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.deadline = deadline.into();
        self
    }

    /// Sets [`is_connected`](Self::is_connected).
    #[must_use]
    pub fn with_is_connected(
        mut self,
        is_connected: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        self.is_connected = Some(Arc::new(is_connected));
        self
    }

    /// Sets [`on_error`](Self::on_error).
    #[must_use]
    pub fn with_on_error(mut self, on_error: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(on_error));
        self
    }

    /// Sets [`on_event`](Self::on_event).
    #[must_use]
    pub fn with_on_event(
        mut self,
        on_event: impl Fn(&SessionEvent) + Send + Sync + 'static,
    ) -> Self {
        self.on_event = Some(Arc::new(on_event));
        self
    }

    /// Sets [`error_response`](Self::error_response).
    #[must_use]
    pub fn with_error_response(
        mut self,
        error_response: impl Fn(&Error) -> http::Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.error_response = Arc::new(error_response);
        self
    }
}

impl FailureOptions {
    /// Returns the time from which what may wait is reckoned: the deadline, or its default.
    pub(crate) fn patience(&self) -> Duration {
        self.deadline.unwrap_or(DEFAULT_LIMIT)
    }
}

impl fmt::Debug for FailureOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureOptions")
            .field("store_failed", &self.store_failed)
            .field("when_unavailable", &self.when_unavailable)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
