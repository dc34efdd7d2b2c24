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
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let mut work = pin!(work);
    if let Poll::Ready(answer) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        return answer;
    }
    let Some(timer) = timer(deadline) else {
        let message = "a deadline needs a tokio runtime that was built with `enable_time`";
        return Err(
            Error::new(ErrorKind::Config, "session", operation, message).with_outcome_unknown()
        );
    };
    let mut timer = pin!(timer);
    poll_fn(|cx| {
        if let Poll::Ready(answer) = work.as_mut().poll(cx) {
            return Poll::Ready(answer);
        }
        timer.as_mut().poll(cx).map(|()| {
            let message = format!("not done within {deadline:?}");
            Err(Error::new(ErrorKind::Timeout, "session", operation, message)
                .with_outcome_unknown())
        })
    })
    .await
}
