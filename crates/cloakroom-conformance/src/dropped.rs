//! Drops futures before they end, as a server drops a handler whose browser has disconnected.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

/// The number of different points at which a future is dropped.
pub(crate) const POINTS: u32 = 16;

/// Runs the future up to one of [`POINTS`] points, in turn, and drops it there, unless it has ended before.
///
/// The first points are a number of polls in quick succession, which drop it while it connects or sends. The others let
/// the backend answer in between, which drops it while it reads the answer.
pub(crate) async fn drop_at<T>(point: u32, future: impl Future<Output = T> + Send) {
    let point = point % POINTS;
    let mut future = pin!(future);
    let polls = 1 + point % 4;
    let pause = Duration::from_micros(u64::from(point / 4) * 150);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await {
            return;
        }
        if pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(pause).await;
        }
    }
}
