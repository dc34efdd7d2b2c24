//! An error as the answer of a handler.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use cloakroom_core::Error;

use crate::answer;

/// An [`Error`] as the answer of a handler, so that it can use `?` on sessions: 503 if the store is unavailable or
/// slow, so that trying again can help, and 500 otherwise. The body contains no details.
///
/// The extensions of the response contain the error as an `Arc<Error>`, which the middleware passes to
/// [`on_error`](cloakroom_tower::FailureOptions::on_error). An error type of your own can do the same.
///
/// ```
/// use cloakroom_actix::{Session, SessionError};
///
/// async fn login(session: Session) -> Result<&'static str, SessionError> {
///     session.regenerate().await?;
///     session.insert("user", "ann")?;
///     Ok("welcome")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SessionError(cloakroom_tower::SessionError);

impl SessionError {
    /// Returns the error.
    #[must_use]
    pub fn error(&self) -> &Error {
        self.0.error()
    }
}

impl From<Error> for SessionError {
    fn from(error: Error) -> Self {
        Self(error.into())
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

impl ResponseError for SessionError {
    fn status_code(&self) -> StatusCode {
        answer::status(self.0.status())
    }

    fn error_response(&self) -> HttpResponse {
        answer::response(&self.0.clone().into_http())
    }
}
