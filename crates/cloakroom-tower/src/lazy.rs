//! A session that is loaded when it is asked for, and which of several layers a session belongs to.

use std::{
    fmt, iter,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use cloakroom_core::Error;
use http::Extensions;
use tokio::sync::OnceCell;

use crate::{Session, SessionEngine, rules::Asked, state::closed};

/// A request's session, loaded or not: what [`SessionLayer`](crate::SessionLayer) puts into the extensions of each
/// request that it serves.
///
/// Clones are handles on the same session. With axum the extractor for [`Session`] asks it; elsewhere:
///
/// ```
/// use cloakroom_core::Error;
/// use cloakroom_tower::LazySession;
///
/// async fn greet(request: http::Request<()>) -> Result<String, Error> {
///     let session = request.extensions().get::<LazySession>().expect("the layer puts it there");
///     let Some(session) = session.get().await? else { return Ok("no session".to_owned()) };
///     Ok(session.get("user")?.unwrap_or_else(|| "nobody".to_owned()))
/// }
/// ```
#[derive(Clone)]
pub struct LazySession {
    inner: Arc<Inner>,
}

struct Inner {
    engine: SessionEngine,
    session: OnceCell<Session>,
    /// The cookies to load a session by. `None` if the store is unavailable, or if the session is loaded.
    asked: Option<Asked>,
    is_closed: AtomicBool,
    /// The reported reasons why it could not be loaded so far, so that none is reported twice.
    failures: Mutex<Vec<String>>,
    /// The session of the layer around this one.
    outer: Option<LazySession>,
}

/// How many different failures to load are remembered. Any others are reported a second time if a handler answers with
/// them.
const MOST_FAILURES: usize = 8;

impl LazySession {
    pub(crate) fn loaded(session: Session, outer: Option<Self>) -> Self {
        let engine = session.engine().clone();
        Self::new(engine, OnceCell::new_with(Some(session)), None, outer)
    }

    pub(crate) fn waiting(engine: SessionEngine, asked: Asked, outer: Option<Self>) -> Self {
        Self::new(engine, OnceCell::new(), Some(asked), outer)
    }

    /// For a request without a session; that of another engine does not take its place.
    pub(crate) fn unavailable(engine: SessionEngine, outer: Option<Self>) -> Self {
        Self::new(engine, OnceCell::new(), None, outer)
    }

    fn new(
        engine: SessionEngine,
        session: OnceCell<Session>,
        asked: Option<Asked>,
        outer: Option<Self>,
    ) -> Self {
        let (is_closed, failures) = (AtomicBool::new(false), Mutex::default());
        Self { inner: Arc::new(Inner { engine, session, asked, is_closed, failures, outer }) }
    }

    /// The session of the innermost layer that a request came through.
    pub(crate) fn innermost(extensions: &Extensions) -> Option<Self> {
        let lazy = extensions.get::<Self>();
        match Self::by_hand(extensions, lazy) {
            Some(session) => Some(Self::loaded(session.clone(), lazy.cloned())),
            None => lazy.cloned(),
        }
    }

    /// A session that no layer has put there, or inside of all layers. The layers keep the two in step.
    pub(crate) fn put_by_hand(extensions: &Extensions) -> Option<&Session> {
        Self::by_hand(extensions, extensions.get::<Self>())
    }

    fn by_hand<'a>(extensions: &'a Extensions, lazy: Option<&Self>) -> Option<&'a Session> {
        extensions.get::<Session>().filter(|session| lazy.is_none_or(|lazy| !lazy.has(session)))
    }

    /// The session of one engine among those that a request came through.
    pub(crate) fn of(engine: &SessionEngine, extensions: &Extensions) -> Option<Self> {
        let innermost = Self::innermost(extensions)?;
        innermost.outwards().find(|lazy| lazy.engine().is(engine)).cloned()
    }

    /// Returns true if this session, or one of a layer further out, is of this engine.
    pub(crate) fn has_one_of(&self, engine: &SessionEngine) -> bool {
        self.outwards().any(|lazy| lazy.engine().is(engine))
    }

    /// This session, and those of the layers around.
    fn outwards(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |lazy| lazy.inner.outer.as_ref())
    }

    /// Makes this the innermost session of a request.
    pub(crate) fn put_into(&self, extensions: &mut Extensions) {
        match self.inner.session.get() {
            Some(session) => drop(extensions.insert(session.clone())),
            None => drop(extensions.remove::<Session>()),
        }
        extensions.insert(self.clone());
        PassedBy::note_served(extensions);
    }

    fn has(&self, session: &Session) -> bool {
        self.inner.session.get().is_some_and(|own| own.is(session))
    }

    /// Returns the session, and loads it first if this is the first call. Returns `None` if the store is unavailable,
    /// as [`is_connected`](crate::FailureOptions::is_connected) says.
    ///
    /// # Errors
    ///
    /// As [`SessionEngine::load`]; the next call tries again. [`Unsupported`](cloakroom_core::ErrorKind::Unsupported)
    /// if the response has begun.
    pub async fn get(&self) -> Result<Option<Session>, Error> {
        let Inner { engine, session, asked, is_closed, .. } = &*self.inner;
        if let Some(session) = session.get() {
            return Ok(Some(session.clone()));
        }
        let Some(asked) = asked else { return Ok(None) };
        if is_closed.load(Ordering::SeqCst) {
            return Err(closed("load"));
        }
        let session = session.get_or_try_init(|| Session::load(engine, asked)).await;
        let session = session.inspect_err(|error| self.note_failure(error))?;
        // The response may have begun while the store was asked; nothing would be written then.
        if is_closed.load(Ordering::SeqCst)
            && let Some(life) = session.end()
        {
            life.shared().close();
        }
        Ok(Some(session.clone()))
    }

    /// Remembers an error by its text, since a handler can answer with a copy of it.
    fn note_failure(&self, error: &Error) {
        let (failure, mut failures) = (error.to_string(), self.failures());
        if failures.len() < MOST_FAILURES && !failures.contains(&failure) {
            failures.push(failure);
        }
    }

    /// Returns true if this error was reported when the session could not be loaded. If the session was loaded later,
    /// an error with the same words is a new one.
    pub(crate) fn has_told(&self, error: &Error) -> bool {
        self.inner.session.get().is_none() && self.failures().contains(&error.to_string())
    }

    fn failures(&self) -> MutexGuard<'_, Vec<String>> {
        self.inner.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the engine that loads the session.
    #[must_use]
    pub fn engine(&self) -> &SessionEngine {
        &self.inner.engine
    }

    /// The session if somebody has asked for it. From now on nobody else can.
    pub(crate) fn end(&self) -> Option<&Session> {
        self.inner.is_closed.store(true, Ordering::SeqCst);
        self.inner.session.get()
    }
}

