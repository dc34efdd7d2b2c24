//! Errors as responses of axum handlers.
//!
//! The impl must be in this crate, because neither the trait nor the type belongs to any other crate of ours (orphan
//! rule).

use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use http::StatusCode;

use crate::Error;

/// Responds with 503 if the error [is retryable](Error::is_retryable), and with 500 otherwise. The body contains no
/// details. The error is in the response's extensions as an `Arc<Error>`, where the layer of `cloakroom-tower` finds it for
/// `on_error`.
///
/// ```
/// use axum_core::response::IntoResponse;
/// use cloakroom_core::{Error, ErrorKind};
///
/// async fn handler() -> Result<&'static str, Error> {
///     Err(Error::new(ErrorKind::Timeout, "redis", "get", "no answer within 5 s"))
/// }
///
/// # futures::executor::block_on(async {
/// let response = handler().await.into_response();
/// assert_eq!(response.status(), 503);
/// # });
/// ```
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let answer = if self.is_retryable() {
            (StatusCode::SERVICE_UNAVAILABLE, "The session store is unavailable.\n")
        } else {
            (StatusCode::INTERNAL_SERVER_ERROR, "The session could not be handled.\n")
        };
        let mut response = answer.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
