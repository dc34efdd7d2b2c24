//! The driver's clients: made on first use, one per runtime, and replaced when they are silent.
//!
//! - A client works only on the runtime on which it was made, and ends with it. So each runtime has its own.
//! - Dropping a future of the driver can corrupt its internal state (RUST-937). So each operation runs as a task, and
//!   only the future that waits for the task is dropped.
//! - There are at most as many tasks as connections. An operation that waits for a connection has sent nothing and can
//!   be dropped, so a frozen server gets no flood of old writes when it resumes.
//! - A connection that was silent for most of the store's own deadline may never answer again, but the driver keeps it.
//!   So the client is given up, and the next call makes another one. Operations on the old client continue until their
//!   deadline; then their futures can be dropped, because nothing uses that client's state any more.

use std::sync::Arc;

use cloakroom_backend::{Idempotency, Needs, Operation, Runtimes, observe};
use cloakroom_core::Error;
use futures::{FutureExt, future::ready};
use mongodb::{Client, error::Result as MongoResult};
use tokio::runtime::Handle;

use crate::{
    MongoOptions,
    error::{self, Failure},
    live::{Attempt, Clients, Live, Sessions, Source, State},
    target::Target,
    topology::Topology,
};

pub(crate) struct Connection {
    source: Source,
    hosts: String,
    database: String,
    runtimes: Runtimes,
    clients: Arc<Clients>,
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
            clients: Arc::default(),
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
            clients: Arc::default(),
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
            let sent = progress.is_sent();
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
        if let Some(live) = self.started(&runtime) {
            return Ok(live);
        }
        let attempt = {
            let mut clients = self.clients.lock();
            let id = runtime.id();
            // Failed attempts of other runtimes as well, which may never be used again.
            clients.retain(|(_, state)| !state.has_failed());
            match clients.iter().find(|(other, _)| *other == id) {
                Some((_, State::Started(live))) => return Ok(Arc::clone(live)),
                Some((_, State::Starting(attempt, _))) => attempt.clone(),
                None => {
                    let (attempt, state) = self.attempt(&runtime, options);
                    clients.extend(state.map(|state| (id, state)));
                    attempt
                }
            }
        };
        match operation.within(attempt).await {
            Some(Ok(live)) => {
                live.forget_with_runtime(&self.clients);
                Ok(live)
            }
            Some(Err(cause)) => Err(error::of_driver(operation, &self.hosts, &cause, false)),
            None => Err(operation.timeout()),
        }
    }

    /// Returns the client of this runtime if it exists. Nearly every call ends here, without a task or an attempt.
    fn started(&self, runtime: &Handle) -> Option<Arc<Live>> {
        let id = runtime.id();
        self.clients.lock().iter().find_map(|(other, state)| match state {
            State::Started(live) if *other == id => Some(Arc::clone(live)),
            _ => None,
        })
    }

    /// Starts to make a client, which takes time only if a name has to be looked up. Returns no state for an attempt
    /// that has failed already.
    fn attempt(&self, runtime: &Handle, options: &MongoOptions) -> (Attempt, Option<State>) {
        let weak = Arc::downgrade(&self.clients);
        let (source, database) = (self.source.clone(), self.database.clone());
        let topology = Arc::clone(&self.topology);
        let start = Live::start(source, database, options.clone(), runtime.clone(), topology);
        let mut start = start.map(|live| live.map(Arc::new).map_err(Arc::new)).boxed();
        if let Some(outcome) = (&mut start).now_or_never() {
            let state = outcome.as_ref().ok().map(|live| State::Started(Arc::clone(live)));
            return (ready(outcome).boxed().shared(), state);
        }
        // A separate task, so that it continues if the call that started it is dropped.
        let handle = runtime.clone();
        let task = runtime.spawn(async move {
            let live = start.await?;
            if let Some(clients) = weak.upgrade() {
                clients.put(&handle, State::Started(Arc::clone(&live)));
                live.forget_with_runtime(&clients);
            }
            Ok(live)
        });
        let abort = task.abort_handle();
        let attempt = async move {
            task.await.unwrap_or_else(|_| Err(Arc::new(mongodb::error::ErrorKind::Shutdown.into())))
        };
        let attempt = attempt.boxed().shared();
        (attempt.clone(), Some(State::Starting(attempt, abort)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;

    /// Returns how many runtimes are remembered after 20 that could not make a client.
    fn remembered(url: &str) -> usize {
        let mut options = MongoOptions::default();
        let connection = Connection::to(Target::parse(url, &mut options).unwrap());
        for _ in 0..20 {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let limit = Duration::from_millis(50);
                let operation = Operation::start(error::STORE, "get", Idempotency::Read, limit);
                assert!(connection.live(&operation, &options).await.is_err());
            });
        }
        connection.clients.lock().len()
    }

    #[test]
    fn a_client_that_cannot_be_made_is_not_remembered() {
        let wrong = "mongodb://127.0.0.1:1/?tls=true&tlsCAFile=/no/such/file.pem";
        assert_eq!(remembered(wrong), 0);
    }

    #[cfg(feature = "dns-resolver")]
    #[test]
    fn what_is_still_looked_up_when_its_runtime_ends_is_forgotten_by_the_next() {
        assert!(remembered("mongodb+srv://cluster.invalid/") <= 1);
    }
}
