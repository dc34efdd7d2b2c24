//! One operation under way.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// A deadline beyond this is none.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// What a command does when it is sent, and so what can be done when its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only reads.
    Read,
    /// It writes, and writing twice is the same as writing once.
    Repeatable,
    /// It writes, and must not be sent again if the first time can have worked: somebody else may have written since.
    Once,
}

/// One operation: its name for errors, its effect, and when it has to end. All its round trips share the deadline.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) effect: Effect,
    pub(crate) limit: Duration,
    pub(crate) deadline: Instant,
    /// Whether a command of it was sent whose answer was lost: whatever fails later, it can have been done.
    unanswered: AtomicBool,
}

impl Call {
    pub(crate) fn start(operation: &'static str, effect: Effect, limit: Duration) -> Self {
        let deadline = Instant::now() + limit.min(FAR);
        Self { operation, effect, limit, deadline, unanswered: AtomicBool::new(false) }
    }

    /// Notes that an answer was lost.
    pub(crate) fn lose_answer(&self) {
        self.unanswered.store(true, Ordering::Relaxed);
    }

    /// Whether it can have written something although it failed.
    pub(crate) fn outcome_unknown(&self) -> bool {
        self.effect != Effect::Read && self.unanswered.load(Ordering::Relaxed)
    }

    /// A round trip of the same operation that only reads.
    pub(crate) fn reading(&self) -> Self {
        let unanswered = AtomicBool::new(false);
        Self { effect: Effect::Read, unanswered, ..*self }
    }
}
