//! Whether answers can still come on a connection.
//!
//! The client alone waits for one that cannot: if the driver ends just while a call puts its command into the driver's
//! queue, the command stays there, and so does the sender of its answer, until the last handle on the queue is dropped.
//! The call itself holds one. (Observed with `redis` 1.8 and `tokio` 1.54: twice in 10,000 connections that broke off.)

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{
    FutureExt,
    future::{Either, select},
};
use redis::RedisError;
use tokio::sync::Notify;

/// What the driver and the calls of a connection tell each other.
#[derive(Default)]
pub(crate) struct Fate {
    is_lost: AtomicBool,
    has_ended: AtomicBool,
    changed: Notify,
}

/// Notes on drop that the driver has ended, for any reason. The driver must have been dropped before.
pub(crate) struct Ending(pub(crate) Arc<Fate>);

/// How the wait for an answer ended.
pub(crate) enum Waited<T> {
    Answered(T),
    /// The connection was given up, and the call can continue on another one.
    GivenUp,
    /// The driver has ended without an answer.
    Ended,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lose();
        self.0.has_ended.store(true, Ordering::Release);
        self.0.wake();
    }
}

impl Fate {
    /// Notes that no further call may use the connection.
    pub(crate) fn lose(&self) {
        self.is_lost.store(true, Ordering::Release);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    /// Wakes the calls that wait, because the connection was given up.
    pub(crate) fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// Waits for an answer until the driver has ended, or until `is_given_up` returns true.
    pub(crate) async fn wait<F: Future + Send>(
        &self,
        answer: Pin<&mut F>,
        is_given_up: impl Fn() -> bool + Send,
    ) -> Waited<F::Output> {
        match select(answer, pin!(self.is_hopeless(is_given_up))).await {
            Either::Left((answer, _)) => Waited::Answered(answer),
            Either::Right((true, answer)) => {
                // Before it ended, the driver passed on all answers that it had.
                answer.now_or_never().map_or(Waited::Ended, Waited::Answered)
            }
            Either::Right((false, _)) => Waited::GivenUp,
        }
    }

    /// Returns true when the driver has ended, or false when the connection is given up. The notice is requested before
    /// the state is read, so that none is missed in between.
    async fn is_hopeless(&self, is_given_up: impl Fn() -> bool + Send) -> bool {
        loop {
            let woken = self.changed.notified();
            if self.has_ended.load(Ordering::Acquire) {
                return true;
            }
            if is_given_up() {
                return false;
            }
            woken.await;
        }
    }
}

/// Returns the error of a call whose connection ended.
pub(crate) fn closed() -> RedisError {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn an_answer_is_waited_for_until_the_driver_has_ended() {
        let fate = Arc::new(Fate::default());
        let ending = Ending(Arc::clone(&fate));
        let mut answer = pin!(pending::<()>());
        let mut waiting = Box::pin(fate.wait(answer.as_mut(), || false));
        assert!(waiting.as_mut().now_or_never().is_none() && !fate.is_lost());
        fate.wake();
        assert!(waiting.as_mut().now_or_never().is_none(), "nothing was given up");
        drop(ending);
        assert!(matches!(waiting.await, Waited::Ended) && fate.is_lost());
        // Also by a call that began before it heard of the end.
        assert!(matches!(fate.wait(pin!(pending::<()>()), || true).await, Waited::Ended));
        assert!(matches!(fate.wait(pin!(ready(1)), || true).await, Waited::Answered(1)));
    }

    #[tokio::test]
    async fn the_last_answer_of_a_driver_counts() {
        let fate = Arc::new(Fate::default());
        let (driver, mut answer) = tokio::sync::oneshot::channel();
        let ending = Ending(Arc::clone(&fate));
        let mut waiting = Box::pin(fate.wait(Pin::new(&mut answer), || false));
        assert!(waiting.as_mut().now_or_never().is_none());
        driver.send(1).unwrap();
        drop(ending);
        assert!(matches!(waiting.await, Waited::Answered(Ok(1))));
    }

    #[tokio::test]
    async fn what_is_given_up_is_left_at_once() {
        let fate = Fate::default();
        let is_given_up = AtomicBool::new(false);
        let load = || is_given_up.load(Ordering::Relaxed);
        let mut answer = pin!(pending::<()>());
        let mut waiting = Box::pin(fate.wait(answer.as_mut(), load));
        assert!(waiting.as_mut().now_or_never().is_none());
        is_given_up.store(true, Ordering::Relaxed);
        fate.wake();
        assert!(matches!(waiting.await, Waited::GivenUp));
    }
}
