//! A future with a deadline.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};

/// The answer of `work`, or a [`Timeout`](ErrorKind::Timeout) error when `deadline` passes first.
///
/// Every store has a deadline for each operation; this one is for all of them together, whatever the store.
/// Work that is ready at once costs no timer, and needs no runtime.
pub(crate) async fn within<T: Send>(
    deadline: Duration,
    operation: &'static str,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let mut work = pin!(work);
    if let Poll::Ready(answer) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        return answer;
    }
    match tokio::time::timeout(deadline, work).await {
        Ok(answer) => answer,
        Err(_) => {
            let message = format!("not done within {deadline:?}");
            Err(Error::new(ErrorKind::Timeout, "session", operation, message)
                .with_outcome_unknown())
        }
    }
}
