//! The state of a session while its request is served.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloakroom_core::{Cookie, Error, ErrorKind, SessionData};

use crate::{
    computed::{Computation, ComputedMember},
    request::RequestFacts,
    setup::Setup,
};

/// All that the handles on one request's session share.
pub(crate) struct Shared<M: ?Sized> {
    pub(crate) setup: Arc<Setup>,
    pub(crate) request: RequestFacts,
    /// Held while the store is asked.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State<M>>,
}

pub(crate) struct State<M: ?Sized> {
    /// Grows with each change of the record.
    version: u64,
    /// The response has begun.
    pub(crate) is_closed: bool,
    pub(crate) id: String,
    pub(crate) current: Current,
    /// No request before this one has had it, as far as is known.
    pub(crate) is_new: bool,
    /// The browser brought the cookie of this session, or of one whose data it keeps under a new id.
    pub(crate) is_brought: bool,
    /// Why nothing can be changed: when the request began, the store was unavailable or refused to extend the session, or
    /// the request's cookies could not be read.
    pub(crate) refused: Option<ErrorKind>,
    pub(crate) memory: M,
}

/// What the request's session is by now.
pub(crate) enum Current {
    /// Shared with those who read it without a lock.
    Live(Arc<SessionData>),
    /// Destroyed; this was its cookie.
    Destroyed(Box<Cookie>),
    /// Dropped by `unset`; this was its record.
    Unset(Arc<SessionData>),
}

/// What a preset remembers of a request besides the record.
///
/// Computations are user callbacks: whoever takes them drops them only after releasing the lock.
pub(crate) trait Memory: Send {
    /// Remembers how a member is computed, to compute it again if another request has written in between. The
    /// computation starts from this record.
    fn add_computed(&mut self, _record: &SessionData, _name: &str, _compute: &Arc<Computation>) {}

    /// Takes the computations of one member, or of all.
    fn take_computed(&mut self, _name: Option<&str>) -> Vec<ComputedMember> {
        Vec::new()
    }
}

impl<M> Shared<M> {
    pub(crate) fn new(setup: Arc<Setup>, request: RequestFacts, mut state: State<M>) -> Self {
        // The browser can have a live session. A logout would not end it, and a new one would take its place, although
        // the next request could not bring that one either.
        if request.is_unread {
            state.refused = Some(ErrorKind::InvalidData);
        }
        Self { setup, request, turn: tokio::sync::Mutex::default(), state: Mutex::new(state) }
    }
}

impl<M: Memory + ?Sized> Shared<M> {
    /// Locks the state. The guard is never held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State<M>> {
        // No user callback runs under the lock, so nothing can panic there and leave half a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if the response has not begun.
    pub(crate) fn open(&self, operation: &'static str) -> Result<MutexGuard<'_, State<M>>, Error> {
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
    ) -> Result<MutexGuard<'_, State<M>>, Error> {
        let state = self.open(operation)?;
        if let Some(kind) = state.refused {
            let message = if self.request.is_unread {
                "the session cannot be changed: the Cookie header is too long to be read (option \"max_cookie_header\")"
            } else {
                "the session cannot be changed: when the request began, the store was unavailable or refused to extend \
                 the session"
            };
            return Err(Error::new(kind, "session", operation, message));
        }
        Ok(state)
    }

    /// Waits for the turn to ask the store, which the handles of a request take one after the other, and the end of the
    /// request after them. Two handles that save at the same time would otherwise conflict with each other.
    ///
    /// # Errors
    ///
    /// [`Timeout`](ErrorKind::Timeout) if another handle has the turn until the deadline.
    pub(crate) async fn turn(
        &self,
        operation: &'static str,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
        if let Some(turn) = self.turn_at_once() {
            return Ok(turn);
        }
        let turn = self.setup.longest().adopt(async { Ok(self.turn.lock().await) });
        self.setup.within_reading(operation, turn).await
    }

    /// Returns the turn to ask the store, unless another handle has it.
    pub(crate) fn turn_at_once(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        self.turn.try_lock().ok()
    }

    /// Closes the session's handles. Returns true if they were open. User callbacks, which may hold the session itself,
    /// are dropped by [`forget`](Self::forget) when the request has ended.
    pub(crate) fn close(&self) -> bool {
        !std::mem::replace(&mut self.state().is_closed, true)
    }

    /// Drops the user callbacks that handles have been given.
    pub(crate) fn forget(&self) {
        let computed = self.state().memory.take_computed(None);
        drop(computed);
    }

    /// A new id and an empty session with the cookie of the options.
    pub(crate) fn generate(&self) -> Result<(String, SessionData), Error> {
        self.setup.generate(&self.request)
    }
}

impl<M> State<M> {
    pub(crate) fn new(id: String, record: Arc<SessionData>, is_new: bool, memory: M) -> Self {
        let current = Current::Live(record);
        let is_brought = !is_new;
        Self {
            version: 0,
            is_closed: false,
            id,
            current,
            is_new,
            is_brought,
            refused: None,
            memory,
        }
    }
}

impl<M: Memory + ?Sized> State<M> {
    /// Remembers how a member is computed, before the record gets the new value.
    pub(crate) fn add_computed(&mut self, name: &str, compute: &Arc<Computation>) {
        if let Current::Live(record) = &self.current {
            self.memory.add_computed(record, name, compute);
        }
    }

    /// Returns a number that changes with each change of the record.
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

    /// Like [`record`](Self::record), but to change it. If somebody is reading the record, this is a copy.
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
            Current::Live(record) | Current::Unset(record) => record.cookie(),
            Current::Destroyed(cookie) => cookie,
        }
    }
}

/// The error for a handle that is used after the end of its request.
pub(crate) fn closed(operation: &'static str) -> Error {
    let message = "the response has begun, so the session can no longer be used";
    Error::new(ErrorKind::Unsupported, "session", operation, message)
}

fn gone(operation: &'static str) -> Error {
    let message = "the session was destroyed or unset; regenerate() starts a new one";
    Error::new(ErrorKind::Unsupported, "session", operation, message)
}

/// How often a change is tried while other handles change the same member. Handles that meet by chance need far fewer
/// tries; a closure that changes the session which it is called for never ends.
pub(crate) const MOST_TRIES: usize = 100;

/// The error for a change that changes the session each time it runs, and would run for ever.
pub(crate) fn without_end(operation: &'static str) -> Error {
    let message = "the closure changes the session that it is called for; change it only through the argument";
    Error::new(ErrorKind::Other, "session", operation, message)
}
