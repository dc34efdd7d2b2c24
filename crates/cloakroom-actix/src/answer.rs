//! Answers, in the types of actix-web.

use std::{fmt, sync::Arc};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE},
    },
};
use bytes::Bytes;
use cloakroom_core::Error;
use http::Response;

/// Converts a status, which is valid in both versions of `http`.
pub(crate) fn status(status: http::StatusCode) -> StatusCode {
    StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Converts the value of a header, which is valid in both versions of `http`.
pub(crate) fn value(value: &http::HeaderValue) -> Option<HeaderValue> {
    HeaderValue::from_bytes(value.as_bytes()).ok()
}

/// Converts a response: its status, headers and body, and the error in its extensions.
pub(crate) fn response(own: &Response<Bytes>) -> HttpResponse {
    let mut response = HttpResponse::with_body(status(own.status()), own.body().clone());
    for (name, line) in own.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Some(line)) = (name, value(line)) {
            response.headers_mut().append(name, line);
        }
    }
    if let Some(error) = own.extensions().get::<Arc<Error>>() {
        response.extensions_mut().insert(Arc::clone(error));
    }
    response.map_into_boxed_body()
}

/// Adds the cookies of a response that is not sent. The session of a middleware further in can have moved to a new id,
/// which only its cookie tells the browser.
pub(crate) fn add_cookies(headers: &mut HeaderMap, unsent: &HeaderMap) {
    for line in unsent.get_all(SET_COOKIE) {
        headers.append(SET_COOKIE, line.clone());
    }
}

/// The 400 for a request whose head `http` 1 does not accept.
pub(crate) fn bad_request() -> HttpResponse {
    HttpResponse::new(StatusCode::BAD_REQUEST)
}

/// An error of a middleware further in that becomes the response of ours in its place.
pub(crate) struct Refusal {
    pub(crate) own: Response<Bytes>,
    pub(crate) cause: actix_web::Error,
}

impl fmt::Debug for Refusal {
    /// Leaves the response out: loggers print errors, and one of its headers can be the session's cookie.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal").field("cause", &self.cause).finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session could not be stored")
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        status(self.own.status())
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = response(&self.own);
        add_cookies(response.headers_mut(), self.cause.error_response().headers());
        response
    }
}

/// An error of a middleware further in, whose response has the session's cookie, and which was reported.
pub(crate) struct Answered {
    pub(crate) cause: actix_web::Error,
    pub(crate) cookie: Option<HeaderValue>,
}

impl fmt::Debug for Answered {
    /// Leaves the cookie out: loggers print errors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").field("cause", &self.cause).finish_non_exhaustive()
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl ResponseError for Answered {
    fn status_code(&self) -> StatusCode {
        self.cause.as_response_error().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.cause.error_response();
        response.extensions_mut().remove::<Arc<Error>>();
        if let Some(cookie) = &self.cookie {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        response
    }
}
