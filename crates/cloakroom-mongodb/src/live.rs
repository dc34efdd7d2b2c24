//! A client of the driver's that works on one runtime, and how it is made.

use std::{
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom_backend::Operation;
use futures::future::{BoxFuture, Shared};
use mongodb::{
    Client, Collection, ServerInfo, ServerType,
    bson::RawDocumentBuf,
    error::Result as MongoResult,
    options::{
        ClientOptions, CollectionOptions, ConnectionString, ReadConcern, ReadPreference,
        SelectionCriteria,
    },
};
use tokio::{
    runtime::{Handle, Id},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{AbortHandle, JoinHandle},
    time::{Instant, timeout_at},
};

use crate::{
    MongoOptions,
    health::{self, Health},
};

/// How many connections there are at most, unless the URL says. The driver's own default of 10 is few for a service
/// whose every request needs one.
const POOL: u32 = 64;

/// How long to look for a server that takes the operation, at most. The driver's own default is 30 s.
const SELECTION: Duration = Duration::from_secs(2);

/// The collection as the operations use it.
pub(crate) type Sessions = Collection<RawDocumentBuf>;

/// Where clients come from.
#[derive(Clone)]
pub(crate) enum Source {
    Url(Box<ConnectionString>),
    /// The application's own client.
    Given(Client),
}

/// A client as long as its runtime lasts.
pub(crate) struct Live {
    sessions: Sessions,
    runtime: Handle,
    /// One for each connection: what has to wait for one is not sent. Closed when the client is left.
    pub(crate) permits: Arc<Semaphore>,
    /// `None` for a client of the application's own, which reports to nobody, and which nobody else can make again.
    health: Option<Arc<Health>>,
    watch: OnceLock<AbortHandle>,
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.get() {
            watch.abort();
        }
    }
}

/// An attempt to make a client, which all calls that need it wait for.
pub(crate) type Attempt = Shared<BoxFuture<'static, Result<Arc<Live>, Arc<mongodb::error::Error>>>>;

/// The client of each runtime, or the attempt to make it.
#[derive(Default)]
pub(crate) struct Clients(Mutex<Vec<(Id, State)>>);

pub(crate) enum State {
    /// The task is only looked at. When it has ended and this is still here, the attempt has failed.
    Starting(Attempt, AbortHandle),
    Started(Arc<Live>),
}

impl State {
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self, Self::Starting(_, task) if task.is_finished())
    }
}

impl Clients {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<(Id, State)>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, runtime: &Handle, state: State) {
        let mut clients = self.lock();
        match clients.iter_mut().find(|(id, _)| *id == runtime.id()) {
            Some((_, old)) => *old = state,
            None => clients.push((runtime.id(), state)),
        }
    }

    /// Forgets this client, so that the next call makes another one.
    pub(crate) fn forget(&self, live: &Weak<Live>) {
        let is_it = |state: &State| matches!(state, State::Started(other) if Arc::as_ptr(other) == live.as_ptr());
        let mut clients = self.lock();
        let found = clients.iter().position(|(_, state)| is_it(state));
        let forgotten = found.map(|at| clients.swap_remove(at));
        // The end of a client runs code of the driver's.
        drop(clients);
        drop(forgotten);
    }
}

/// How far an operation of the driver's has come.
#[derive(Clone)]
pub(crate) struct Progress {
    sent: Arc<AtomicBool>,
    /// From when on its silence is the client's.
    silent_from: Instant,
}

impl Progress {
    /// Returns true if it can have been sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Acquire)
    }

    /// Returns true if it was sent and has been on its client for so long that this has to be left.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_sent() && self.silent_from <= Instant::now()
    }
}

/// Forgets the client when the runtime drops its tasks.
struct Ending(Weak<Clients>, Weak<Live>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(clients) = self.0.upgrade() {
            clients.forget(&self.1);
        }
    }
}

impl Live {
    pub(crate) async fn start(
        source: Source,
        database: String,
        options: MongoOptions,
        runtime: Handle,
    ) -> MongoResult<Self> {
        let (client, pool, health, direct) = match source {
            Source::Given(client) => (client, POOL, None, false),
            Source::Url(connection) => {
                let mut options = client_options(*connection, options.deadline).await?;
                let health = Arc::new(Health::new());
                health.watch(&mut options);
                let pool = options.max_pool_size.filter(|size| *size > 0).unwrap_or(1_024);
                let direct = options.direct_connection == Some(true);
                (Client::with_options(options)?, pool, Some(health), direct)
            }
        };
        // They go over those of the URL and of the client: what is read decides what is written, and whether somebody
        // is logged in.
        let collection_options = CollectionOptions::builder()
            .selection_criteria(primary(direct))
            .read_concern(newest(client.read_concern()))
            .write_concern(options.write_concern)
            .build();
        let sessions = client
            .database(&database)
            .collection_with_options(&options.collection_name, collection_options);
        Ok(Self {
            sessions,
            runtime,
            permits: Arc::new(Semaphore::new(pool as usize)),
            health,
            watch: OnceLock::new(),
        })
    }

