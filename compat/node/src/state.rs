//! What the handles and the threads of a store share.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use cloakroom_core::ErrorKind;

use crate::{
    calls::{Calls, Failed},
    event::NodeEvent,
    settings::Settings,
};

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    state: Mutex<State>,
    /// Wakes the supervisor.
    pub(crate) supervise: Condvar,
    /// Wakes the thread that writes to the child.
    pub(crate) write: Condvar,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) calls: Calls,
    /// No handle is left.
    pub(crate) is_closed: bool,
    /// The supervisor runs.
    pub(crate) has_supervisor: bool,
    /// When the supervisor looks again by itself.
    pub(crate) looks_at: Option<Instant>,
    /// The child, from its start to its end.
    pub(crate) child: Option<ChildState>,
}

/// What is known of a child.
#[derive(Default)]
pub(crate) struct ChildState {
    pub(crate) is_ready: bool,
    /// Why it ended or must end.
    pub(crate) end: Option<End>,
    /// Since when an answer is due and nothing has arrived.
    pub(crate) silent_since: Option<Instant>,
    /// Since then, it was asked whether it runs.
    pub(crate) is_asked: bool,
    /// The question must be written.
    pub(crate) asks: bool,
}

/// What is said of a child that ended by itself. How it ended is added.
pub(crate) const ENDED: &str = "the Node.js process ended";

/// Why a child ended.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    /// The word for it in events.
    pub(crate) reason: &'static str,
}

impl End {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), reason: "closed" }
    }
}

impl State {
    /// Notes that the child has said something, after `note` has taken it in.
    pub(crate) fn heard<T>(&mut self, note: impl FnOnce(&mut Calls) -> T) -> T {
        let noted = note(&mut self.calls);
        if let Some(child) = &mut self.child {
            child.silent_since = self.calls.is_sent().then(Instant::now);
            child.is_asked = false;
        }
        noted
    }
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let (state, supervise, write) = Default::default();
        Self { settings, state, supervise, write }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports an event to the application.
    pub(crate) fn report(&self, event: NodeEvent<'_>) {
        if let Some(on_event) = &self.settings.on_event {
            sheltered(|| on_event(event));
        }
    }
}

/// Answers calls with their errors. Nothing may be locked.
pub(crate) fn fail(calls: Vec<Failed>) {
    for (reply, error) in calls {
        sheltered(|| reply.fail(error));
    }
}

/// Runs code of the application, such as a waker. If it panicked on a thread of the store, no call would end any more.
pub(crate) fn sheltered(code: impl FnOnce()) {
    // Unwind safe: nothing of ours is changed by the code.
    let _ = catch_unwind(AssertUnwindSafe(code));
}
