//! A guard: a request without a login does not reach the service inside.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use cloakroom_core::{Error, ErrorKind, encode_uri_component};
use cloakroom_tower::{RequestHead, ResponseBody, own_path, path_readings};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{AuthSession, ServerSession, matcher::Pattern};

/// Passes requests with a session, and answers all others with 401 and JSON, or with a redirect.
///
/// It is what `withAuth` of next-auth 4 and the callback `authorized` of Auth.js 5 are in a Next.js middleware. Put it
/// inside an [`AuthLayer`](crate::AuthLayer). Elsewhere it answers 500 with a text that says where to put it.
///
/// ```
/// use cloakroom_authjs::RequireAuth;
///
/// let for_pages = RequireAuth::redirect("/api/auth/signin")?
///     .with_next("callbackUrl")
///     .with_matcher(["/dashboard/:path*", "/((?!api|static|favicon.ico).*)"])?;
/// let for_admins = RequireAuth::json().with_predicate(|session| {
///     let role = session.claims().and_then(|claims| claims.text("role"));
///     role.as_deref() == Some("admin")
/// });
/// # let _ = (for_pages, for_admins);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct RequireAuth {
    rules: Arc<Rules>,
}

#[derive(Clone)]
struct Rules {
    location: Option<String>,
    next: Option<String>,
    matcher: Option<Vec<Pattern>>,
    predicates: Vec<Predicate>,
}

type Predicate = Arc<dyn Fn(&AuthSession) -> bool + Send + Sync>;

impl RequireAuth {
    /// Creates a guard that answers 401 and `{"error":"unauthorized"}`, for clients that are not browsers.
    #[must_use]
    pub fn json() -> Self {
        Self::of(None)
    }

    /// Creates a guard that answers 303 with this `Location`, such as `/api/auth/signin`. With 303, a browser asks for
    /// the page with GET, even after a POST; Next.js answers 307. The page at this path is not guarded.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if the location is empty, has a fragment, begins with `?`, or contains characters
    /// that are not allowed in a header.
    pub fn redirect(location: &str) -> Result<Self, Error> {
        let is_header = HeaderValue::from_str(location).is_ok();
        if location.is_empty() || location.starts_with('?') || location.contains('#') || !is_header
        {
            let message = format!(
                "invalid location {location:?}: must be a path or a URL, without a fragment, of characters that are \
                 allowed in a header"
            );
            return Err(Error::new(ErrorKind::Config, "authjs", "redirect", message));
        }
        Ok(Self::of(Some(location.to_owned())))
    }

