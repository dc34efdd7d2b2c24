//! Lets commands that are sent at the same time share a packet.

use std::{future::poll_fn, pin::pin, task::Poll};

/// Runs the driver of a connection, which writes everything that is queued whenever it is polled.
///
/// The first command of several wakes the driver. A runtime with threads would run it at once, and since the socket does
/// not wait for more (`TCP_NODELAY`), that command would leave alone, and so would each one after it. So the driver lets
/// the tasks that are ready run first: what they send leaves with it. Nagle's algorithm would do this by time, and delay
/// a command that is alone.
pub(crate) async fn batched(driver: impl Future<Output = ()> + Send) {
    let mut driver = pin!(driver);
    let mut has_yielded = false;
    poll_fn(|context| {
        has_yielded = !has_yielded;
        if has_yielded {
            // A task that wakes itself goes to the end of the queue.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        driver.as_mut().poll(context)
    })
    .await;
}
