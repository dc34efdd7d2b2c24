//! A future with a deadline.

use std::{
    borrow::Cow,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};

/// Whether an operation that timed out may have been carried out all the same.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Does {
    Read,
    Write,
}

/// The answer of `future`, or a [`Timeout`](ErrorKind::Timeout) error when `deadline` passes first.
///
/// A future that is ready at once costs no timer, and needs no runtime.
pub(crate) async fn within<T: Send>(
    deadline: Duration,
    store: &str,
    operation: &'static str,
    does: Does,
    future: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let mut future = pin!(future);
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    if let Poll::Ready(answer) = first {
        return answer;
    }
    match tokio::time::timeout(deadline, future).await {
        Ok(answer) => answer,
        Err(_) => {
            let message = format!("no answer within {} ms", deadline.as_millis());
            let error =
                Error::new(ErrorKind::Timeout, Cow::Owned(store.to_owned()), operation, message);
            Err(if does == Does::Write { error.with_outcome_unknown() } else { error })
        }
    }
}
