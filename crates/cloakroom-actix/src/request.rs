//! The sessions of a request, for handlers and middlewares that have the request itself.

use actix_web::HttpMessage;
use cloakroom_tower::{LazySession, SessionEngine};

use crate::head::Sessions;

/// The sessions of a request: of an `HttpRequest` in a handler, and of a `ServiceRequest` in a middleware.
///
/// ```
/// use actix_web::HttpRequest;
/// use cloakroom_actix::{SessionError, SessionRequest};
///
/// async fn greet(request: HttpRequest) -> Result<String, SessionError> {
///     let Some(session) = request.lazy_session() else { return Ok("no session here".to_owned()) };
///     let Some(session) = session.get().await? else { return Ok("not now".to_owned()) };
///     Ok(session.get("user")?.unwrap_or_else(|| "nobody".to_owned()))
/// }
/// ```
pub trait SessionRequest {
    /// Returns the session of the innermost middleware around, or `None` if there is no such middleware, or its cookie
    /// has another path.
    fn lazy_session(&self) -> Option<LazySession>;

    /// Returns the session of one engine, where middlewares are nested. Returns `None` if the request came through no
    /// middleware of this engine, or if its path is not below the cookie's.
    fn lazy_session_of(&self, engine: &SessionEngine) -> Option<LazySession>;
}

impl<T: HttpMessage> SessionRequest for T {
    fn lazy_session(&self) -> Option<LazySession> {
        self.extensions().get::<Sessions>()?.0.get::<LazySession>().cloned()
    }

    fn lazy_session_of(&self, engine: &SessionEngine) -> Option<LazySession> {
        engine.lazy_session(&self.extensions().get::<Sessions>()?.0)
    }
}
