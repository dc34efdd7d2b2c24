//! The extractors, and errors as answers, for axum.

use std::{convert::Infallible, fmt};

use axum::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::{Session, SessionError};

/// A handler asks for a session on a route where there is none: no [`SessionLayer`](crate::SessionLayer), another path
/// than the cookie's, or a store that is disconnected. It answers 500.
#[derive(Clone, Copy, Debug)]
pub struct MissingSession;

impl fmt::Display for MissingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no session on this route: a SessionLayer is missing, or its cookie has another path")
    }
}

impl std::error::Error for MissingSession {}

impl IntoResponse for MissingSession {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = MissingSession;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingSession> {
        parts.extensions.get::<Self>().cloned().ok_or(MissingSession)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        self.into_response().map(Body::from)
    }
}
