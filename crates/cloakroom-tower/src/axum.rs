//! The extractors, and errors as answers, for axum.

use std::{convert::Infallible, fmt};

use axum::{
    BoxError, Router,
    body::{Body, HttpBody},
    extract::{FromRequestParts, OptionalFromRequestParts, Request},
    response::{IntoResponse, Response},
    routing::IntoMakeService,
};
use bytes::Bytes;
use cloakroom_core::Error;
use http::{StatusCode, request::Parts};
use tower_service::Service;

use crate::{
    LazySession, RequireSessionService, Session, SessionEngine, SessionError, SessionService,
};

/// The rejection for a request without a session: a [`SessionLayer`](crate::SessionLayer) is missing, the path is not
/// below the cookie's, or [`is_connected`](crate::FailureOptions::is_connected) says that the store is unavailable. The
/// response is 500.
#[derive(Clone, Copy, Debug)]
pub struct MissingSession;

impl fmt::Display for MissingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this route has no session: add a SessionLayer around it, and check that its cookie's path covers the \
             route",
        )
    }
}

impl std::error::Error for MissingSession {}

impl IntoResponse for MissingSession {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

/// The rejection for a session that could not be loaded, with [`Loading::OnDemand`](crate::Loading::OnDemand). The
/// response is that of [`error_response`](crate::FailureOptions::error_response).
#[derive(Debug)]
pub struct SessionNotLoaded {
    error: Error,
    engine: SessionEngine,
}

impl SessionNotLoaded {
    /// The error.
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

impl IntoResponse for SessionNotLoaded {
    fn into_response(self) -> Response {
        (self.engine.options().failure.error_response)(&self.error).map(Body::from)
    }
}

/// The rejection of the extractor for [`Session`].
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The route has no session.
    Missing(MissingSession),
    /// The session could not be loaded.
    NotLoaded(SessionNotLoaded),
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(rejection) => rejection.fmt(f),
            Self::NotLoaded(rejection) => rejection.fmt(f),
        }
    }
}

impl std::error::Error for SessionRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Missing(rejection) => rejection.source(),
            Self::NotLoaded(rejection) => rejection.source(),
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Missing(rejection) => rejection.into_response(),
            Self::NotLoaded(rejection) => rejection.into_response(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        find(parts).await?.ok_or(SessionRejection::Missing(MissingSession))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, SessionRejection> {
        find(parts).await
    }
}

/// The session of the innermost layer.
async fn find(parts: &Parts) -> Result<Option<Session>, SessionRejection> {
    let Some(lazy) = LazySession::innermost(&parts.extensions) else { return Ok(None) };
    lazy.get().await.map_err(|error| {
        let engine = lazy.engine().clone();
        SessionRejection::NotLoaded(SessionNotLoaded { error, engine })
    })
}

impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        self.into_http().map(Body::from)
    }
}

/// Makes a layer around a whole `Router` a service that `axum::serve` accepts: that takes only responses with axum's
/// own body.
macro_rules! impl_into_make_service {
    ($Service:ident) => {
        impl<S, B> $Service<S>
        where
            S: Service<Request, Response = Response<B>, Error = Infallible>
                + Clone
                + Send
                + Sync
                + 'static,
            S::Future: Send,
            B: HttpBody<Data = Bytes> + Send + 'static,
            B::Error: Into<BoxError>,
        {
            /// Returns a service for `axum::serve`, like axum's `Router::into_make_service`, for a layer around a whole
            /// router.
            ///
            /// ```no_run
            /// use cloakroom_core::{MemoryStore, Secrets};
            /// use cloakroom_tower::SessionLayer;
            /// use tower::Layer;
            ///
            /// async fn serve(listener: tokio::net::TcpListener, app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
            ///     let layer = SessionLayer::new(MemoryStore::new(), Secrets::new(["keyboard cat"])?);
            ///     Ok(axum::serve(listener, layer.layer(app).into_make_service()).await?)
            /// }
            /// ```
            ///
            /// If you need more, such as the address of the peer, make a router of it again:
            /// `Router::new().fallback_service(layer.layer(app))`.
            #[must_use]
            pub fn into_make_service(self) -> IntoMakeService<Router> {
                Router::new().fallback_service(self).into_make_service()
            }
        }
    };
}

impl_into_make_service!(SessionService);
impl_into_make_service!(RequireSessionService);
