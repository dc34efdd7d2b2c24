//! A guard: no session, no entry.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use cloakroom_core::{Error, ErrorKind, decode_uri_component};
use http::{HeaderValue, Request, Response, StatusCode, header::LOCATION};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    LazySession, PathMatch, RequestHead, ResponseBody, Session, SessionEngine,
    error::text_response, service::refusal,
};

/// Lets requests pass that have a session, and answers the others: with 401 and a body of JSON, or with a redirect.
///
/// A request has a session when the browser brought one that lives; with [`with_member`](Self::with_member) only when
/// that has a member of this name, as a login leaves one. It belongs inside a [`SessionLayer`](crate::SessionLayer); a
/// request that has passed none counts as one without a session. Inside several of them it asks the innermost one, unless
/// [`with_engine`](Self::with_engine) names another.
///
/// Where sessions are loaded on demand, it asks for the session of each request that it guards; when that cannot be
/// loaded, the answer is the engine's [`error_response`](crate::SessionOptions::error_response).
///
/// Which routes it guards is said best by the router: axum's `route_layer` takes it for the routes that are there
/// already. Where paths have to say it, they are the ones that the browser asked for, compared as text: escapes are
/// decoded, `.`, `..` and doubled slashes resolved, and a path of which it cannot be told is guarded. A service
/// inside that takes `/ADMIN` for `/admin` needs both.
///
/// ```
/// use cloakroom_tower::RequireSession;
///
/// let for_the_api = RequireSession::json().with_member("user").with_paths(["/api"]);
/// let for_pages = RequireSession::redirect("/login")?.with_member("user").without_paths(["/login", "/static"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct RequireSession {
    rules: Arc<Rules>,
}

#[derive(Clone)]
struct Rules {
    location: Option<HeaderValue>,
    engine: Option<SessionEngine>,
    member: Option<String>,
    paths: Option<Vec<String>>,
    except: Vec<String>,
}

impl RequireSession {
    /// Answers with 401 and `{"error":"unauthorized"}`.
    #[must_use]
    pub fn json() -> Self {
        Self::of(None)
    }

    /// Answers with 303 and a `Location`, such as the login page: the browser asks for it with GET.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) when the text cannot be a header.
    pub fn redirect(location: &str) -> Result<Self, Error> {
        let value = HeaderValue::from_str(location).map_err(|_| {
            let message = format!("the location {location:?} cannot be a header");
            Error::new(ErrorKind::Config, "session", "redirect", message)
        })?;
        Ok(Self::of(Some(value)))
    }

    fn of(location: Option<HeaderValue>) -> Self {
        let rules = Rules { location, engine: None, member: None, paths: None, except: Vec::new() };
        Self { rules: Arc::new(rules) }
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    /// The same guard, which asks for a session of this engine, whichever layer is the innermost.
    #[must_use]
    pub fn with_engine(self, engine: &SessionEngine) -> Self {
        self.with(|rules| rules.engine = Some(engine.clone()))
    }

    /// The same guard, which asks for a session with a member of this name, whatever its value but `null` and `false`.
    #[must_use]
    pub fn with_member(self, name: impl Into<String>) -> Self {
        self.with(|rules| rules.member = Some(name.into()))
    }

    /// The same guard for these paths and what is below them, by whole segments; for all unless set. It replaces those
    /// that were set before. They are texts: a router's `{id}` is none of its patterns here.
    #[must_use]
    pub fn with_paths<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        self.with(|rules| rules.paths = Some(absolute(paths)))
    }

    /// The same guard, but not for these paths and what is below them; `/` is the root page alone. It replaces those that
    /// were set before.
    #[must_use]
    pub fn without_paths<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        self.with(|rules| rules.except = absolute(paths))
    }

    /// The session that this request is judged by, if it is guarded.
    fn asked(&self, head: RequestHead<'_>) -> Option<Option<LazySession>> {
        let find = || match &self.rules.engine {
            Some(engine) => engine.lazy_session(head.extensions()),
            None => LazySession::innermost(head.extensions()),
        };
        self.rules.guards(head.path()).then(find)
    }

    /// The answer to a guarded request, or `None` when it passes.
    async fn refusal<B>(&self, asked: Option<LazySession>) -> Option<Response<ResponseBody<B>>> {
        let rules = &*self.rules;
        let session = match &asked {
            None => None,
            Some(lazy) => match lazy.get().await {
                Ok(session) => session,
                Err(error) => return Some(refusal(lazy.engine(), &error)),
            },
        };
        if rules.is_met(session.as_ref()) {
            return None;
        }
        let response = match &rules.location {
            None => text_response(
                StatusCode::UNAUTHORIZED,
                "application/json",
                "{\"error\":\"unauthorized\"}",
            ),
            Some(location) => {
                let mut response = text_response(StatusCode::SEE_OTHER, "text/plain", "");
                response.headers_mut().insert(LOCATION, location.clone());
                response
            }
        };
        Some(response.map(ResponseBody::own))
    }
}

impl Rules {
    fn guards(&self, path: &str) -> bool {
        let Some(resolved) = resolved(path) else { return true };
        let is_named = self.paths.as_deref().is_none_or(|paths| {
            paths.iter().any(|above| is_below(above, path) || is_below(above, &resolved))
        });
        // A way out is taken literally, and must lead there. That of the root is the root alone.
        let is_exempt = self.except.iter().any(|above| match &**above {
            "/" => path == "/",
            above => is_below(above, path) && is_below(above, &resolved),
        });
        is_named && !is_exempt
    }

    fn is_met(&self, session: Option<&Session>) -> bool {
        let Some(session) = session.filter(|session| !session.is_new()) else { return false };
        let has = |name: &String| {
            session.with(|record| {
                record.get_json(name).is_some_and(|json| !matches!(json, "null" | "false"))
            })
        };
        // What cannot be asked is not there.
        self.member.as_ref().is_none_or(|name| has(name).unwrap_or_default())
    }
}

fn is_below(above: &str, path: &str) -> bool {
    PathMatch::Segments.matches(above, path)
}

/// The paths as requests have them: with a slash before them, and none behind them; `/*` behind one says nothing new.
fn absolute<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> Vec<String> {
    let absolute = |path: String| {
        let path = path.trim_start_matches('/').trim_end_matches(['/', '*']);
        format!("/{path}")
    };
    paths.into_iter().map(Into::into).map(absolute).collect()
}

/// The path as a server that decodes it and follows its dots would see it. `None` when it cannot be decoded.
fn resolved(path: &str) -> Option<String> {
    let decoded = decode_uri_component(path)?;
    let mut segments: Vec<&str> = Vec::new();
    // Some take a backslash for a slash.
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    Some(format!("/{}", segments.join("/")))
}

impl fmt::Debug for RequireSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireSession")
            .field("location", &self.rules.location)
            .field("engine", &self.rules.engine)
            .field("member", &self.rules.member)
            .field("paths", &self.rules.paths)
            .field("except", &self.rules.except)
            .finish()
    }
}

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
                return Ok(refusal);
            }
            Ok(inner.call(request).await?.map(ResponseBody::inner))
        })
    }
}
