//! The driver's client: made on first use, and never left in the middle of a call.
//!
//! Dropping a future of the driver's is unsafe for its internals (RUST-937). So each operation is a task, and what is
//! dropped or out of time is what waits for it. As many tasks run as there are connections: what has to wait for one
//! is not sent, and can be dropped, so that a server that was frozen gets no flood of old writes when it is back.

use std::{
    future::{Future, pending},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use mongodb::{
    Client, Collection,
    bson::RawDocumentBuf,
    error::Result as MongoResult,
    options::{ClientOptions, CollectionOptions},
};
use tokio::{runtime::Handle, sync::Semaphore, task::AbortHandle, time::timeout_at};

use crate::{
    MongoOptions,
    call::{Call, Effect},
    error,
    target::Target,
};

/// How many connections there are at most, unless the URL says. The driver's own default of 10 is few for a service
/// whose every request needs one.
const POOL: u32 = 64;

/// How long to look for a server that takes the operation, at most. The driver's own default is 30 s.
const SELECTION: Duration = Duration::from_secs(2);

/// The collection as the operations use it.
pub(crate) type Sessions = Collection<RawDocumentBuf>;

/// An attempt to make a client, which all calls that need it wait for.
type Attempt = Shared<BoxFuture<'static, Result<Arc<Live>, Arc<mongodb::error::Error>>>>;

/// How to come to a collection.
pub(crate) struct Connection {
    source: Source,
    hosts: String,
    database: String,
    state: Arc<Mutex<State>>,
}

enum Source {
    Url(Box<mongodb::options::ConnectionString>),
    /// The application's own client.
    Given(Client),
}

enum State {
    Idle,
    Starting(Attempt),
    Started(Arc<Live>),
}

/// A client as long as its runtime lasts.
struct Live {
    sessions: Sessions,
    runtime: Handle,
    permits: Arc<Semaphore>,
    watch: AbortHandle,
    ended: Arc<AtomicBool>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Tells that the runtime has ended, which drops its tasks.
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Connection {
    pub(crate) fn to(target: Target) -> Self {
        Self {
            source: Source::Url(Box::new(target.connection)),
            hosts: target.hosts,
            database: target.database,
            state: Arc::new(Mutex::new(State::Idle)),
        }
    }

    pub(crate) fn of(client: Client, database: String) -> Self {
        Self {
            source: Source::Given(client),
            hosts: "the server".to_owned(),
            database,
            state: Arc::new(Mutex::new(State::Idle)),
        }
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    pub(crate) fn hosts(&self) -> &str {
        &self.hosts
    }

    /// Runs one operation of the driver's to its end, and returns what comes by the call's deadline.
    ///
    /// One that can be repeated is, once, when the connection is lost.
    pub(crate) async fn run<T, Fut>(
        &self,
        call: &Call,
        options: &MongoOptions,
        work: impl Fn(Sessions) -> Fut + Send + Sync,
    ) -> Result<MongoResult<T>, Error>
    where
        T: Send + 'static,
        Fut: Future<Output = MongoResult<T>> + Send + 'static,
    {
        let mut repeated = call.effect == Effect::Once;
        loop {
            let live = self.live(call, options).await?;
            let permit =
                match timeout_at(call.deadline, Arc::clone(&live.permits).acquire_owned()).await {
                    Ok(Ok(permit)) => permit,
                    Ok(Err(_)) => return Err(error::cancelled(call)),
                    Err(_) => return Err(error::timed_out(call, false)),
                };
            let work = work(live.sessions.clone());
            let task = live.runtime.spawn(async move {
                let _permit = permit;
                work.await
            });
            match timeout_at(call.deadline, task).await {
                Err(_) => return Err(error::timed_out(call, true)),
                Ok(Err(_)) => return Err(error::cancelled(call)),
                Ok(Ok(Err(cause))) if !repeated && error::is_lost(&cause) => repeated = true,
                Ok(Ok(answer)) => return Ok(answer),
            }
        }
    }

    /// The client, at the latest at the call's deadline. All errors mean that nothing was sent.
    async fn live(&self, call: &Call, options: &MongoOptions) -> Result<Arc<Live>, Error> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(error::new(call, ErrorKind::Config, "there is no tokio runtime here"));
        };
        let attempt = {
            let mut state = lock(&self.state);
            match &*state {
                State::Started(live) if !live.ended.load(Ordering::Acquire) => {
                    return Ok(Arc::clone(live));
                }
                State::Starting(attempt) if attempt.peek().is_none() => attempt.clone(),
                _ => {
                    let attempt = self.attempt(&runtime, options);
                    *state = State::Starting(attempt.clone());
                    attempt
                }
            }
        };
        match timeout_at(call.deadline, attempt).await {
            Ok(Ok(live)) => Ok(live),
            Ok(Err(cause)) => Err(error::of(call, &self.hosts, &cause)),
            Err(_) => Err(error::timed_out(call, false)),
        }
    }

    /// A task of its own, so that it goes on when the call that began it is dropped.
    fn attempt(&self, runtime: &Handle, options: &MongoOptions) -> Attempt {
        let state: Weak<Mutex<State>> = Arc::downgrade(&self.state);
        let handle = runtime.clone();
        let source = match &self.source {
            Source::Url(connection) => Source::Url(connection.clone()),
            Source::Given(client) => Source::Given(client.clone()),
        };
        let (database, collection) = (self.database.clone(), options.collection_name.clone());
        let (deadline, concern) = (options.deadline, options.write_concern.clone());
        let task = runtime.spawn(async move {
            let (client, pool) = match source {
                Source::Given(client) => (client, POOL),
                Source::Url(connection) => {
                    let options = client_options(*connection, deadline).await?;
                    let pool = options.max_pool_size.filter(|size| *size > 0).unwrap_or(1_024);
                    (Client::with_options(options)?, pool)
                }
            };
            let options = CollectionOptions::builder().write_concern(concern).build();
            let sessions = client.database(&database).collection_with_options(&collection, options);
            let ended = Arc::new(AtomicBool::new(false));
            let ending = Ending(Arc::clone(&ended));
            let watch = handle.spawn(async move {
                let _ending = ending;
                pending::<()>().await;
            });
            let live = Arc::new(Live {
                sessions,
                runtime: handle,
                permits: Arc::new(Semaphore::new(pool as usize)),
                watch: watch.abort_handle(),
                ended,
            });
            if let Some(state) = state.upgrade() {
                *lock(&state) = State::Started(Arc::clone(&live));
            }
            Ok(live)
        });
        async move {
            match task.await {
                Ok(outcome) => outcome.map_err(|cause: mongodb::error::Error| Arc::new(cause)),
                Err(_) => Err(Arc::new(mongodb::error::ErrorKind::Shutdown.into())),
            }
        }
        .boxed()
        .shared()
    }
}

/// What the URL says, with our own defaults for what it does not. A `mongodb+srv` URL is looked up in the DNS.
async fn client_options(
    connection: mongodb::options::ConnectionString,
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

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing panics while the lock is held.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
