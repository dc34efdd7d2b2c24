//! One operation under way.

use std::time::Duration;

use tokio::time::Instant;

/// A deadline beyond this is none.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// What an operation does when it is sent, and so what can be done when its answer is lost.
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) effect: Effect,
    pub(crate) limit: Duration,
    pub(crate) start: Instant,
    pub(crate) deadline: Instant,
}

impl Call {
    pub(crate) fn start(operation: &'static str, effect: Effect, limit: Duration) -> Self {
        let start = Instant::now();
        Self { operation, effect, limit, start, deadline: start + limit.min(FAR) }
    }

    /// How long a client may leave this call without an answer before it is left: most of the limit.
    ///
    /// A call that waited for something else first, and has hardly begun at its deadline, says nothing of the client.
    pub(crate) fn patience(&self) -> Duration {
        (self.deadline - self.start) / 4 * 3
    }
}
