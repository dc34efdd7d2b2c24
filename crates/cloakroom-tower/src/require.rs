//! A guard: no session, no entry.

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use cloakroom_core::{Error, ErrorKind, SessionData};
use http::{
    HeaderValue, Method, Request, Response, StatusCode, header::LOCATION, uri::PathAndQuery,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    LazySession, RequestHead, ResponseBody, Session, SessionEngine,
    error::text_response,
    lazy::PassedBy,
    next::{own_path, with_parameter},
    service::refusal,
};

mod paths;
mod wants;

use paths::{absolute, is_below, leads_to, resolved};
use wants::Want;

/// Lets requests pass that have a session, and answers the others: with 401 and a body of JSON, or with a redirect.
///
/// A request has a session when the browser brought one that lives. Any session will do, also that of a visitor with a
/// cart: what a login leaves is asked for with [`with_member`](Self::with_member) or
/// [`with_predicate`](Self::with_predicate). A session that the request itself makes counts only with a member that is
/// asked for, as when a middleware around the guard logs in a visitor who is remembered.
///
/// It belongs inside a [`SessionLayer`](crate::SessionLayer); outside of any it answers 500 and says so. Inside several
/// of them it asks the innermost one, unless [`with_engine`](Self::with_engine) names another. When the cookie of the
/// innermost one has another path than the request, it does not ask a layer further out: it answers 500 and says so.
///
/// Where sessions are loaded on demand, it asks for the session of each request that it guards; when that cannot be
/// loaded, the answer is the engine's [`error_response`](crate::FailureOptions::error_response).
///
/// Which routes it guards is said best by the router: axum's `route_layer` takes it for the routes that are there
/// already. [`with_paths`](Self::with_paths) compares the path that the browser asked for as text: escapes are decoded,
/// `.`, `..` and doubled slashes are resolved, and a path that cannot be decoded is guarded. A service inside that takes
/// `/ADMIN` for `/admin` needs both.
///
/// ```
/// use cloakroom_tower::RequireSession;
///
/// let for_the_api = RequireSession::json().with_member("passport.user").with_paths(["/api"]);
/// let for_pages = RequireSession::redirect("/login")?
///     .with_next("next")
///     .with_member("user")
///     .without_paths(["/login", "/static"]);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct RequireSession {
    rules: Arc<Rules>,
}

#[derive(Clone)]
struct Rules {
    location: Option<String>,
    /// The parameter of the location that says where the user wanted to go.
    next: Option<String>,
    engine: Option<SessionEngine>,
    wants: Vec<Want>,
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
    /// When that page is guarded itself, a browser would be sent there without end: the answer is 500 then, and says so.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if the text contains characters that are not allowed in a header, or names no page.
    pub fn redirect(location: &str) -> Result<Self, Error> {
        let refused = |why: &str| {
            let message = format!("invalid location {location:?}: {why}");
            Error::new(ErrorKind::Config, "session", "redirect", message)
        };
        if location.is_empty() || location.starts_with(['?', '#']) {
            return Err(refused("must not lead back to the guarded page"));
        }
        if HeaderValue::from_str(location).is_err() {
            return Err(refused("must contain only characters that are allowed in a header"));
        }
        Ok(Self::of(Some(location.to_owned())))
    }

    /// The same guard, whose redirect has a query parameter of this name with the path that the user asked for:
    /// `/login?next=%2Fcart%3Fpage%3D2`. A guard that answers JSON has no use for it.
    ///
    /// Only GET and HEAD requests carry a path along, and only what [`own_path`] returns. The parameter comes from the
    /// browser, so the login page has to ask `own_path` once more before it redirects there.
    #[must_use]
    pub fn with_next(self, name: impl Into<String>) -> Self {
        self.with(|rules| rules.next = Some(name.into()))
    }

