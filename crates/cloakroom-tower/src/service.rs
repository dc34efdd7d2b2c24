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

use crate::{LazySession, ResponseBody, Session, SessionEngine, lazy::PassedBy, serve::Begun};

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
        match engine.begin((&request).into()) {
            // Without waiting, the inner service is called here: it need not be cloned, and the future is small.
            Begun::Session(session) => {
                let served = Served::new(engine, session, &mut request);
                let handler = self.inner.call(request);
                Box::pin(async move { served.answer(handler).await })
            }
            Begun::Asked(asked) => {
                // The service that was polled ready must be called, not its clone, which may not be ready.
                let next = self.inner.clone();
                let mut inner = mem::replace(&mut self.inner, next);
                Box::pin(async move {
                    // Boxed, so that its memory is free while the inner service runs.
                    let session = match Box::pin(engine.load_asked(asked)).await {
                        Ok(session) => session,
                        Err(error) => return Ok(refusal(&engine, &error)),
                    };
                    let served = Served::new(engine, Some(session), &mut request);
                    let handler = inner.call(request);
                    served.answer(handler).await
                })
            }
            Begun::Failed(error) => Box::pin(async move { Ok(refusal(&engine, &error)) }),
        }
    }
}

/// A request that the inner service has.
struct Served {
    engine: SessionEngine,
    /// `None` if the engine has nothing to do with the request.
    session: Option<ClosedAtTheEnd>,
}

impl Served {
    fn new<B>(
        engine: SessionEngine,
        session: Option<LazySession>,
        request: &mut Request<B>,
    ) -> Self {
        match &session {
            Some(session) => session.put_into(request.extensions_mut()),
            None => PassedBy::note(&engine, request.extensions_mut()),
        }
        Self { engine, session: session.map(ClosedAtTheEnd) }
    }

    /// Returns the inner service's response, with the session written back.
    async fn answer<B, E>(
        self,
        handler: impl Future<Output = Result<Response<B>, E>>,
    ) -> Result<Response<ResponseBody<B>>, E> {
        let Self { engine, session } = &self;
        let mut response = handler.await?;
        let lazy = session.as_ref().map(|session| &session.0);
        tell_of_handler(engine, lazy, &mut response);
        let Some(session) = lazy.and_then(LazySession::end).filter(|it| it.end().is_some()) else {
            return Ok(response.map(ResponseBody::inner));
        };
        // Boxed, because most requests get no further.
        let commit = Box::pin(engine.commit_with_status(session, response.status()));
        let (mut response, cookie) = match commit.await {
            Ok(cookie) => (response.map(ResponseBody::inner), cookie),
            Err(error) => (refusal(engine, &error), engine.cookie_after_error(session)),
        };
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
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
