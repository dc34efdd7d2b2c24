//! A guard: a request without a session does not reach the service inside.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use cloakroom_core::{Error, ErrorKind, SessionData};
use http::{HeaderValue, Method, Response, StatusCode, header::LOCATION, uri::PathAndQuery};

use crate::{
    LazySession, RequestHead, Session, SessionEngine,
    error::text_response,
    lazy::PassedBy,
    next::{own_path, with_parameter},
};

mod paths;
mod service;
mod wants;

pub use paths::path_readings;
use paths::{absolute, is_below, is_below_in_any_case, leads_to};
pub use service::RequireSessionService;
use wants::Want;

/// Passes requests that have a session, and answers all others with 401 and JSON, or with a redirect.
///
/// A session counts if the browser brought the cookie of a live one. That includes the session of a visitor with a
/// cart, so name the member that a login sets with [`with_member`](Self::with_member), or test for it with
/// [`with_predicate`](Self::with_predicate). If a middleware around the guard has moved the session to a new id with
/// its data, it still counts. A session that the request itself has made counts only if a member is required and is
/// there, as when a middleware around the guard logs in a returning visitor.
///
/// Put it inside a [`SessionLayer`](crate::SessionLayer). Outside of every layer, it answers 500 with a text that says
/// where to put it. Inside several layers, it asks the innermost one, unless [`with_engine`](Self::with_engine) names
/// another. If the innermost of several layers does not serve the request's path, the guard answers 500, too. It does
/// not ask a layer further out: a customer's session must not open the admin's page.
///
/// If sessions are loaded on demand, the guard loads the session of each request that it guards. If that fails, it
/// answers as the engine's [`error_response`](crate::FailureOptions::error_response) says.
///
/// The router is the best place to choose the guarded routes: axum's `route_layer` guards the routes that were added
/// before it. [`with_paths`](Self::with_paths) compares the text of the path that the browser asked for. It decodes
/// escapes and resolves `.`, `..` and doubled slashes, and it guards a path that cannot be decoded. If the service
/// inside treats `/ADMIN` as `/admin`, name both.
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
    /// The query parameter of the location that carries the path that the user asked for.
    next: Option<String>,
    engine: Option<SessionEngine>,
    wants: Vec<Want>,
    paths: Option<Vec<String>>,
    except: Vec<String>,
    on_redirect: Option<OnRedirect>,
}

/// Receives the session of a request that is redirected, and the path and query that its browser asked for.
type OnRedirect = Arc<dyn Fn(&Session, &str) -> Result<(), Error> + Send + Sync>;

impl RequireSession {
    /// Creates a guard that answers 401 and `{"error":"unauthorized"}`, for clients that are not browsers.
    #[must_use]
    pub fn json() -> Self {
        Self::of(None)
    }

    /// Creates a guard that answers 303 with this `Location`, such as the login page. With 303, a browser asks for the
    /// page with GET, even after a POST.
    ///
    /// If the guard also guards that page, the browser would be redirected for ever. The answer is then 500 with a text
    /// that says so.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if the location is empty, is only a query or a fragment, or contains characters
    /// that are not allowed in a header.
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

    /// Adds the path that the user asked for to the redirect, in a query parameter of this name:
    /// `/login?next=%2Fcart%3Fpage%3D2`. It changes nothing for a guard that answers JSON.
    ///
    /// The parameter is added for GET and HEAD requests only, and only if [`own_path`] accepts the path. Anyone can
    /// write a link to the login page, so the page must call `own_path` again before it redirects to the parameter.
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
            on_redirect: None,
        };
        Self { rules: Arc::new(rules) }
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    /// Requires a session of this engine, instead of the innermost layer's. Use it where layers are nested or stand
    /// side by side.
    #[must_use]
    pub fn with_engine(self, engine: &SessionEngine) -> Self {
        self.with(|rules| rules.engine = Some(engine.clone()))
    }

    /// Also requires the session to have this member.
    ///
    /// A value that JavaScript calls falsy counts as absent: `null`, `false`, `0` and `""`. Empty `{}` and `[]` count
    /// as absent, too, because Passport leaves `"passport":{}` after a logout. A name with dots is a path through
    /// objects, such as `passport.user`, unless a member has the whole name.
    ///
    /// To Passport, the user `0` is logged in. If your users can have this id, use
    /// [`with_predicate`](Self::with_predicate).
    #[must_use]
    pub fn with_member(self, name: impl Into<String>) -> Self {
        self.with(|rules| rules.wants.push(Want::Member(name.into())))
    }

    /// Also requires the predicate to return true for the session.
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

    /// Guards only these paths and the paths below them, by whole segments. By default, all paths are guarded. A second
    /// call replaces the paths of the first. The paths are plain text: `{id}` matches only itself. ASCII letters match in
    /// any case, since those of Express's routes do.
    #[must_use]
    pub fn with_paths<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        self.with(|rules| rules.paths = Some(absolute(paths)))
    }

    /// Does not guard these paths and the paths below them, in this letter case. `/` exempts the root page alone. A second
    /// call replaces the paths of the first.
    #[must_use]
    pub fn without_paths<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        self.with(|rules| rules.except = absolute(paths))
    }

    /// Calls `note` with the session of each request that is redirected, and with the path and query that the browser
    /// asked for, of any method. What it changes in the session is stored with the redirect, so each visitor who is
    /// redirected gets a session. Nothing is called for a request without one, as while the store is unavailable.
    ///
    /// An error of `note` is reported to [`on_error`](crate::FailureOptions::on_error), and the request is redirected.
    ///
    /// ```
    /// use cloakroom_tower::{RequireSession, own_path};
    ///
    /// let guard = RequireSession::redirect("/login")?
    ///     .with_member("user")
    ///     .with_on_redirect(|session, path| session.insert("wanted", own_path(path).unwrap_or("/")));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_on_redirect(
        self,
        note: impl Fn(&Session, &str) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.with(|rules| rules.on_redirect = Some(Arc::new(note)))
    }

    /// Takes from the request what [`refusal`](Self::refusal) needs, or returns `None` if it is not guarded. The head
    /// is borrowed, so this cannot wait for the session.
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
        let wanted = rules.on_redirect.as_ref().and(wanted(head)).map(str::to_owned);
        Some(Asked::Session(session, rules.target(head), wanted))
    }

    /// Returns the response to send in place of the handler's, or `None` if the request passes. For frameworks other
    /// than tower. The head's extensions must be those that [`ServedRequest::put_into`](crate::ServedRequest::put_into)
    /// was called with.
    ///
    /// ```
    /// use cloakroom_tower::{RequestHead, RequireSession};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let guard = RequireSession::json().with_paths(["/account"]);
    /// let request = http::Request::get("/prices").body(()).unwrap();
    /// assert!(guard.refuse(RequestHead::from(&request)).await.is_none());
    /// # });
    /// ```
    pub async fn refuse(&self, head: RequestHead<'_>) -> Option<Response<Bytes>> {
        match self.asked(head) {
            Some(asked) => self.refusal(asked).await,
            None => None,
        }
    }

    /// The answer to a guarded request, or `None` when it passes.
    async fn refusal(&self, asked: Asked) -> Option<Response<Bytes>> {
        let (lazy, target, wanted) = match asked {
            Asked::Misplaced(error, engine) => return Some(answer(&error, engine.as_ref())),
            Asked::Session(lazy, target, wanted) => (lazy, target, wanted),
        };
        let session = match &lazy {
            None => None,
            Some(lazy) => match lazy.get().await {
                Ok(session) => session,
                Err(error) => return Some(lazy.engine().refusal(&error)),
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
                if let (Some(note), Some(session), Some(wanted)) =
                    (&self.rules.on_redirect, &session, &wanted)
                    && let Err(error) = note(session, wanted)
                {
                    session.engine().options().tell(&error);
                }
                let mut response = text_response(StatusCode::SEE_OTHER, "text/plain", "");
                response.headers_mut().insert(LOCATION, location);
                response
            }
        };
        Some(response)
    }
}

