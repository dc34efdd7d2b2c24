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

use crate::{ResponseBody, ServedRequest, SessionEngine, serve::Begun};

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
                let served = ServedRequest::new(engine, session);
                served.put_into(request.extensions_mut());
                let handler = self.inner.call(request);
                Box::pin(async move { answer(served, handler).await })
            }
            Begun::Asked(asked) => {
                // The service that was polled ready must be called, not its clone, which may not be ready.
                let next = self.inner.clone();
                let mut inner = mem::replace(&mut self.inner, next);
                Box::pin(async move {
                    // Boxed, so that its memory is free while the inner service runs.
                    let session = match Box::pin(engine.load_asked(asked)).await {
                        Ok(session) => session,
                        Err(error) => return Ok(engine.refusal(&error).map(ResponseBody::own)),
                    };
                    let served = ServedRequest::new(engine, Some(session));
                    served.put_into(request.extensions_mut());
                    let handler = inner.call(request);
                    answer(served, handler).await
                })
            }
            Begun::Failed(error) => {
                Box::pin(async move { Ok(engine.refusal(&error).map(ResponseBody::own)) })
            }
        }
    }
}

/// Returns the inner service's response, with the session written back.
async fn answer<B, E>(
    served: ServedRequest,
    handler: impl Future<Output = Result<Response<B>, E>>,
) -> Result<Response<ResponseBody<B>>, E> {
    let mut response = handler.await?;
    // Removed, so that a layer further out does not report it again.
    if let Some(error) = response.extensions_mut().remove::<Arc<Error>>() {
        served.report(&error);
    }
    let cookie = match served.end(response.status()).await {
        Ok(cookie) => cookie,
        Err(mut refusal) => {
            // A session of a layer further in can have moved to a new id, which only its cookie tells the browser.
            for line in response.headers().get_all(SET_COOKIE) {
                refusal.headers_mut().append(SET_COOKIE, line.clone());
            }
            return Ok(refusal.map(ResponseBody::own));
        }
    };
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response.map(ResponseBody::inner))
}
