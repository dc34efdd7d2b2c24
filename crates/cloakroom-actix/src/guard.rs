//! The guard as a middleware.

use std::{
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
};

use actix_web::{
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
};
use cloakroom_tower::RequireSession;

use crate::{answer, head::Head};

/// A [`RequireSession`] for actix-web: passes requests that have a session, and answers all others with 401 and JSON,
/// or with a redirect.
///
/// Wrap the guarded scope in it, and wrap the [`SessionMiddleware`](crate::SessionMiddleware) around both. Of several
/// calls of `wrap`, the last one is outermost.
///
/// ```
/// use actix_web::{App, web};
/// use cloakroom_actix::{RequireSessionMiddleware, Session, SessionMiddleware};
/// use cloakroom_core::{MemoryStore, Secrets};
/// use cloakroom_tower::RequireSession;
///
/// let sessions = SessionMiddleware::new(MemoryStore::new(), Secrets::new(["keyboard cat"])?);
/// let guard = RequireSessionMiddleware::from(RequireSession::redirect("/login")?.with_member("user"));
/// let account = web::scope("/account")
///     .wrap(guard)
///     .route("", web::get().to(async |session: Session| session.id()));
/// let app = App::new().wrap(sessions).service(account);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequireSessionMiddleware {
    guard: RequireSession,
}

impl From<RequireSession> for RequireSessionMiddleware {
    fn from(guard: RequireSession) -> Self {
        Self { guard }
    }
}

impl<S, B> Transform<S, ServiceRequest> for RequireSessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = RequireSessionService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let (inner, guard) = (Rc::new(service), self.guard.clone());
        ready(Ok(RequireSessionService { inner, guard }))
    }
}

/// The service that [`RequireSessionMiddleware`] makes.
pub struct RequireSessionService<S> {
    inner: Rc<S>,
    guard: RequireSession,
}

impl<S> fmt::Debug for RequireSessionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireSessionService").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl<S, B> Service<ServiceRequest> for RequireSessionService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, guard) = (Rc::clone(&self.inner), self.guard.clone());
        Box::pin(async move {
            let refusal = match Head::without_headers(&request) {
                Some(head) => guard.refuse(head.borrowed()).await.map(|own| answer::response(&own)),
                None => Some(answer::bad_request()),
            };
            match refusal {
                Some(refusal) => Ok(request.into_response(refusal).map_into_right_body()),
                None => Ok(inner.call(request).await?.map_into_left_body()),
            }
        })
    }
}