/// The answer of a guard that is in the wrong place. Its text is for the developer, who sees it at the first request. A
/// 401 would look like a missing login instead.
fn answer(error: &Error, engine: Option<&SessionEngine>) -> Response<Bytes> {
    if let Some(engine) = engine {
        engine.options().tell(error);
    }
    let response = text_response(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "");
    let text = format!("{error}\n");
    response.map(|_| text.into())
}

/// What decides whether a guarded request passes.
enum Asked {
    /// The guard is inside no layer, or inside the wrong one. The engine, if there is one, reports the error.
    Misplaced(Error, Option<SessionEngine>),
    /// The request's session, if it has one, where to redirect it if it is refused, and what `on_redirect` gets.
    Session(Option<LazySession>, Result<Option<HeaderValue>, Error>, Option<String>),
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

/// Returns the path and query that the browser asked for.
fn wanted(head: RequestHead<'_>) -> Option<&str> {
    head.original_uri().path_and_query().map(PathAndQuery::as_str)
}

impl Rules {
    /// Returns true if a request for this path has to pass the guard. A path that cannot be decoded has to.
    fn guards(&self, path: &str) -> bool {
        let Some(readings) = path_readings(path) else { return true };
        let is_named = self.paths.as_deref().is_none_or(|paths| {
            let is_named = |above: &str, reading: &String| is_below_in_any_case(above, reading);
            paths.iter().any(|above| readings.iter().any(|reading| is_named(above, reading)))
        });
        // Guarding too much is safe and exempting too much is not: a path is guarded if a server can read it as one that
        // is, and exempt only if every server does. `/` would exempt every path, so it stands for the root alone.
        let is_exempt = self.except.iter().any(|above| match &**above {
            "/" => path == "/",
            above => readings.iter().all(|reading| is_below(above, reading)),
        });
        is_named && !is_exempt
    }

    /// Returns true if the session has everything that is required.
    fn is_met(&self, session: Option<&Session>) -> bool {
        // A session that this request has made counts only by a member that somebody set: a middleware around the guard
        // has logged the visitor in.
        let has_member = self.wants.iter().any(|want| matches!(want, Want::Member(_)));
        let Some(session) = session.filter(|session| has_member || session.is_brought()) else {
            return false;
        };
        // A session that was destroyed cannot be asked, and does not count.
        session.with(|record| self.wants.iter().all(|want| want.is_met(record))).unwrap_or_default()
    }

    /// Returns where to redirect this request if it is refused, or `None` if the answer is 401.
    fn target(&self, head: RequestHead<'_>) -> Result<Option<HeaderValue>, Error> {
        let Some(location) = &self.location else { return Ok(None) };
        let is_get = matches!(*head.method(), Method::GET | Method::HEAD);
        if is_get && leads_to(location, head.path()) {
            return Err(misplaced(format!(
                "RequireSession redirects to {location:?} and guards that page too; exclude it with without_paths, or \
                 add its route after route_layer"
            )));
        }
        let next = wanted(head).filter(|_| is_get).and_then(own_path);
        let location = match (&self.next, next) {
            (Some(name), Some(next)) => Cow::Owned(with_parameter(location, name, next)),
            _ => Cow::Borrowed(&**location),
        };
        // The location was checked when the guard was made, and the parameter adds only ASCII.
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
