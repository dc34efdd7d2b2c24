//! A client of the driver on one runtime, and how it is made.

use std::{sync::Arc, time::Duration};

use cloakroom_backend::{Connection, Operation, Shared};
use mongodb::{
    Client, Collection, ServerInfo, ServerType,
    bson::RawDocumentBuf,
    error::{Error as MongoError, Result as MongoResult},
    options::{
        ClientOptions, CollectionOptions, ConnectionString, ReadConcern, ReadPreference,
        SelectionCriteria,
    },
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use crate::{MongoOptions, health::Health, sending::Sending, topology::Topology};

/// The default number of connections. The driver's own default of 10 is too small for a service that needs one for
/// every request.
const POOL: u32 = 64;

/// The default time limit for finding a server that accepts the operation. The driver's own default is 30 seconds.
const SELECTION: Duration = Duration::from_secs(2);

/// The collection. Documents stay bytes, so that unchanged values are never converted.
pub(crate) type Sessions = Collection<RawDocumentBuf>;

#[derive(Clone)]
pub(crate) enum Source {
    Url(Box<ConnectionString>),
    Given(Client),
}

/// A client on its runtime.
pub(crate) struct Live {
    sessions: Sessions,
    runtime: Handle,
    /// One permit per connection: an operation that waits for one has sent nothing. Closed when the client is given up.
    pub(crate) permits: Arc<Semaphore>,
    /// `None` for the application's client, whose events the store does not get and which it cannot make again.
    health: Option<Arc<Health>>,
}

impl Connection for Live {
    type Failure = MongoError;
    type Progress = ();

    fn is_over(&self) -> bool {
        self.permits.is_closed()
    }
}

/// The progress of an operation of the driver.
#[derive(Clone)]
pub(crate) struct Progress {
    sending: Arc<Sending>,
    /// The time from which its silence counts against the client.
    silent_from: Instant,
}

impl Progress {
    /// Returns true if the command may have been sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.sending.attempts() > 0
    }

    /// Returns true if the driver may have sent the command more than once.
    pub(crate) fn is_sent_again(&self) -> bool {
        self.sending.attempts() > 1
    }

    /// Gives up the operation. Returns true if the command was not sent, and never will be.
    pub(crate) fn abandon(&self) -> bool {
        self.sending.abandon()
    }

    /// Returns true if the command was sent and has been unanswered for so long that its client must be given up.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_sent() && self.silent_from <= Instant::now()
    }
}

impl Live {
    /// Makes a client. It connects in the background, so this takes time only if a name has to be looked up.
    pub(crate) async fn start(
        source: Source,
        database: String,
        options: MongoOptions,
        runtime: Handle,
        topology: Arc<Topology>,
    ) -> MongoResult<Self> {
        let (client, pool, health, direct) = match source {
            Source::Given(client) => (client, POOL, None, false),
            Source::Url(connection) => {
                let mut options = client_options(*connection, options.deadline).await?;
                let health = Arc::new(Health::new(topology));
                health.watch(&mut options);
                let pool = options.max_pool_size.filter(|size| *size > 0).unwrap_or(1_024);
                let direct = options.direct_connection == Some(true);
                (Client::with_options(options)?, pool, Some(health), direct)
            }
        };
        // These options override those of the URL and of the client, because reads decide what is written and who is
        // logged in.
        let collection_options = CollectionOptions::builder()
            .selection_criteria(primary(direct))
            .read_concern(newest(client.read_concern()))
            .write_concern(options.write_concern)
            .build();
        let sessions = client
            .database(&database)
            .collection_with_options(&options.collection_name, collection_options);
        Ok(Self { sessions, runtime, permits: Arc::new(Semaphore::new(pool as usize)), health })
    }

    /// Starts an operation of the driver as a separate task, and returns its progress.
    ///
    /// The task watches its own deadline, because nobody may be waiting for it any more, and then returns `None`, as it
    /// does when it was abandoned before the command was sent. If the command was sent only shortly before the deadline,
    /// the task continues beyond it. Otherwise a client that is only slow would be given up, or a future would be dropped
    /// whose command a client in use has sent.
    pub(crate) fn spawn<T, Fut>(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        operation: &Operation,
        clients: &Shared<Self>,
        work: impl FnOnce(Sessions) -> Fut,
    ) -> (JoinHandle<Option<MongoResult<T>>>, Progress)
    where
        T: Send + 'static,
        Fut: Future<Output = MongoResult<T>> + Send + 'static,
    {
        // Nobody counts the attempts of the application's client, so each of its operations may have been sent.
        let sending = Arc::new(Sending::new(u32::from(self.health.is_none())));
        let work = Arc::clone(&sending).noting(work(self.sessions.clone()));
        let progress = Progress { sending, silent_from: Instant::now() + operation.patience() };
        let (live, clients) = (Arc::clone(self), clients.clone());
        let (deadline, own) = (operation.deadline(), progress.clone());
        let task = self.runtime.spawn(async move {
            let _permit = permit;
            let mut work = Box::pin(work);
            if live.health.is_none() {
                return work.await;
            }
            if let Ok(outcome) = timeout_at(deadline, &mut work).await {
                return outcome;
            }
            if !own.is_sent() {
                return None;
            }
            let outcome = timeout_at(own.silent_from, &mut work).await.ok();
            if outcome.is_none() {
                // This must come before the driver's future is dropped.
                live.leave(&clients);
            }
            outcome.flatten()
        });
        (task, progress)
    }

    /// Makes the next call create another client, unless this is the application's.
    pub(crate) fn leave(self: &Arc<Self>, clients: &Shared<Self>) {
        if let Some(health) = &self.health {
            if clients.forget(self) {
                health.give_up();
            }
            // Operations that wait for one of its connections continue on the next client.
            self.permits.close();
        }
    }

    /// Returns true if a server is known to have answered since then.
    pub(crate) fn has_heard_since(&self, then: Instant) -> bool {
        self.health.as_ref().is_none_or(|health| health.has_heard_since(then))
    }
}

/// Selects the primary. A secondary can be behind: it may not know yet who has logged in, and may still know who has
/// logged out.
fn primary(direct: bool) -> SelectionCriteria {
    if direct {
        // With `directConnection`, the driver uses the server in any role, so a secondary would answer.
        return SelectionCriteria::Predicate(Arc::new(|server: &ServerInfo<'_>| {
            !matches!(
                server.server_type(),
                ServerType::RsSecondary | ServerType::RsOther | ServerType::RsArbiter
            )
        }));
    }
    ReadPreference::Primary.into()
}

/// Returns a read concern that never returns older data than the primary has: `local`, or `linearizable` if the URL
/// requests it.
fn newest(asked_for: Option<&ReadConcern>) -> ReadConcern {
    let linearizable = ReadConcern::linearizable();
    if asked_for == Some(&linearizable) { linearizable } else { ReadConcern::local() }
}

/// Returns the options of the URL with the store's defaults. A `mongodb+srv` URL is looked up in the DNS.
async fn client_options(
    connection: ConnectionString,
    deadline: Duration,
) -> MongoResult<ClientOptions> {
    let mut options = ClientOptions::parse(connection).await?;
    options.max_pool_size.get_or_insert(POOL);
    // Server selection ends before the deadline, so that its error can say that nothing was sent.
    options.server_selection_timeout.get_or_insert((deadline * 4 / 5).min(SELECTION));
    // The driver's monitor also waits this long for a frozen server.
    let connect = deadline.clamp(Duration::from_secs(1), Duration::from_secs(10));
    options.connect_timeout.get_or_insert(connect);
    Ok(options)
}
