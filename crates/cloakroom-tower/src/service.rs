//! The service: load, the inner service, commit.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use cloakroom_core::Error;
use http::{Request, Response, header::SET_COOKIE};
use tower_service::Service;

use crate::{LazySession, RequestHead, ResponseBody, Session, SessionEngine, lazy::PassedBy};

/// The service that [`SessionLayer`](crate::SessionLayer) makes.
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    engine: SessionEngine,
}

impl<S> SessionService<S> {
    pub(crate) const fn new(inner: S, engine: SessionEngine) -> Self {
        Self { inner, engine }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: Send,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let engine = self.engine.clone();
        // The service that was polled ready must be called, not its clone, which may not be ready.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        Box::pin(async move {
            // Not in the same statement: a reference to the request would need a body that is `Sync`.
            let head = RequestHead::from(&request);
            let session = match engine.begin(head).await {
                Ok(session) => session,
                Err(error) => return Ok(refusal(&engine, &error)),
            };
            match &session {
                Some(session) => session.put_into(request.extensions_mut()),
                None => PassedBy::note(&engine, request.extensions_mut()),
            }
            let Some(session) = session else {
                let mut response = inner.call(request).await?;
                tell_of_handler(&engine, None, &mut response);
                return Ok(response.map(ResponseBody::inner));
            };
            let session = ClosedAtTheEnd(session);
            let mut response = inner.call(request).await?;
            tell_of_handler(&engine, Some(&session.0), &mut response);
            let Some(session) = session.0.end() else {
                return Ok(response.map(ResponseBody::inner));
            };
            let (mut response, cookie) =
                match engine.commit_with_status(session, response.status()).await {
                    Ok(cookie) => (response.map(ResponseBody::inner), cookie),
                    Err(error) => (refusal(&engine, &error), engine.cookie_after_error(session)),
                };
            if let Some(cookie) = cookie {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            Ok(response)
        })
    }
}

/// Closes a session's handles also if the inner service fails, panics or is dropped: nothing would write what they
/// change after that.
struct ClosedAtTheEnd(LazySession);

impl Drop for ClosedAtTheEnd {
    fn drop(&mut self) {
        if let Some(life) = self.0.end().and_then(Session::end) {
            life.shared().close();
            life.shared().forget();
        }
    }
}

/// Reports the error that a handler has answered with. It is removed, so that a layer further out does not report it
/// again.
fn tell_of_handler<B>(
    engine: &SessionEngine,
    session: Option<&LazySession>,
    response: &mut Response<B>,
) {
    if let Some(error) = response.extensions_mut().remove::<Arc<Error>>()
        && !session.is_some_and(|session| session.has_told(&error))
    {
        engine.options().tell(&error);
    }
}

/// Returns the response to send in place of the handler's.
pub(crate) fn refusal<B>(engine: &SessionEngine, error: &Error) -> Response<ResponseBody<B>> {
    (engine.options().failure.error_response)(error).map(ResponseBody::own)
}
