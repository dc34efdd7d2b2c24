//! The layer: a request gets the answer to a read of its session, and the response the cookies that go with it.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use cloakroom_core::Error;
use cloakroom_tower::ResponseBody;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{AuthJs, ServerSession};

/// Puts a [`ServerSession`] into the extensions of each request, and the cookies that renew or delete the session into
/// the response.
///
/// A handler of axum takes it as `Extension<ServerSession>`. [`RequireAuth`](crate::RequireAuth) is the guard.
///
/// The cookies are left out if the handler sets the session cookie itself, as after a
/// [`sign_out`](AuthJs::sign_out). A response with them that says nothing about caches gets
/// `Cache-Control: private, no-cache, no-store`, as from next-auth 4.
///
/// If the database of the sessions fails, the request is answered 503 or 500 without calling the handler: nobody is
/// taken for logged out because of that.
///
/// ```
/// use cloakroom_authjs::{AuthJs, AuthJsOptions, AuthLayer, RequireAuth};
/// use tower::ServiceBuilder;
///
/// let auth = AuthJs::jwt(AuthJsOptions::next_auth_4(), ["made-up-secret"])?;
/// let layers = ServiceBuilder::new()
///     .layer(AuthLayer::new(auth))
///     .layer(RequireAuth::redirect("/api/auth/signin")?.with_matcher(["/account/:path*"])?);
/// # let _ = layers;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AuthLayer {
    auth: AuthJs,
    renews: bool,
}

impl AuthLayer {
    /// Creates a layer for a site.
    #[must_use]
    pub const fn new(auth: AuthJs) -> Self {
        Self { auth, renews: true }
    }

    /// Sets whether responses carry the cookies that renew or delete a session. True by default, as `auth` in a
    /// middleware of Auth.js 5 does it.
    ///
    /// With the JWT strategy each of them is a new token, and a request that is slower than a logout brings the cookie
    /// back: with the packages, too. Without renewal here, a session lives only as long as Node.js renews it.
    #[must_use]
    pub const fn with_renewal(mut self, renews: bool) -> Self {
        self.renews = renews;
        self
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService { inner, layer: self.clone() }
    }
}

/// The service that [`AuthLayer`] makes.
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    inner: S,
    layer: AuthLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for AuthService<S>
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

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let layer = self.layer.clone();
        // The service that was polled ready must be called, not its clone, which may not be ready.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let answer = match layer.auth.get_server_session(request.headers()).await {
                Ok(answer) => answer,
                Err(error) => return Ok(unavailable(&error).map(ResponseBody::own)),
            };
            request.extensions_mut().insert(answer.clone());
            let mut response = inner.call(request).await?;
            if layer.renews {
                layer.add_cookies(&answer, response.headers_mut());
            }
            Ok(response.map(ResponseBody::inner))
        })
    }
}

impl AuthLayer {
    fn add_cookies(&self, answer: &ServerSession, headers: &mut HeaderMap) {
        let is_set = headers.get_all(SET_COOKIE).iter().any(|set| self.auth.is_session_cookie(set));
        if is_set || answer.set_cookies().is_empty() {
            return;
        }
        for cookie in answer.set_cookies() {
            headers.append(SET_COOKIE, cookie.clone());
        }
        let private = HeaderValue::from_static("private, no-cache, no-store");
        headers.entry(CACHE_CONTROL).or_insert(private);
    }
}

fn unavailable(error: &Error) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"The session could not be read.\n"));
    *response.status_mut() = if error.is_retryable() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
