//! An error as a response.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use cloakroom_core::Error;
use http::{Response, StatusCode, header::CONTENT_TYPE};

/// An [`Error`] as the response of a handler: 503 if the store is unavailable or slow, so that trying again can help,
/// and 500 otherwise. The body contains no details.
///
/// With the feature `axum` it is an `IntoResponse`, so that a handler can use `?` on sessions.
///
/// ```
/// use cloakroom_core::{Error, ErrorKind};
/// use cloakroom_tower::SessionError;
///
/// let error = SessionError::from(Error::new(ErrorKind::Timeout, "redis", "get", "no answer within 5 s"));
/// assert_eq!(error.status(), 503);
/// ```
#[derive(Clone, Debug)]
pub struct SessionError(Arc<Error>);

impl SessionError {
    /// Returns the response's status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        status(&self.0)
    }

    /// Returns the error.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0
    }

    /// Returns the response, for use without axum. Its extensions contain the error as an `Arc<Error>`, which the layer
    /// passes to [`on_error`](crate::FailureOptions::on_error).
    ///
    /// Its name is not `into_response`, which is the method of axum's `IntoResponse`.
    #[must_use]
    pub fn into_http(self) -> Response<Bytes> {
        let mut response = Self::response(&self.0);
        response.extensions_mut().insert(self.0);
        response
    }

    pub(crate) fn response(error: &Error) -> Response<Bytes> {
        match status(error) {
            StatusCode::SERVICE_UNAVAILABLE => text_response(
                StatusCode::SERVICE_UNAVAILABLE,
                PLAIN,
                "The session store is unavailable.\n",
            ),
            _ => Self::express_response(error),
        }
    }

    /// Returns a 500, which Express answers for every error of a middleware.
    pub(crate) fn express_response(_: &Error) -> Response<Bytes> {
        text_response(
            StatusCode::INTERNAL_SERVER_ERROR,
            PLAIN,
            "The session could not be handled.\n",
        )
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn status(error: &Error) -> StatusCode {
    if error.is_retryable() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

/// A small response of ours.
pub(crate) fn text_response(
    status: StatusCode,
    content_type: &'static str,
    text: &'static str,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let content_type = http::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

impl From<Error> for SessionError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
