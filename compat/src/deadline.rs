//! A future with a deadline, and the timers that it takes.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use tokio::{
    runtime::Handle,
    time::{Sleep, sleep},
};

/// Whether an operation that timed out may have been carried out all the same.
#[derive(Clone, Copy)]
pub(crate) enum Does<'a> {
    Read,
    Write,
    /// It may have been while this is `true`: a write is under way.
    Writes(&'a AtomicBool),
}

impl Does<'_> {
    /// The error of an operation whose answer is missing.
    pub(crate) fn unanswered(self, error: Error) -> Error {
        match self {
            Self::Read => error,
            Self::Write => error.with_outcome_unknown(),
            Self::Writes(is_under_way) if is_under_way.load(Relaxed) => {
                error.with_outcome_unknown()
            }
            Self::Writes(_) => error,
        }
    }

    /// The error of the store, which has no unknown outcome if it is a read's.
    pub(crate) fn answered(self, error: Error) -> Error {
        if matches!(self, Self::Read) { error.with_outcome_known() } else { error }
    }
}

/// A timer; `None` without a tokio runtime, or where that has no timers.
pub(crate) fn timer(duration: Duration) -> Option<Sleep> {
    Handle::try_current().ok()?;
    // Tokio 1.54 does not tell whether a runtime has timers, and panics where it has none.
    catch_unwind(AssertUnwindSafe(|| sleep(duration))).ok()
}

/// The answer of `future`, or a [`Timeout`](ErrorKind::Timeout) error when `deadline` passes first.
///
/// A future that is ready at once costs no timer, and needs no runtime. One that is not ready where there are no timers
/// is a [`Config`](ErrorKind::Config) error.
pub(crate) async fn within<T: Send>(
    deadline: Duration,
    store: &str,
    operation: &'static str,
    does: Does<'_>,
    future: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let mut future = pin!(future);
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    if let Poll::Ready(answer) = first {
        return answer.map_err(|error| does.answered(error));
    }
    let new = |kind, message: String| Error::new(kind, store.to_owned(), operation, message);
    let Some(timer) = timer(deadline) else {
        let message = "a deadline needs a tokio runtime that was built with `enable_time`";
        return Err(does.unanswered(new(ErrorKind::Config, message.to_owned())));
    };
    let mut timer = pin!(timer);
    poll_fn(|cx| {
        // The store first: where both are due, it knows better what became of the operation.
        if let Poll::Ready(answer) = future.as_mut().poll(cx) {
            return Poll::Ready(answer.map_err(|error| does.answered(error)));
        }
        timer.as_mut().poll(cx).map(|()| {
            let message = format!("no answer within {} ms", deadline.as_millis());
            Err(does.unanswered(new(ErrorKind::Timeout, message)))
        })
    })
    .await
}
