//! The guard as a tower layer.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::RequireSession;
use crate::{RequestHead, ResponseBody};

impl<S> Layer<S> for RequireSession {
    type Service = RequireSessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireSessionService { inner, guard: self.clone() }
    }
}

/// The service that [`RequireSession`] makes.
#[derive(Clone, Debug)]
pub struct RequireSessionService<S> {
    inner: S,
    guard: RequireSession,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireSessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let guard = self.guard.clone();
        let asked = guard.asked(RequestHead::from(&request));
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        Box::pin(async move {
            if let Some(asked) = asked
                && let Some(refusal) = guard.refusal(asked).await
            {
                return Ok(refusal.map(ResponseBody::own));
            }
            Ok(inner.call(request).await?.map(ResponseBody::inner))
        })
    }
}
