//! The handle that applications hold: the whole contract over any store.

use std::{borrow::Cow, fmt, future::Future, sync::Arc, time::Duration};

use cloakroom_backend::{
    Idempotency::{self, Once, Read},
    within,
};
use cloakroom_core::{
    Clock, Cookie, Created, Error, ErrorKind, Session, Store, Touched, Updated, generate_id,
};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tokio::sync::watch;

use crate::promisify::read_from_store;

mod contract;
mod modify;

/// Makes session ids.
type Genid = Arc<dyn Fn() -> Result<String, Error> + Send + Sync>;

/// How an [`ExpressSession`] makes sessions and how long it waits.
#[derive(Clone)]
#[non_exhaustive]
pub struct ExpressSessionOptions {
    /// How long an operation may take; 5 s unless set. A store with a deadline of its own keeps the shorter of the two, and
    /// says whether anything was sent.
    pub deadline: Duration,
    /// The cookie of new sessions; Express's default unless set.
    pub cookie: Cookie,
    /// How long new sessions live from each touch on; a browser session unless set.
    pub max_age: Option<Duration>,
    /// Makes ids; [`generate_id`] unless set. The store does not check that they are hard to guess.
    pub genid: Genid,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for ExpressSessionOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(5),
            cookie: Cookie::new(),
            max_age: None,
            genid: Arc::new(generate_id),
            clock: Clock::system(),
        }
    }
}

impl fmt::Debug for ExpressSessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpressSessionOptions")
            .field("deadline", &self.deadline)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

/// Whether the backend answered the last operation: Connect's `connect` and `disconnect` events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The last operation was answered, or none was sent yet.
    Connected,
    /// The last operation found the backend away or silent.
    Disconnected,
}

/// Sessions over any store: one handle for Redis, Memcached, MongoDB, memory, and callback-style stores.
///
/// It is cheap to clone, and a [`Store`] itself. Every operation ends within
/// [`deadline`](ExpressSessionOptions::deadline).
///
/// ```
/// use cloakroom_compat::ExpressSession;
/// use cloakroom_core::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let sessions = ExpressSession::new(MemoryStore::new());
/// let (sid, mut session) = sessions.generate()?;
/// session.insert("user", "ann")?;
/// sessions.set(&sid, &session).await?;
///
/// // Whatever others write meanwhile, this change is not lost, and neither is theirs.
/// sessions.modify(&sid, |session| session.insert("views", 1)).await?;
/// assert_eq!(sessions.get(&sid).await?.unwrap().get::<u32>("views")?, Some(1));
///
/// sessions.destroy(&sid).await?;
/// assert_eq!(sessions.get(&sid).await?, None);
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct ExpressSession {
    store: Arc<dyn Store>,
    options: ExpressSessionOptions,
    connection: watch::Sender<Connection>,
}

impl ExpressSession {
    /// A handle on `store` with the default options.
    pub fn new(store: impl Store + 'static) -> Self {
        Self::with_options(store, ExpressSessionOptions::default())
    }

    /// A handle on `store`.
    pub fn with_options(store: impl Store + 'static, options: ExpressSessionOptions) -> Self {
        Self {
            store: Arc::new(store),
            options,
            connection: watch::Sender::new(Connection::Connected),
        }
    }

    /// The store's name, such as `redis`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.store.name()
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &ExpressSessionOptions {
        &self.options
    }

    /// The session, or `None` when there is none or it has expired.
    ///
    /// # Errors
    ///
    /// As [`Store::get`], and as every operation here [`Timeout`](ErrorKind::Timeout) after the deadline and
    /// [`Config`](ErrorKind::Config) where a store has to be waited for without a tokio runtime that has timers.
    pub async fn get(&self, sid: &str) -> Result<Option<Session>, Error> {
        let found = self.run("get", Read, self.store.get(sid)).await?;
        Ok(found.map(read_from_store))
    }

    /// Creates or replaces the record, whoever wrote it last; [`update`](Self::update) is the one that loses nothing.
    ///
    /// # Errors
    ///
    /// As [`Store::set`].
    pub async fn set(&self, sid: &str, session: &Session) -> Result<(), Error> {
        self.run("set", Once, self.store.set(sid, session)).await
    }

