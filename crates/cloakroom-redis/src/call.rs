//! One operation under way.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// Longer deadlines are cut to this.
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

/// One operation: its name for errors, and when it has to end. All its round trips share the deadline.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) limit: Duration,
    pub(crate) began: Instant,
    pub(crate) deadline: Instant,
    /// Whether a write of it was sent whose answer was lost: whatever fails later, it can have been done.
    unanswered: AtomicBool,
    /// Whether a command of it was sent twice.
    repeated: AtomicBool,
}

impl Call {
    pub(crate) fn start(operation: &'static str, limit: Duration) -> Self {
        let began = Instant::now();
        Self {
            operation,
            limit,
            began,
            deadline: began + limit.min(FAR),
            unanswered: AtomicBool::new(false),
            repeated: AtomicBool::new(false),
        }
    }

    /// Notes that the answer to a command was lost.
    pub(crate) fn lose_answer(&self, effect: Effect) {
        if effect != Effect::Read {
            self.unanswered.store(true, Ordering::Relaxed);
        }
    }

    /// Returns whether a command may be sent a second time, which it may once an operation.
    pub(crate) fn repeat(&self, effect: Effect) -> bool {
        effect != Effect::Once && !self.repeated.swap(true, Ordering::Relaxed)
    }

    /// Whether it can have written something although it failed.
    pub(crate) fn outcome_unknown(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed)
    }
}
