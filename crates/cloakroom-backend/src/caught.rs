//! A driver that panics.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;

/// Returns the result of `work`, or `None` if it panics.
///
/// For a driver that panics where an answer is not what its protocol says. Whatever `work` has used must not be used
/// again: drop the connection.
///
/// ```
/// use cloakroom_backend::caught;
///
/// # futures::executor::block_on(async {
/// assert_eq!(caught(async { 1 }).await, Some(1));
/// assert_eq!(caught(async { panic!("too short") }).await, None::<()>);
/// # });
/// ```
pub async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}
