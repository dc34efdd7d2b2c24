//! A session that is loaded when it is asked for, and which of several layers a session belongs to.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use cloakroom_core::Error;
use http::Extensions;
use tokio::sync::OnceCell;

use crate::{Session, SessionEngine, safe, state::closed};

/// When a session is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loading {
    /// Before the handler runs. Each visit keeps the session alive, and [`Session`] is in the request's extensions.
    Eager,
    /// When a handler first asks for it, by axum's extractor or by [`LazySession::get`]. A request that never asks sends
    /// nothing to the store and does not depend on it, and does not keep the session alive either.
    OnDemand,
}

/// A request's session, loaded or not: what [`SessionLayer`](crate::SessionLayer) puts into the extensions of each request
/// that it serves.
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
    /// What is to be loaded. `None` when there is nothing: the store is disconnected, or the session is there.
    asked: Option<safe::Asked>,
    is_closed: AtomicBool,
    /// Why it could not be loaded at first, which has been told.
    failure: OnceLock<String>,
    /// The session of the layer around this one.
    outer: Option<LazySession>,
}

impl LazySession {
    pub(crate) fn loaded(session: Session, outer: Option<Self>) -> Self {
        let engine = session.engine().clone();
        Self::new(engine, OnceCell::new_with(Some(session)), None, outer)
    }

    pub(crate) fn waiting(engine: SessionEngine, asked: safe::Asked, outer: Option<Self>) -> Self {
        Self::new(engine, OnceCell::new(), Some(asked), outer)
    }

    /// There is no session, and no other engine's takes its place.
    pub(crate) fn away(engine: SessionEngine, outer: Option<Self>) -> Self {
        Self::new(engine, OnceCell::new(), None, outer)
    }

    fn new(
        engine: SessionEngine,
        session: OnceCell<Session>,
        asked: Option<safe::Asked>,
        outer: Option<Self>,
    ) -> Self {
        let (is_closed, failure) = (AtomicBool::new(false), OnceLock::new());
        Self { inner: Arc::new(Inner { engine, session, asked, is_closed, failure, outer }) }
    }

    /// The session of the innermost layer that a request came through.
    pub(crate) fn innermost(extensions: &Extensions) -> Option<Self> {
        let lazy = extensions.get::<Self>().cloned();
        match Self::put_by_hand(extensions) {
            Some(session) => Some(Self::loaded(session.clone(), lazy)),
            None => lazy,
        }
    }

    /// A session that no layer has put there, or inside of all layers. The layers keep the two in step.
    pub(crate) fn put_by_hand(extensions: &Extensions) -> Option<&Session> {
        let lazy = extensions.get::<Self>();
        extensions.get::<Session>().filter(|session| lazy.is_none_or(|lazy| !lazy.has(session)))
    }

    /// The session of one engine among those that a request came through.
    pub(crate) fn of(engine: &SessionEngine, extensions: &Extensions) -> Option<Self> {
        let mut lazy = Self::innermost(extensions)?;
        while !lazy.engine().is(engine) {
            lazy = lazy.inner.outer.clone()?;
        }
        Some(lazy)
    }

    /// Makes this the innermost session of a request.
    pub(crate) fn put_into(&self, extensions: &mut Extensions) {
        match self.inner.session.get() {
            Some(session) => drop(extensions.insert(session.clone())),
            None => drop(extensions.remove::<Session>()),
        }
        extensions.insert(self.clone());
    }

    fn has(&self, session: &Session) -> bool {
        self.inner.session.get().is_some_and(|own| own.is(session))
    }

    /// The session, loaded now if nobody has asked before. `None` when the store is disconnected, as
    /// [`is_connected`](crate::SessionOptions::is_connected) says.
    ///
    /// # Errors
    ///
    /// As [`SessionEngine::load`], and whoever asks next tries again;
    /// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) when the response has begun.
    pub async fn get(&self) -> Result<Option<Session>, Error> {
        let Inner { engine, session, asked, is_closed, .. } = &*self.inner;
        if let Some(session) = session.get() {
            return Ok(Some(session.clone()));
        }
        let Some(asked) = asked else { return Ok(None) };
        if is_closed.load(Ordering::SeqCst) {
            return Err(closed("load"));
        }
        let loaded = session.get_or_try_init(|| safe::load(engine, asked)).await;
        let session =
            loaded.inspect_err(|error| drop(self.inner.failure.set(error.to_string())))?;
        // The response may have begun while the store was asked; nothing would be written then.
        if is_closed.load(Ordering::SeqCst) {
            session.shared().close();
        }
        Ok(Some(session.clone()))
    }

    /// Returns true if this is the error that loading it has met, which has been told.
    pub(crate) fn has_told(&self, error: &Error) -> bool {
        self.inner.failure.get().is_some_and(|failure| *failure == error.to_string())
    }

    /// The engine that loads it.
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
pub(crate) struct PassedBy(Vec<SessionEngine>);

impl PassedBy {
    pub(crate) fn note(engine: &SessionEngine, extensions: &mut Extensions) {
        match extensions.get_mut::<Self>() {
            Some(Self(engines)) => engines.push(engine.clone()),
            None => drop(extensions.insert(Self(vec![engine.clone()]))),
        }
    }

    /// Returns true if this engine has passed the request by, or any engine if none is named.
    pub(crate) fn has(engine: Option<&SessionEngine>, extensions: &Extensions) -> bool {
        let Some(Self(engines)) = extensions.get::<Self>() else { return false };
        engine.is_none_or(|engine| engines.iter().any(|passed| passed.is(engine)))
    }
}

impl fmt::Debug for LazySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazySession").finish_non_exhaustive()
    }
}
