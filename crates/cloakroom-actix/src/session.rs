//! The extractor.

use std::{fmt, future::Future, ops::Deref, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, ResponseError, dev::Payload, http::StatusCode,
};
use cloakroom_core::Error;
use cloakroom_tower::SessionEngine;

use crate::{answer, request::SessionRequest};

/// The session of a request: Express's `req.session`, as an extractor. With nested middlewares, it is that of the
/// innermost one.
///
/// It has all methods of [`cloakroom_tower::Session`]. Changes are written when the handler has returned, before the
/// response begins.
///
/// An `Option<Session>` is actix-web's own: it is `None` for every error, also if the store failed. To tell the two
/// apart, take a `Result<Session, SessionRejection>`.
///
/// ```
/// use cloakroom_actix::{Session, SessionError, SessionRejection};
///
/// async fn views(session: Session) -> Result<String, SessionError> {
///     let views = session.modify("views", |views: Option<u32>| views.unwrap_or_default() + 1)?;
///     Ok(format!("view {views}"))
/// }
///
/// async fn greet(session: Result<Session, SessionRejection>) -> Result<String, SessionRejection> {
///     let session = match session {
///         Ok(session) => session,
///         Err(SessionRejection::Missing) => return Ok("no session on this path".to_owned()),
///         Err(rejection) => return Err(rejection),
///     };
///     Ok(session.id())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Session(cloakroom_tower::Session);

impl Session {
    /// Returns the session without the wrapper that makes it an extractor.
    #[must_use]
    pub fn into_inner(self) -> cloakroom_tower::Session {
        self.0
    }
}

impl Deref for Session {
    type Target = cloakroom_tower::Session;

    fn deref(&self) -> &cloakroom_tower::Session {
        &self.0
    }
}

impl FromRequest for Session {
    type Error = SessionRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, SessionRejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let lazy = request.lazy_session();
        Box::pin(async move {
            let lazy = lazy.ok_or(SessionRejection::Missing)?;
            match lazy.get().await {
                Ok(session) => session.map(Self).ok_or(SessionRejection::Missing),
                Err(error) => {
                    let engine = lazy.engine().clone();
                    Err(SessionRejection::NotLoaded(SessionNotLoaded { error, engine }))
                }
            }
        })
    }
}

/// Why a handler gets no [`Session`].
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The request has none: no [`SessionMiddleware`](crate::SessionMiddleware) is around the route, its path is not
    /// below the cookie's, or [`is_connected`](cloakroom_tower::FailureOptions::is_connected) says that the store is
    /// unavailable. The response is 500.
    Missing,
    /// It could not be loaded, with [`Loading::OnDemand`](cloakroom_tower::Loading::OnDemand). The response is that of
    /// [`error_response`](cloakroom_tower::FailureOptions::error_response).
    NotLoaded(SessionNotLoaded),
}

/// A session that could not be loaded.
#[derive(Debug)]
pub struct SessionNotLoaded {
    error: Error,
    engine: SessionEngine,
}

impl SessionNotLoaded {
    /// Returns the error.
    #[must_use]
    pub const fn error(&self) -> &Error {
        &self.error
    }
}

impl fmt::Display for SessionNotLoaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for SessionNotLoaded {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "this route has no session: wrap it in a SessionMiddleware, and check that its cookie's path covers the \
                 route",
            ),
            Self::NotLoaded(rejection) => rejection.fmt(f),
        }
    }
}

impl std::error::Error for SessionRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Missing => None,
            Self::NotLoaded(rejection) => rejection.source(),
        }
    }
}

impl SessionNotLoaded {
    fn response(&self) -> http::Response<bytes::Bytes> {
        (self.engine.options().failure.error_response)(&self.error)
    }
}

impl ResponseError for SessionRejection {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Missing => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotLoaded(rejection) => answer::status(rejection.response().status()),
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Missing => HttpResponse::InternalServerError().body(self.to_string()),
            Self::NotLoaded(rejection) => answer::response(&rejection.response()),
        }
    }
}
