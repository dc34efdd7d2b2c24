//! The driver's clients: made on first use, one per runtime, and replaced when they are silent.
//!
//! - A client works only on the runtime on which it was made, and ends with it. So each runtime has its own.
//! - Dropping a future of the driver can corrupt its internal state (RUST-937). So each operation runs as a task, and
//!   only the future that waits for the task is dropped.
//! - There are at most as many tasks as connections. An operation that waits for a connection has sent nothing and can
//!   be dropped, so a frozen server gets no flood of old writes when it resumes. Whether it was sent is decided once: a
//!   call that ends with "not sent" abandons its task.
//! - A connection that was silent for most of the store's own deadline may never answer again, but the driver keeps it.
//!   So the client is given up, and the next call makes another one. Operations on the old client continue until their
//!   deadline; then their futures can be dropped, because nothing uses that client's state any more.

use std::sync::Arc;

use cloakroom_backend::{Idempotency, Joined, Needs, Operation, Runtimes, Shared, Start, observe};
use cloakroom_core::Error;
use futures::{FutureExt, TryFutureExt, future::ready};
use mongodb::{
    Client,
    error::{ErrorKind as MongoKind, Result as MongoResult},
};

use crate::{
    MongoOptions,
    error::{self, Failure},
    live::{Live, Sessions, Source},
    target::Target,
    topology::Topology,
};

pub(crate) struct Connection {
    source: Source,
    hosts: String,
    database: String,
    runtimes: Runtimes,
    clients: Shared<Live>,
    topology: Arc<Topology>,
}

impl Connection {
    /// Creates a connection to the servers of a URL.
    pub(crate) fn to(target: Target) -> Self {
        Self {
            source: Source::Url(Box::new(target.connection)),
            hosts: target.hosts,
            database: target.database,
            runtimes: Runtimes::new(Needs::TimeAndIo),
            clients: Shared::default(),
            topology: Arc::default(),
        }
    }

    /// Creates a connection on the application's client, which says nothing about its hosts.
    pub(crate) fn of(client: Client, database: String) -> Self {
        Self {
            source: Source::Given(client),
            hosts: "the server".to_owned(),
            database,
            runtimes: Runtimes::new(Needs::TimeAndIo),
            clients: Shared::default(),
            topology: Arc::default(),
        }
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    pub(crate) fn hosts(&self) -> &str {
        &self.hosts
    }

    /// Runs one operation of the driver, and returns its result or an error at the call's deadline.
    ///
    /// If the connection is lost, an operation that is safe to repeat or was not sent is repeated once.
    pub(crate) async fn run<T, Fut>(
        &self,
        operation: &Operation,
        options: &MongoOptions,
        work: impl Fn(Sessions) -> Fut + Send + Sync,
    ) -> Result<Result<T, Failure>, Error>
    where
        T: Send + 'static,
        Fut: Future<Output = MongoResult<T>> + Send + 'static,
    {
        self.topology.note_server();
        let mut repeated = false;
        loop {
            let live = self.live(operation, options).await?;
            let permit = match operation.within(Arc::clone(&live.permits).acquire_owned()).await {
                Some(Ok(permit)) => permit,
                // The client was given up.
                Some(Err(_)) => continue,
                None => return Err(operation.timeout()),
            };
            let (task, progress) = live.spawn(permit, operation, &self.clients, &work);
            let outcome = operation.within(task).await;
            // The task wakes for the same deadline, and could still send the command.
            let sent = if outcome.is_none() { !progress.abandon() } else { progress.is_sent() };
            match outcome {
                None | Some(Ok(None)) => {
                    if progress.is_silent() {
                        live.leave(&self.clients);
                    }
                    if sent {
                        operation.lose_answer();
                    }
                    return Err(operation.timeout());
                }
                Some(Err(_)) if !repeated && !sent => {}
                Some(Err(_)) => {
                    if sent {
                        operation.lose_answer();
                    }
                    return Err(error::cancelled(operation));
                }
                Some(Ok(Some(Ok(answer)))) => {
                    operation.find_answer();
                    return Ok(Ok(answer));
                }
                Some(Ok(Some(Err(cause)))) => {
                    // The driver repeats a write by itself, and may return only the error of the second attempt. Where
                    // no server has ever accepted writes, neither has this one.
                    if progress.is_sent_again() && self.topology.has_seen_primary() {
                        operation.lose_answer();
                    }
                    if error::is_no_server(&cause) && !live.has_heard_since(operation.began()) {
                        live.leave(&self.clients);
                    }
                    let can_be_repeated = !sent || operation.idempotency() != Idempotency::Once;
                    if repeated || !can_be_repeated || !error::is_lost(&cause) {
                        return Ok(Err(Failure { cause, sent }));
                    }
                    if sent {
                        operation.lose_answer();
                    }
                }
            }
            repeated = true;
            observe::tried_again();
        }
    }

    /// Returns the client of this runtime. Every error means that nothing was sent.
    async fn live(
        &self,
        operation: &Operation,
        options: &MongoOptions,
    ) -> Result<Arc<Live>, Error> {
        let runtime = self.runtimes.current(operation)?;
        let joined = self.clients.join(&runtime, |_| {
            let (source, database) = (self.source.clone(), self.database.clone());
            let (options, topology) = (options.clone(), Arc::clone(&self.topology));
            let start = Live::start(source, database, options, runtime.clone(), topology);
            let mut start = start.map_ok(Arc::new).boxed();
            // It takes time only if a name has to be looked up.
            match (&mut start).now_or_never() {
                Some(Ok(live)) => Start::Made(live),
                Some(Err(cause)) => Start::Attempt((), ready(Err(cause)).boxed()),
                None => Start::Attempt((), start),
            }
        });
        let attempt = match joined {
            Joined::Connected(live) => return Ok(live),
            Joined::Connecting(attempt) => attempt,
        };
        match operation.within(attempt.outcome()).await {
            Some(Ok(live)) => Ok(live),
            Some(Err(cause)) => {
                let cause = cause.unwrap_or_else(|| MongoKind::Shutdown.into());
                Err(error::of_driver(operation, &self.hosts, &cause, false))
            }
            None => Err(operation.timeout()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use tokio::{sync::Notify, task::yield_now};

    use super::*;
    use crate::{error::STORE, sending};

    /// The call and its task wake for the same deadline, and the call is first.
    #[tokio::test]
    async fn what_ended_as_not_sent_is_not_sent_afterwards() {
        let mut options = MongoOptions::default();
        let target = Target::parse("mongodb://127.0.0.1:1/app", &mut options).unwrap();
        let connection = Connection::to(target);
        let limit = Duration::from_millis(200);
        let operation = Operation::start(STORE, "set", Idempotency::Once, limit);
        let (has_connection, has_written) = <(Arc<Notify>, Arc<AtomicBool>)>::default();
        let mut call = pin!(connection.run(&operation, &options, |_| {
            let (connection, written) = (Arc::clone(&has_connection), Arc::clone(&has_written));
            async move {
                connection.notified().await;
                sending::note();
                written.store(true, Ordering::Relaxed);
                Ok(())
            }
        }));
        assert!(call.as_mut().now_or_never().is_none());
        // The task waits for its connection.
        yield_now().await;
        while !operation.is_over() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let error = call.now_or_never().unwrap().unwrap_err();
        assert!(!error.outcome_unknown(), "{error}");
        has_connection.notify_one();
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!has_written.load(Ordering::Relaxed));
    }
}
