//! A future with a deadline, and the timers that it takes.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use tokio::{
    runtime::Handle,
    time::{Sleep, sleep},
};

/// Whether something may have been written although the answer is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// Nothing is written, or it is not for the caller to know: the expiry alone is moved.
    Read,
    Write,
}

/// A timer; `None` without a tokio runtime, or where that has no timers.
pub(crate) fn timer(duration: Duration) -> Option<Sleep> {
    Handle::try_current().ok()?;
    // Tokio 1.54 does not tell whether a runtime has timers, and panics where it has none.
    catch_unwind(AssertUnwindSafe(|| sleep(duration))).ok()
}

/// The answer of `work`, or a [`Timeout`](ErrorKind::Timeout) error when `deadline` passes first.
///
/// Every store has a deadline for each operation; this one is for all of them together, whatever the store.
/// Work that is ready at once costs no timer, and needs no runtime. Work that is not ready where there are no timers is a
/// [`Config`](ErrorKind::Config) error.
pub(crate) async fn within<T: Send>(
    deadline: Duration,
    operation: &'static str,
    does: Does,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let mut work = pin!(work);
    if let Poll::Ready(answer) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        return answer;
    }
    let unanswered = |kind, message: String| {
        let error = Error::new(kind, "session", operation, message);
        if does == Does::Write { error.with_outcome_unknown() } else { error }
    };
    let Some(timer) = timer(deadline) else {
        let message = "a deadline needs a tokio runtime that was built with `enable_time`";
        return Err(unanswered(ErrorKind::Config, message.to_owned()));
    };
    let mut timer = pin!(timer);
    poll_fn(|cx| {
        if let Poll::Ready(answer) = work.as_mut().poll(cx) {
            return Poll::Ready(answer);
        }
        timer
            .as_mut()
            .poll(cx)
            .map(|()| Err(unanswered(ErrorKind::Timeout, format!("not done within {deadline:?}"))))
    })
    .await
}
