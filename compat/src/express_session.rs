//! The handle that applications hold: the whole contract over any store.

use std::{borrow::Cow, fmt, future::Future, sync::Arc, time::Duration};

use cloakroom_core::{Created, Error, ErrorKind, Session, Store, Touched, Updated};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tokio::sync::watch;

use crate::{
    deadline::{
        Does::{self, Read, Write},
        within,
    },
    promisify::read_from_store,
};

mod contract;
mod destroy_where;
mod modify;
mod options;
mod ping;

pub use options::ExpressSessionOptions;

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
/// // Whatever other requests write in the meantime, neither their changes nor this one are lost.
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

    /// Returns the session. Returns `None` if it does not exist, has expired, or its [end](Session::ends_at_ms) has come.
    ///
    /// # Errors
    ///
    /// As [`Store::get`], and as every operation here [`Timeout`](ErrorKind::Timeout) after the deadline and
    /// [`Config`](ErrorKind::Config) where a store has to be waited for without a tokio runtime that has timers.
    pub async fn get(&self, sid: &str) -> Result<Option<Session>, Error> {
        let found = self.run("get", Read, self.store.get(sid)).await?;
        Ok(self.unless_ended(found.map(read_from_store)))
    }

    /// Creates or replaces the record, whoever wrote it last; [`update`](Self::update) loses nothing.
    ///
    /// # Errors
    ///
    /// As [`Store::set`].
    pub async fn set(&self, sid: &str, session: &Session) -> Result<(), Error> {
        self.run("set", Write, self.store.set(sid, session)).await
    }

    /// Removes the session. It is no error if the session does not exist.
    ///
    /// # Errors
    ///
    /// As [`Store::destroy`].
    pub async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.run("destroy", Write, self.store.destroy(sid)).await
    }

    /// Moves the expiry, never the data; never creates, never revives.
    ///
    /// # Errors
    ///
    /// As [`Store::touch`].
    pub async fn touch(&self, sid: &str, session: &Session) -> Result<Touched, Error> {
        self.run("touch", Write, self.store.touch(sid, session)).await
    }

    /// Stores the session unless a live one has this id.
    ///
    /// # Errors
    ///
    /// As [`Atomic::create`](cloakroom_core::Atomic::create); [`Unsupported`](ErrorKind::Unsupported) when the store cannot.
    pub async fn create(&self, sid: &str, session: &Session) -> Result<Created, Error> {
        self.run("create", Write, self.offered("create", self.store.atomic())?.create(sid, session))
            .await
    }

    /// Stores the session if the record is still the one that `session` was read from.
    ///
    /// # Errors
    ///
    /// As [`Atomic::update`](cloakroom_core::Atomic::update); [`Unsupported`](ErrorKind::Unsupported) when the store cannot.
    pub async fn update(&self, sid: &str, session: &Session) -> Result<Updated, Error> {
        self.run("update", Write, self.offered("update", self.store.atomic())?.update(sid, session))
            .await
    }

    /// Returns the session and moves its expiry to `ttl` from now, in the same round trip; to the store's default if
    /// `None`. As [`get`](Self::get), it does not return a session whose [end](Session::ends_at_ms) has come.
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
        let found = self.run("get_and_touch", Write, atomic.get_and_touch(sid, ttl)).await?;
        Ok(self.unless_ended(found))
    }

    /// Lists the ids of the live sessions.
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

    /// Lists the live sessions with their ids.
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

    /// Counts the live sessions. It may take longer than the deadline, which each of its steps keeps.
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

    /// Makes a new id and a new session with the cookie of the options. Nothing is stored.
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

    /// Destroys the session, and returns a new id with a new, empty one, which is not stored. Call it at a login, so that
    /// an id that somebody knew before is worth nothing.
    ///
    /// # Errors
    ///
    /// As [`destroy`](Self::destroy) and [`generate`](Self::generate).
    pub async fn regenerate(&self, sid: &str) -> Result<(String, Session), Error> {
        self.destroy(sid).await?;
        self.generate()
    }

    /// Tells whether the backend answered the last operation. The receiver is told of every change.
    ///
    /// Nothing is sent to find out; [`ping`](Self::ping) sends a read.
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
        does: Does<'_>,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.run_within(self.options.deadline, operation, does, work).await
    }

    async fn run_within<T: Send>(
        &self,
        deadline: Duration,
        operation: &'static str,
        does: Does<'_>,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.observe(within(deadline, self.store.name(), operation, does, work).await)
    }

    /// The session, unless its end has come. A store that Node.js has told to keep it for longer still has it.
    fn unless_ended(&self, found: Option<Session>) -> Option<Session> {
        found.filter(|session| !session.has_ended(self.options.clock.now_ms()))
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