    /// Afterwards there is no session under this id.
    ///
    /// # Errors
    ///
    /// As [`Store::destroy`].
    pub async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.run("destroy", Once, self.store.destroy(sid)).await
    }

    /// Moves the expiry, never the data; never creates, never revives.
    ///
    /// # Errors
    ///
    /// As [`Store::touch`].
    pub async fn touch(&self, sid: &str, session: &Session) -> Result<Touched, Error> {
        self.run("touch", Once, self.store.touch(sid, session)).await
    }

    /// Stores only where there is no live session.
    ///
    /// # Errors
    ///
    /// As [`Atomic::create`](cloakroom_core::Atomic::create); [`Unsupported`](ErrorKind::Unsupported) when the store cannot.
    pub async fn create(&self, sid: &str, session: &Session) -> Result<Created, Error> {
        self.run("create", Once, self.offered("create", self.store.atomic())?.create(sid, session))
            .await
    }

    /// Stores only where the record is still the one that `session` was read from.
    ///
    /// # Errors
    ///
    /// As [`Atomic::update`](cloakroom_core::Atomic::update); [`Unsupported`](ErrorKind::Unsupported) when the store cannot.
    pub async fn update(&self, sid: &str, session: &Session) -> Result<Updated, Error> {
        self.run("update", Once, self.offered("update", self.store.atomic())?.update(sid, session))
            .await
    }

    /// The session, whose expiry is moved to `ttl` from now in the same round trip; the store's default if `None`.
    ///
    /// # Errors
    ///
    /// As [`Atomic::get_and_touch`](cloakroom_core::Atomic::get_and_touch); [`Unsupported`](ErrorKind::Unsupported) when the store cannot.
    pub async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<Session>, Error> {
        let atomic = self.offered("get_and_touch", self.store.atomic())?;
        self.run("get_and_touch", Once, atomic.get_and_touch(sid, ttl)).await
    }

    /// The ids of the live sessions.
    ///
    /// # Errors
    ///
    /// In the stream, as [`Enumerate::ids`](cloakroom_core::Enumerate::ids); [`Unsupported`](ErrorKind::Unsupported) when the store cannot.
    #[must_use]
    pub fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        match self.offered("ids", self.store.enumerate()) {
            Ok(enumerate) => enumerate.ids().map_err(Error::with_outcome_known).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    /// The live sessions with their ids.
    ///
    /// # Errors
    ///
    /// In the stream, as [`Enumerate::all`](cloakroom_core::Enumerate::all); [`Unsupported`](ErrorKind::Unsupported) when the store cannot.
    #[must_use]
    pub fn all(&self) -> BoxStream<'_, Result<(String, Session), Error>> {
        match self.offered("all", self.store.enumerate()) {
            Ok(enumerate) => enumerate.all().map_err(Error::with_outcome_known).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    /// The number of live sessions. It may take longer than the deadline, which each of its steps keeps.
    ///
    /// # Errors
    ///
    /// As [`Enumerate::length`](cloakroom_core::Enumerate::length); [`Unsupported`](ErrorKind::Unsupported) when the store cannot.
    pub async fn length(&self) -> Result<u64, Error> {
        let length = self.offered("length", self.store.enumerate())?.length().await;
        self.observe(length.map_err(Error::with_outcome_known))
    }

    /// Removes our sessions and nothing else. It may take longer than the deadline, which each of its steps keeps.
    ///
    /// # Errors
    ///
    /// As [`Enumerate::clear`](cloakroom_core::Enumerate::clear); [`Unsupported`](ErrorKind::Unsupported) when the store cannot.
    pub async fn clear(&self) -> Result<(), Error> {
        self.observe(self.offered("clear", self.store.enumerate())?.clear().await)
    }

    /// A new id and a new session with the cookie of the options. Nothing is stored.
    ///
    /// # Errors
    ///
    /// What `genid` returns, and [`InvalidData`](ErrorKind::InvalidData) for a max age beyond JavaScript's dates.
    pub fn generate(&self) -> Result<(String, Session), Error> {
        let mut cookie = self.options.cookie.clone();
        match self.options.max_age {
            Some(max_age) => cookie.set_max_age(Some(max_age), self.options.clock.now_ms())?,
            None => cookie.touch(self.options.clock.now_ms()),
        }
        Ok(((self.options.genid)()?, Session::with_cookie(cookie)))
    }

    /// Destroys the session, and returns a new id with a new, empty one: what belongs after a login, so that an id
    /// that was known before is worth nothing. The new one is not stored.
    ///
    /// # Errors
    ///
    /// As [`destroy`](Self::destroy) and [`generate`](Self::generate).
    pub async fn regenerate(&self, sid: &str) -> Result<(String, Session), Error> {
        self.destroy(sid).await?;
        self.generate()
    }

    /// Whether the backend answered the last operation. The receiver is told of every change.
    ///
    /// Nothing is sent to find out: it tells what the operations saw.
    #[must_use]
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.connection.subscribe()
    }

    fn offered<T>(&self, operation: &'static str, part: Option<T>) -> Result<T, Error> {
        part.ok_or_else(|| {
            let store = Cow::Owned(self.store.name().to_owned());
            Error::new(ErrorKind::Unsupported, store, operation, "this store does not offer it")
        })
    }

    async fn run<T: Send>(
        &self,
        operation: &'static str,
        idempotency: Idempotency,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let deadline = self.options.deadline;
        self.observe(within(deadline, self.store.name(), operation, idempotency, work).await)
    }

    fn observe<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        let now = match &answer {
            Err(error) if is_silence(error.kind()) => Connection::Disconnected,
            _ => Connection::Connected,
        };
        self.connection.send_if_modified(|connection| std::mem::replace(connection, now) != now);
        answer
    }
}

/// Returns true if an error of this kind means that the backend did not answer.
fn is_silence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout)
}

impl fmt::Debug for ExpressSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpressSession")
            .field("store", &self.store.name())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