/// The engines whose layers a request came through without a session, since their cookie has another path. A guard
/// tells them from layers that are not there.
#[derive(Clone)]
pub(crate) struct PassedBy {
    engines: Vec<SessionEngine>,
    /// No layer further in has served the request.
    is_innermost: bool,
}

impl PassedBy {
    pub(crate) fn note(engine: &SessionEngine, extensions: &mut Extensions) {
        // A layer that is there twice has served the request further out.
        if LazySession::innermost(extensions).is_some_and(|lazy| lazy.engine().is(engine)) {
            return Self::note_served(extensions);
        }
        let passed =
            extensions.get_or_insert_with(|| Self { engines: Vec::new(), is_innermost: true });
        passed.engines.push(engine.clone());
        passed.is_innermost = true;
    }

    fn note_served(extensions: &mut Extensions) {
        if let Some(passed) = extensions.get_mut::<Self>() {
            passed.is_innermost = false;
        }
    }

    /// Returns true if this engine has passed the request by, or any engine if none is named.
    pub(crate) fn has(engine: Option<&SessionEngine>, extensions: &Extensions) -> bool {
        let Some(Self { engines, .. }) = extensions.get::<Self>() else { return false };
        engine.is_none_or(|engine| engines.iter().any(|passed| passed.is(engine)))
    }

    /// The engine of the innermost layer, if that one has passed the request by.
    pub(crate) fn innermost(extensions: &Extensions) -> Option<&SessionEngine> {
        extensions.get::<Self>().filter(|passed| passed.is_innermost)?.engines.last()
    }
}

impl fmt::Debug for LazySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazySession").finish_non_exhaustive()
    }
}
