//! One connection of the store's own.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use cloakroom_backend::{Idempotency, Operation};
use futures::future::{Either, select};
use redis::{Cmd, RedisError, Value, aio::MultiplexedConnection};
use tokio::{sync::Notify, task::AbortHandle, time::Instant};

use crate::{
    error,
    pace::LONG_ENOUGH,
    traffic::{Moment, Traffic},
};

/// A connection. Calls in progress hold it, and the last one closes it.
pub(crate) struct Live {
    connection: MultiplexedConnection,
    driver: AbortHandle,
    lost: Arc<AtomicBool>,
    traffic: Arc<Traffic>,
    began: Instant,
    /// Whether the server said at the login that it is a replica.
    is_replica: bool,
    /// When a command was sent that met its deadline before anything was received after it.
    unanswered: Mutex<Option<Moment>>,
    /// Wakes the calls that can continue on another connection.
    given_up: Notify,
}

/// The outcome of a command.
pub(crate) enum Asked {
    /// The server's answer, which may be an error reply.
    Answered(Value),
    /// The deadline passed.
    Late,
    /// The connection was lost before anything of it was sent.
    Unsent(RedisError),
    /// The connection was lost before the answer came.
    Lost(RedisError),
    /// Another call gave the connection up. This happens only to commands that can be sent twice.
    GivenUp,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Notes on drop that the driver has ended, for whatever reason.
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Live {
    /// Starts the driver on the caller's runtime.
    pub(crate) fn start(
        connection: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
        traffic: Arc<Traffic>,
    ) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let ending = Ending(Arc::clone(&lost));
        let driver = tokio::spawn(async move {
            let _ending = ending;
            driver.await;
        });
        Self {
            connection,
            driver: driver.abort_handle(),
            lost,
            traffic,
            began: Instant::now(),
            is_replica: false,
            unanswered: Mutex::default(),
            given_up: Notify::new(),
        }
    }

    pub(crate) fn connection(&self) -> MultiplexedConnection {
        // The clone is a handle on the same socket.
        self.connection.clone()
    }

    pub(crate) fn set_replica(&mut self, is_replica: bool) {
        self.is_replica = is_replica;
    }

    /// Returns true if no further call may use this connection.
    pub(crate) fn is_over(&self) -> bool {
        self.lost.load(Ordering::Acquire) || self.is_silent()
    }

    /// Returns true if the connection has lasted long enough to count as a good one.
    pub(crate) fn has_lasted(&self) -> bool {
        self.began.elapsed() >= LONG_ENOUGH
    }

    /// Returns true if a command met its deadline, and nothing has been received since it was sent.
    ///
    /// A late answer resets this: the connection is slow, not dead.
    fn is_silent(&self) -> bool {
        let unanswered = *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        unanswered.is_some_and(|sent| !self.traffic.has_received_since(sent))
    }

    fn suspect(&self, sent: Moment) {
        if !self.traffic.has_received_since(sent) {
            *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
            self.given_up.notify_waiters();
        }
    }

    /// Sends one command and waits for its answer until the call's deadline.
    pub(crate) async fn ask(&self, operation: &Operation, command: &Cmd) -> Asked {
        let mut connection = self.connection();
        let sent = self.traffic.now();
        let answer = pin!(operation.within(connection.send_packed_command(command)));
        let answer = if operation.idempotency() == Idempotency::Once {
            answer.await
        } else {
            match select(answer, pin!(self.is_given_up())).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => return Asked::GivenUp,
            }
        };
        match answer {
            None => {
                self.suspect(sent);
                Asked::Late
            }
            Some(Ok(answer)) => {
                if self.is_parting(&answer) {
                    self.lost.store(true, Ordering::Release);
                }
                Asked::Answered(answer)
            }
            Some(Err(cause)) => {
                self.lost.store(true, Ordering::Release);
                if self.traffic.has_sent_since(sent) {
                    Asked::Lost(cause)
                } else {
                    Asked::Unsent(cause)
                }
            }
        }
    }

    async fn is_given_up(&self) {
        loop {
            let woken = self.given_up.notified();
            if self.is_silent() {
                return;
            }
            woken.await;
        }
    }

    /// Returns true if the connection should be replaced after this answer: the server closes it, or the server used to
    /// be the master, and its name may now lead to the new one.
    fn is_parting(&self, answer: &Value) -> bool {
        let Value::ServerError(refusal) = answer else { return false };
        match error::code_and_detail(refusal) {
            // A server that was a replica from the beginning is replaced only after a while, in case its name now leads
            // to a master.
            ("READONLY" | "MASTERDOWN", _) => !self.is_replica || self.has_lasted(),
            (_, detail) => {
                detail.starts_with("Protocol error") || detail.starts_with("max number of clients")
            }
        }
    }
}
