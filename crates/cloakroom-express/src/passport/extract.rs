//! The extractor for axum.

use std::fmt;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use cloakroom_core::Error;
use cloakroom_tower::{Session, SessionError, SessionRejection};
use http::{StatusCode, header::CONTENT_TYPE, request::Parts};
use serde::de::DeserializeOwned;

use super::{RequireUser, user};

/// Why a handler gets no [`RequireUser`].
#[derive(Debug)]
#[non_exhaustive]
pub enum UserRejection {
    /// Nobody is logged in. The response is 401 and `{"error":"unauthorized"}`, as that of the guard.
    NotLoggedIn,
    /// The request has no session, or it could not be loaded.
    Session(SessionRejection),
    /// The user in the session is not of the type that the handler takes. The response is 500.
    Unreadable(SessionError),
}

impl fmt::Display for UserRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoggedIn => f.write_str("nobody is logged in"),
            Self::Session(rejection) => rejection.fmt(f),
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for UserRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotLoggedIn => None,
            Self::Session(rejection) => rejection.source(),
            Self::Unreadable(error) => error.source(),
        }
    }
}

impl IntoResponse for UserRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NotLoggedIn => {
                let json = [(CONTENT_TYPE, "application/json")];
                (StatusCode::UNAUTHORIZED, json, r#"{"error":"unauthorized"}"#).into_response()
            }
            Self::Session(rejection) => rejection.into_response(),
            Self::Unreadable(error) => error.into_response(),
        }
    }
}

impl From<Error> for UserRejection {
    fn from(error: Error) -> Self {
        Self::Unreadable(error.into())
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for RequireUser<T> {
    type Rejection = UserRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, UserRejection> {
        find(parts, state).await?.ok_or(UserRejection::NotLoggedIn)
    }
}

impl<S: Sync, T: DeserializeOwned> OptionalFromRequestParts<S> for RequireUser<T> {
    type Rejection = UserRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, UserRejection> {
        find(parts, state).await
    }
}

async fn find<S: Sync, T: DeserializeOwned>(
    parts: &mut Parts,
    state: &S,
) -> Result<Option<RequireUser<T>>, UserRejection> {
    let session = <Session as FromRequestParts<S>>::from_request_parts(parts, state);
    Ok(user(&session.await.map_err(UserRejection::Session)?)?.map(RequireUser))
}
