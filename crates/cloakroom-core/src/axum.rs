//! Errors as answers of axum's handlers.

use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use http::StatusCode;

use crate::Error;

/// 503 when trying again can help, and 500 otherwise. The response says no more than that; the error is in its
/// extensions as an `Arc<Error>`, from where the layer of `cloakroom-tower` tells `on_error` of it.
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
