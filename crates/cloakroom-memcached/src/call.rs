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

    /// Returns the time to its deadline.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Returns true if its deadline has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.time_left().is_zero()
    }

    /// Notes that an answer was lost.
    pub(crate) fn lose_answer(&self) {
        self.unanswered.store(true, Ordering::Relaxed);
    }

    /// Notes that the answer that was missed has come.
    pub(crate) fn find_answer(&self) {
        self.unanswered.store(false, Ordering::Relaxed);
    }

    /// Whether it can have written something although it failed.
    pub(crate) fn outcome_unknown(&self) -> bool {
        self.effect != Effect::Read && self.unanswered.load(Ordering::Relaxed)
    }

    /// A part of the same operation whose outcome is its own: another server's.
    pub(crate) fn part(&self) -> Self {
        let unanswered = AtomicBool::new(false);
        Self { unanswered, ..*self }
    }

    /// A round trip of the same operation that only reads.
    pub(crate) fn reading(&self) -> Self {
        Self { effect: Effect::Read, ..self.part() }
    }
}