    /// Has the client forgotten when its runtime ends.
    pub(crate) fn forget_with_runtime(self: &Arc<Self>, clients: &Arc<Clients>) {
        self.watch.get_or_init(|| {
            let ending = Ending(Arc::downgrade(clients), Arc::downgrade(self));
            let watch = self.runtime.spawn(async move {
                let _ending = ending;
                pending::<()>().await;
            });
            watch.abort_handle()
        });
    }

    /// Begins an operation of the driver's as a task of its own, and returns how far it comes.
    ///
    /// The task answers `None` when it is out of time, which it watches itself: nobody may be waiting for it any more.
    /// If it was sent only shortly before its deadline, it goes on beyond that, so that a client that may only be slow is
    /// not left, and no future of the driver's is dropped that a client in use has sent something for.
    pub(crate) fn spawn<T, Fut>(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        operation: &Operation,
        clients: &Arc<Clients>,
        work: impl FnOnce(Sessions) -> Fut,
    ) -> (JoinHandle<Option<MongoResult<T>>>, Progress)
    where
        T: Send + 'static,
        Fut: Future<Output = MongoResult<T>> + Send + 'static,
    {
        let sent = Arc::new(AtomicBool::new(self.health.is_none()));
        let work = health::noting(Arc::clone(&sent), work(self.sessions.clone()));
        let progress = Progress { sent, silent_from: Instant::now() + operation.patience() };
        let (live, clients) = (Arc::clone(self), Arc::downgrade(clients));
        let (deadline, own) = (operation.deadline(), progress.clone());
        let task = self.runtime.spawn(async move {
            let _permit = permit;
            let mut work = Box::pin(work);
            if live.health.is_none() {
                return Some(work.await);
            }
            if let Ok(outcome) = timeout_at(deadline, &mut work).await {
                return Some(outcome);
            }
            if !own.is_sent() {
                return None;
            }
            let outcome = timeout_at(own.silent_from, &mut work).await.ok();
            if outcome.is_none()
                && let Some(clients) = clients.upgrade()
            {
                // Before the driver's future is dropped.
                live.leave(&clients);
            }
            outcome
        });
        (task, progress)
    }

    /// Has the next call make another client, unless this is the application's own.
    pub(crate) fn leave(self: &Arc<Self>, clients: &Clients) {
        if self.health.is_some() {
            clients.forget(&Arc::downgrade(self));
            // What waits for one of its connections goes on to the next client.
            self.permits.close();
        }
    }

    /// Returns true if a server has been heard of since then, as far as anybody tells.
    pub(crate) fn has_heard_since(&self, then: Instant) -> bool {
        self.health.as_ref().is_none_or(|health| health.has_heard_since(then))
    }
}

/// The primary. A secondary can be behind: it does not know yet who has logged in, and still knows who has logged out.
fn primary(direct: bool) -> SelectionCriteria {
    if direct {
        // The driver takes the one server of such a URL for anything, and a secondary answers.
        return SelectionCriteria::Predicate(Arc::new(|server: &ServerInfo<'_>| {
            !matches!(
                server.server_type(),
                ServerType::RsSecondary | ServerType::RsOther | ServerType::RsArbiter
            )
        }));
    }
    ReadPreference::Primary.into()
}

/// What the primary has now. Of the others, only `linearizable` is not behind that.
fn newest(asked_for: Option<&ReadConcern>) -> ReadConcern {
    let linearizable = ReadConcern::linearizable();
    if asked_for == Some(&linearizable) { linearizable } else { ReadConcern::local() }
}

/// What the URL says, with our own defaults for what it does not. A `mongodb+srv` URL is looked up in the DNS.
async fn client_options(
    connection: ConnectionString,
    deadline: Duration,
) -> MongoResult<ClientOptions> {
    let mut options = ClientOptions::parse(connection).await?;
    options.max_pool_size.get_or_insert(POOL);
    // It ends before the deadline, so that it can be said that nothing was sent.
    options.server_selection_timeout.get_or_insert((deadline * 4 / 5).min(SELECTION));
    // The monitor waits as long for a server that is frozen.
    let connect = deadline.clamp(Duration::from_secs(1), Duration::from_secs(10));
    options.connect_timeout.get_or_insert(connect);
    Ok(options)
}