    fn of(location: Option<String>) -> Self {
        let rules = Rules {
            location,
            next: None,
            engine: None,
            wants: Vec::new(),
            paths: None,
            except: Vec::new(),
        };
        Self { rules: Arc::new(rules) }
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    /// The same guard, which asks for a session of this engine, whichever layer is the innermost. Where layers are nested
    /// or stand side by side, it is the way to say whose session lets a request pass.
    #[must_use]
    pub fn with_engine(self, engine: &SessionEngine) -> Self {
        self.with(|rules| rules.engine = Some(engine.clone()))
    }

    /// The same guard, which asks for a session with this member as well.
    ///
    /// What JavaScript calls falsy counts as absent: a missing member, `null`, `false`, `0` and `""`. Empty `{}` and `[]`
    /// count as absent, too, because Passport leaves `"passport":{}` after a logout. A name with dots is a path through objects, such as
    /// `passport.user`, unless a member has the whole name.
    ///
    /// Passport takes a user `0` for one who is logged in; where that is a user's id, use
    /// [`with_predicate`](Self::with_predicate).
    #[must_use]
    pub fn with_member(self, name: impl Into<String>) -> Self {
        self.with(|rules| rules.wants.push(Want::Member(name.into())))
    }

    /// The same guard, which asks for a session of which the predicate is true as well.
    ///
    /// ```
    /// use cloakroom_tower::RequireSession;
    ///
    /// let for_admins = RequireSession::json()
    ///     .with_predicate(|session| matches!(session.get::<&str>("role"), Ok(Some("admin"))));
    /// ```
    #[must_use]
    pub fn with_predicate(
        self,
        predicate: impl Fn(&SessionData) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(|rules| rules.wants.push(Want::Predicate(Arc::new(predicate))))
    }

    /// The same guard for these paths and those below them, by whole segments. By default it guards all paths. These paths
    /// replace those that were set before. The paths are plain text: `{id}` matches only itself.
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

    /// What this request is judged by, if it is guarded.
    fn asked(&self, head: RequestHead<'_>) -> Option<Asked> {
        let rules = &*self.rules;
        if !rules.guards(head.path()) {
            return None;
        }
        let engine = rules.engine.as_ref();
        let session = match engine {
            Some(engine) => engine.lazy_session(head.extensions()),
            None => LazySession::innermost(head.extensions()),
        };
        if session.is_none() && !PassedBy::has(engine, head.extensions()) {
            return Some(Asked::Misplaced(outside(engine), engine.cloned()));
        }
        if let (None, Some(_), Some(innermost)) =
            (engine, &session, PassedBy::innermost(head.extensions()))
        {
            return Some(Asked::Misplaced(misplaced(OF_ANOTHER_ENGINE), Some(innermost.clone())));
        }
        Some(Asked::Session(session, rules.target(head)))
    }

    /// The answer to a guarded request, or `None` when it passes.
    async fn refusal<B>(&self, asked: Asked) -> Option<Response<ResponseBody<B>>> {
        let (lazy, target) = match asked {
            Asked::Misplaced(error, engine) => return Some(answer(&error, engine.as_ref())),
            Asked::Session(lazy, target) => (lazy, target),
        };
        let session = match &lazy {
            None => None,
            Some(lazy) => match lazy.get().await {
                Ok(session) => session,
                Err(error) => return Some(refusal(lazy.engine(), &error)),
            },
        };
        if self.rules.is_met(session.as_ref()) {
            return None;
        }
        let response = match target {
            Err(error) => return Some(answer(&error, self.rules.engine.as_ref())),
            Ok(None) => text_response(
                StatusCode::UNAUTHORIZED,
                "application/json",
                "{\"error\":\"unauthorized\"}",
            ),
            Ok(Some(location)) => {
                let mut response = text_response(StatusCode::SEE_OTHER, "text/plain", "");
                response.headers_mut().insert(LOCATION, location);
                response
            }
        };
        Some(response.map(ResponseBody::own))
    }
}

/// The answer of a guard that is in the wrong place: it tells whoever builds the service what to do.
fn answer<B>(error: &Error, engine: Option<&SessionEngine>) -> Response<ResponseBody<B>> {
    if let Some(engine) = engine {
        engine.options().tell(error);
    }
    let response = text_response(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "");
    let text = format!("{error}\n");
    response.map(|_| ResponseBody::own(text.into()))
}

/// What a guarded request is judged by.
enum Asked {
    /// No layer is around the guard, or another one than it needs. The engine, if any, tells of it.
    Misplaced(Error, Option<SessionEngine>),
    /// Its session, if it has one, and where it is sent if it may not pass.
    Session(Option<LazySession>, Result<Option<HeaderValue>, Error>),
}

const OF_ANOTHER_ENGINE: &str = "the innermost SessionLayer around RequireSession does not serve this path, since its cookie has another path, and \
     the session of a layer further out is not asked instead; call with_engine to name the engine to ask";

fn outside(engine: Option<&SessionEngine>) -> Error {
    misplaced(match engine {
        None => {
            "RequireSession is not inside a SessionLayer; in axum, call .layer(session_layer) after .layer(guard)"
        }
        Some(_) => {
            "RequireSession is not inside the SessionLayer of the engine that with_engine names; in axum, call \
             .layer(session_layer) after .layer(guard)"
        }
    })
}

fn misplaced(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, "session", "require", message)
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
        // One that this request makes counts by a member: a middleware around the guard has logged somebody in.
        let has_member = self.wants.iter().any(|want| matches!(want, Want::Member(_)));
        let Some(session) = session.filter(|session| has_member || !session.is_new()) else {
            return false;
        };
        // A session that was destroyed cannot be asked, and does not count.
        session.with(|record| self.wants.iter().all(|want| want.is_met(record))).unwrap_or_default()
    }

    /// Where this request is sent if it may not pass; `None` when the answer is 401.
    fn target(&self, head: RequestHead<'_>) -> Result<Option<HeaderValue>, Error> {
        let Some(location) = &self.location else { return Ok(None) };
        let is_get = matches!(*head.method(), Method::GET | Method::HEAD);
        if is_get && leads_to(location, head.path()) {
            return Err(misplaced(format!(
                "RequireSession redirects to {location:?} and guards that page too; exclude it with without_paths, or \
                 add its route after route_layer"
            )));
        }
        let uri = head.original_uri().path_and_query().map(PathAndQuery::as_str);
        let wanted = uri.filter(|_| is_get).and_then(own_path);
        let location = match (&self.next, wanted) {
            (Some(name), Some(wanted)) => Cow::Owned(with_parameter(location, name, wanted)),
            _ => Cow::Borrowed(&**location),
        };
        // It was one when the guard was made, and what was added is ASCII.
        Ok(HeaderValue::from_str(&location).ok())
    }
}

impl fmt::Debug for RequireSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireSession")
            .field("location", &self.rules.location)
            .field("next", &self.rules.next)
            .field("engine", &self.rules.engine)
            .field("wants", &self.rules.wants)
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
