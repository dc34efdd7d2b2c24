//! Whether an operation of the driver was sent, and how often.
//!
//! The operation runs as a task that continues without its caller. A caller that ends with "not sent" must be right
//! later too, although the task can get its connection at the same moment. So one lock decides which of them is first.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
};

tokio::task_local! {
    /// The operation of this task.
    static SENDING: Arc<Sending>;
}

/// How often an operation got a connection for its command, and whether its caller has abandoned it.
#[derive(Debug)]
pub(crate) struct Sending {
    attempts: AtomicU32,
    /// Locked while the operation is polled that has sent nothing.
    is_abandoned: Mutex<bool>,
}

impl Sending {
    pub(crate) fn new(attempts: u32) -> Self {
        Self { attempts: AtomicU32::new(attempts), is_abandoned: Mutex::default() }
    }

    /// Returns how often the command may have been sent.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Acquire)
    }

    /// Gives up the operation unless it was sent. Returns true if nothing was sent, and nothing will be.
    pub(crate) fn abandon(&self) -> bool {
        // The task holds the lock for one poll only.
        let mut is_abandoned = self.lock();
        *is_abandoned = self.attempts() == 0;
        *is_abandoned
    }

    /// Runs an operation and counts its connections. Returns `None` if it was abandoned.
    pub(crate) async fn noting<T>(
        self: Arc<Self>,
        operation: impl Future<Output = T>,
    ) -> Option<T> {
        let mut operation = pin!(SENDING.scope(Arc::clone(&self), operation));
        poll_fn(move |context| {
            // Afterwards nobody can abandon it, so the lock is needed only before.
            let is_abandoned = (self.attempts() == 0).then(|| self.lock());
            if is_abandoned.as_deref() == Some(&true) {
                return Poll::Ready(None);
            }
            operation.as_mut().poll(context).map(Some)
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A driver that panics leaves it as it was.
        self.is_abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that the operation of this task has got a connection. The driver sends the command in the same poll.
pub(crate) fn note() {
    // A connection for the driver's own purposes belongs to no operation.
    let _ = SENDING.try_with(|sending| sending.attempts.fetch_add(1, Ordering::Release));
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::task::yield_now;

    use super::*;

    #[test]
    fn an_operation_is_sent_or_abandoned_and_never_both() {
        let sending = Arc::new(Sending::new(0));
        let mut work = Box::pin(Arc::clone(&sending).noting(async {
            yield_now().await;
            note();
            yield_now().await;
            note();
        }));
        for attempts in 0..2 {
            assert_eq!((&mut work).now_or_never(), None);
            assert_eq!(sending.attempts(), attempts);
        }
        assert!(!sending.abandon(), "it was sent");
        assert_eq!(work.now_or_never(), Some(Some(())), "so it continues");
        assert_eq!(sending.attempts(), 2);

        let sending = Arc::new(Sending::new(0));
        let mut work = Box::pin(Arc::clone(&sending).noting(async {
            yield_now().await;
            note();
        }));
        assert_eq!((&mut work).now_or_never(), None);
        assert!(sending.abandon() && sending.abandon());
        assert_eq!(work.now_or_never(), Some(None));
        assert_eq!(sending.attempts(), 0);
    }
}
