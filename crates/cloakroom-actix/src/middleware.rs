//! The middleware: load, the handler, commit.

use std::{
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
    sync::Arc,
};

use actix_web::{
    HttpMessage,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::header::SET_COOKIE,
};
use cloakroom_core::{Error, Secrets, Store};
use cloakroom_tower::{ServedRequest, SessionEngine, SessionLayer};

use crate::{
    SessionError, answer,
    answer::{Answered, Refusal},
    head::{Head, Sessions},
};

/// Gives each request a [`Session`](crate::Session), and writes it back before the response begins. It is
/// [`SessionLayer`] for actix-web.
///
/// The constructors use a preset's default options. For your own options, convert the engine of
/// [`SessionOptions::engine`](cloakroom_tower::SessionOptions::engine).
///
/// Make it outside of the closure of `HttpServer::new`, which runs for each worker, and clone it inside: clones share
/// the store.
///
/// ```
/// use std::time::Duration;
///
/// use actix_web::{App, web};
/// use cloakroom_actix::{Session, SessionMiddleware};
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::SessionOptions;
///
/// let engine = SessionOptions::new()
///     .with_cookie(|cookie| cookie.with_max_age(Duration::from_secs(14 * 86_400)))
///     .engine(MemoryStore::new(), Secrets::new(["keyboard cat"])?)?;
/// let sessions = SessionMiddleware::from(engine);
/// let app = App::new()
///     .wrap(sessions.clone())
///     .route("/", web::get().to(async |session: Session| session.id()));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionMiddleware {
    engine: SessionEngine,
}

impl SessionMiddleware {
    /// Creates a middleware with the safe preset and its default options, those of
    /// [`SessionOptions::new`](cloakroom_tower::SessionOptions::new).
    #[must_use]
    pub fn new(store: impl Store + 'static, secrets: Secrets) -> Self {
        SessionLayer::new(store, secrets).engine().clone().into()
    }

    /// Creates a middleware that does what express-session 1.19.0 does, call for call, with its default options, those
    /// of [`SessionOptions::express`](cloakroom_tower::SessionOptions::express).
    #[must_use]
    pub fn express(store: impl Store + 'static, secrets: Secrets) -> Self {
        SessionLayer::express(store, secrets).engine().clone().into()
    }

    /// Returns the engine, for requests that do not come through this middleware.
    #[must_use]
    pub const fn engine(&self) -> &SessionEngine {
        &self.engine
    }
}

impl From<SessionEngine> for SessionMiddleware {
    fn from(engine: SessionEngine) -> Self {
        Self { engine }
    }
}

impl<S, B> Transform<S, ServiceRequest> for SessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = SessionMiddlewareService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let (inner, engine) = (Rc::new(service), self.engine.clone());
        ready(Ok(SessionMiddlewareService { inner, engine }))
    }
}

/// The service that [`SessionMiddleware`] makes.
pub struct SessionMiddlewareService<S> {
    /// A request that waits for its session has a handle of its own.
    inner: Rc<S>,
    engine: SessionEngine,
}

impl<S> fmt::Debug for SessionMiddlewareService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionMiddlewareService")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl<S, B> Service<ServiceRequest> for SessionMiddlewareService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, engine) = (Rc::clone(&self.inner), self.engine.clone());
        Box::pin(async move {
            let Some(head) = Head::for_engine(&request, engine.options()) else {
                return Ok(request.into_response(answer::bad_request()).map_into_right_body());
            };
            let served = match engine.serve(head.borrowed()).await {
                Ok(served) => served,
                Err(refusal) => {
                    let refusal = request.into_response(answer::response(&refusal));
                    return Ok(refusal.map_into_right_body());
                }
            };
            let mut sessions = Sessions(head.extensions);
            served.put_into(&mut sessions.0);
            request.extensions_mut().insert(sessions);
            match inner.call(request).await {
                Ok(response) => Ok(after_response(&served, response).await),
                Err(error) => Err(after_error(&served, error).await),
            }
        })
    }
}

/// Returns the response of the handler with the session's cookie, or one of ours if the session could not be stored.
#[expect(clippy::future_not_send, reason = "a request stays on the worker that has accepted it")]
async fn after_response<B>(
    served: &ServedRequest,
    mut response: ServiceResponse<B>,
) -> ServiceResponse<EitherBody<B>> {
    // Removed, so that a middleware further out does not report it again.
    let told = response.response_mut().extensions_mut().remove::<Arc<Error>>();
    if let Some(error) = told {
        served.report(&error);
    }
    match served.end(status_of(response.status())).await {
        Ok(cookie) => {
            if let Some(cookie) = cookie.as_ref().and_then(answer::value) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            response.map_into_left_body()
        }
        Err(refusal) => {
            let mut own = answer::response(&refusal);
            answer::add_cookies(own.headers_mut(), response.headers());
            response.into_response(own).map_into_right_body()
        }
    }
}

/// Returns the error of a middleware further in, which becomes a response further out, with the session's cookie.
#[expect(clippy::future_not_send, reason = "a request stays on the worker that has accepted it")]
async fn after_error(served: &ServedRequest, cause: actix_web::Error) -> actix_web::Error {
    let told = cause.as_error::<SessionError>().map(SessionError::error);
    if let Some(error) = told {
        served.report(error);
    }
    let is_told = told.is_some();
    match served.end(status_of(cause.as_response_error().status_code())).await {
        Ok(cookie) => {
            let cookie = cookie.as_ref().and_then(answer::value);
            // Any other error is passed on as it is, for middlewares that look at its type.
            if is_told || cookie.is_some() { Answered { cause, cookie }.into() } else { cause }
        }
        Err(refusal) => Refusal { own: refusal, cause }.into(),
    }
}

fn status_of(status: actix_web::http::StatusCode) -> http::StatusCode {
    http::StatusCode::from_u16(status.as_u16()).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR)
}
