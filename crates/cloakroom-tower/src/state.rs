//! The state of a session while its request is served.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloakroom_core::{Cookie, Error, ErrorKind, SessionData};
use http::{Extensions, HeaderMap, Method, Uri};

use crate::{
    Preset, RequestHead, SessionEngine,
    express::Express,
    safe::{self, Safe},
};

/// All that the handles on one request's session share.
pub(crate) struct Shared {
    pub(crate) engine: SessionEngine,
    pub(crate) request: Arc<RequestFacts>,
    state: Mutex<State>,
    /// Held while the store is asked.
    turn: tokio::sync::Mutex<()>,
}

/// What stays of the request while the handler has it.
pub(crate) struct RequestFacts {
    pub(crate) is_secure: bool,
    /// The browser sent a cookie of our name that verifies.
    pub(crate) has_cookie: bool,
    /// A copy of the head, if there are options that are functions of it.
    head: Option<(Method, Uri, HeaderMap, Extensions)>,
}

pub(crate) struct State {
    /// Grows with each change of the record.
    version: u64,
    /// The response has begun.
    pub(crate) is_closed: bool,
    pub(crate) id: String,
    pub(crate) current: Current,
    /// No request before this one has had it, as far as is known.
    pub(crate) is_new: bool,
    /// Why nothing can be changed: the store was away when the request began.
    pub(crate) refused: Option<ErrorKind>,
    pub(crate) rules: Rules,
}

/// What the request's session is by now.
pub(crate) enum Current {
    /// Shared with those who read it without a lock.
    Live(Arc<SessionData>),
    /// Destroyed; this was its cookie.
    Destroyed(Cookie),
    /// Dropped by `unset`; this was its cookie.
    Unset(Cookie),
}

/// What one preset remembers, and the other does not.
pub(crate) enum Rules {
    Express(Box<Express>),
    Safe(Box<Safe>),
}

impl RequestFacts {
    pub(crate) fn new(engine: &SessionEngine, head: RequestHead<'_>, has_cookie: bool) -> Self {
        let options = engine.options();
        // next-session sends whatever cookie it has over whatever connection there is.
        let is_secure = options.preset == Preset::NextSession || options.proxy.is_secure(head);
        let is_asked = options.cookie_for.is_some() || options.genid.is_some();
        let head = is_asked.then(|| {
            let (method, uri) = (head.method().clone(), head.uri().clone());
            (method, uri, head.headers().clone(), head.extensions().clone())
        });
        Self { is_secure, has_cookie, head }
    }

    /// Calls `ask` with the request's head, or with an empty one if nobody looks at it.
    pub(crate) fn with_head<T>(&self, ask: impl FnOnce(RequestHead<'_>) -> T) -> T {
        match &self.head {
            Some((method, uri, headers, extensions)) => {
                ask(RequestHead::new(method, uri, headers, extensions))
            }
            None => ask((&http::Request::new(())).into()),
        }
    }
}

impl Shared {
    pub(crate) fn new(engine: SessionEngine, request: Arc<RequestFacts>, state: State) -> Self {
        Self { engine, request, state: Mutex::new(state), turn: tokio::sync::Mutex::default() }
    }

    /// The state, for a moment: it is never held while something is awaited.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // No user callback runs under the lock, so nothing can panic there and leave half a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if the response has not begun.
    pub(crate) fn open(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.state();
        if state.is_closed {
            return Err(closed(operation));
        }
        Ok(state)
    }

    /// The state, if the session can still be changed.
    pub(crate) fn open_for_change(
        &self,
        operation: &'static str,
    ) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.open(operation)?;
        if let Some(kind) = state.refused {
            let message =
                "the store was away when the request began, so the session cannot be changed";
            return Err(Error::new(kind, "session", operation, message));
        }
        Ok(state)
    }

    /// The turn to ask the store: handles that do so at the same time do it one after the other, and the end of the
    /// request after them.
    ///
    /// # Errors
    ///
    /// [`Timeout`](ErrorKind::Timeout) when it is not this one's turn by the deadline.
    pub(crate) async fn turn(
        &self,
        operation: &'static str,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
        self.engine.within_reading(operation, async { Ok(self.turn.lock().await) }).await
    }

    /// Closes the session's handles; returns whether they were open. What a handle has been given of others, which may
    /// hold the session itself, is dropped when the request has ended: by [`forget`](Self::forget).
    pub(crate) fn close(&self) -> bool {
        !std::mem::replace(&mut self.state().is_closed, true)
    }

    /// Drops the user callbacks that handles have been given.
    pub(crate) fn forget(&self) {
        let edits = safe::take_edits(&mut self.state(), None);
        drop(edits);
    }

    /// A new id and an empty session with the cookie of the options.
    pub(crate) fn generate(&self) -> Result<(String, SessionData), Error> {
        self.engine.generate(&self.request)
    }
}

impl State {
    pub(crate) fn new(id: String, record: Arc<SessionData>, is_new: bool, rules: Rules) -> Self {
        let current = Current::Live(record);
        Self { version: 0, is_closed: false, id, current, is_new, refused: None, rules }
    }

    /// A number that is another one after each change of the record.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The record, or an error when the session was destroyed or dropped.
    pub(crate) fn record(&self, operation: &'static str) -> Result<&Arc<SessionData>, Error> {
        match &self.current {
            Current::Live(record) => Ok(record),
            Current::Destroyed(_) | Current::Unset(_) => Err(gone(operation)),
        }
    }

    /// As [`record`](Self::record), to be changed: a copy, if somebody is reading it.
    pub(crate) fn record_mut(
        &mut self,
        operation: &'static str,
    ) -> Result<&mut SessionData, Error> {
        self.version += 1;
        match &mut self.current {
            Current::Live(record) => Ok(Arc::make_mut(record)),
            Current::Destroyed(_) | Current::Unset(_) => Err(gone(operation)),
        }
    }

    /// The cookie of the session, also of one that is gone.
    pub(crate) fn cookie(&self) -> &Cookie {
        match &self.current {
            Current::Live(record) => record.cookie(),
            Current::Destroyed(cookie) | Current::Unset(cookie) => cookie,
        }
    }
}

pub(crate) fn closed(operation: &'static str) -> Error {
    let message = "the response has begun, so the session can no longer be used";
    Error::new(ErrorKind::Unsupported, "session", operation, message)
}

fn gone(operation: &'static str) -> Error {
    let message = "the session was destroyed or unset; regenerate() starts a new one";
    Error::new(ErrorKind::Unsupported, "session", operation, message)
}