    fn of(location: Option<String>) -> Self {
        let rules = Rules { location, next: None, matcher: None, predicates: Vec::new() };
        Self { rules: Arc::new(rules) }
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    /// Adds the path that the user asked for to the redirect, in a query parameter of this name. The packages call it
    /// `callbackUrl`. It changes nothing for a guard that answers JSON.
    ///
    /// The parameter is added for GET and HEAD requests only, and only if
    /// [`own_path`](cloakroom_tower::own_path) accepts the path.
    #[must_use]
    pub fn with_next(self, name: impl Into<String>) -> Self {
        self.with(|rules| rules.next = Some(name.into()))
    }

    /// Guards only the paths that one of these patterns matches, in the syntax of `config.matcher` of a Next.js
    /// middleware. By default all paths are guarded. A second call replaces the patterns of the first.
    ///
    /// - `/about` is this path, with or without a slash at its end.
    /// - `/:id` is any segment; at the end, `/:path*` is any number of them, `/:path+` at least one, `/:path?` at most
    ///   one, and `/(.*)` any text.
    /// - `/((?!api|_next/static|favicon.ico).*)` is every path except those that begin with one of these texts:
    ///   `/apiary`, too. They may contain `.`, `.*`, escapes such as `\.`, and `$` at their end.
    ///
    /// As in Next.js, case counts. A path is guarded if it matches as it was sent, or decoded and without `.`, `..` and
    /// doubled slashes, and if it cannot be decoded.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for any other regular expression. The message quotes the pattern.
    pub fn with_matcher<P: AsRef<str>>(
        self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Self, Error> {
        let patterns: Result<_, _> =
            patterns.into_iter().map(|pattern| Pattern::parse(pattern.as_ref())).collect();
        let patterns = patterns?;
        Ok(self.with(|rules| rules.matcher = Some(patterns)))
    }

    /// Also requires the predicate to return true for the session, as the callback `authorized`.
    #[must_use]
    pub fn with_predicate(
        self,
        predicate: impl Fn(&AuthSession) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(|rules| rules.predicates.push(Arc::new(predicate)))
    }

    /// Returns the response to send in place of the handler's, or `None` if the request passes. For frameworks other
    /// than tower. The head's extensions must contain the [`ServerSession`], if the guard is inside its layer.
    #[must_use]
    pub fn refuse(&self, head: RequestHead<'_>) -> Option<Response<Bytes>> {
        let rules = &*self.rules;
        if !rules.guards(head.path()) {
            return None;
        }
        let Some(answer) = head.extensions().get::<ServerSession>() else {
            return Some(text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "text/plain",
                "RequireAuth is not inside an AuthLayer; in axum, call .layer(auth_layer) after .layer(guard)\n",
            ));
        };
        let is_met = |session: &&AuthSession| rules.predicates.iter().all(|is_met| is_met(session));
        if answer.session().filter(is_met).is_some() {
            return None;
        }
        Some(match rules.target(head) {
            None => {
                let body = "{\"error\":\"unauthorized\"}";
                text(StatusCode::UNAUTHORIZED, "application/json", body)
            }
            Some(location) => {
                let mut response = text(StatusCode::SEE_OTHER, "text/plain", "");
                response.headers_mut().insert(LOCATION, location);
                response
            }
        })
    }
}

impl Rules {
    /// Returns true if a request for this path has to pass the guard. A path that cannot be decoded has to.
    fn guards(&self, path: &str) -> bool {
        let readings = path_readings(path);
        if let (Some(location), Some(readings)) = (&self.location, &readings) {
            let page = location.split('?').next().unwrap_or_default();
            if readings.iter().all(|reading| reading == page) {
                return false;
            }
        }
        let (Some(patterns), Some(readings)) = (&self.matcher, readings) else { return true };
        patterns.iter().any(|pattern| readings.iter().any(|reading| pattern.matches(reading)))
    }

    /// Returns where to redirect this request, or `None` if the answer is 401.
    fn target(&self, head: RequestHead<'_>) -> Option<HeaderValue> {
        let location = self.location.as_deref()?;
        let is_get = matches!(*head.method(), Method::GET | Method::HEAD);
        let query = head.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let wanted = format!("{}{query}", head.path());
        let location = match self.next.as_deref().zip(own_path(&wanted).filter(|_| is_get)) {
            None => location.to_owned(),
            Some((name, wanted)) => {
                let sign = if location.contains('?') { '&' } else { '?' };
                let [name, wanted] = [name, wanted].map(encode_uri_component);
                format!("{location}{sign}{name}={wanted}")
            }
        };
        // The location was checked when the guard was made, and the parameter adds only ASCII.
        HeaderValue::from_str(&location).ok()
    }
}

fn text(status: StatusCode, content_type: &'static str, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

impl fmt::Debug for RequireAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireAuth")
            .field("location", &self.rules.location)
            .field("next", &self.rules.next)
            .field("matcher", &self.rules.matcher)
            .field("predicates", &self.rules.predicates.len())
            .finish()
    }
}

impl<S> Layer<S> for RequireAuth {
    type Service = RequireAuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireAuthService { inner, guard: self.clone() }
    }
}

/// The service that [`RequireAuth`] makes.
#[derive(Clone, Debug)]
pub struct RequireAuthService<S> {
    inner: S,
    guard: RequireAuth,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireAuthService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Future: Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if let Some(refusal) = self.guard.refuse(RequestHead::from(&request)) {
            return Box::pin(async move { Ok(refusal.map(ResponseBody::own)) });
        }
        let handler = self.inner.call(request);
        Box::pin(async move { Ok(handler.await?.map(ResponseBody::inner)) })
    }
}
