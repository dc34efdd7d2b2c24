//! The handle that applications use: the whole contract over any store.

use std::{borrow::Cow, fmt, future::Future, sync::Arc, time::Duration};

use cloakroom_backend::{
    Idempotency::{self, Once, Read},
    LongestLimit,
    observe::{Event, note, observed, verb},
    within,
};
use cloakroom_core::{Created, Error, ErrorKind, Listed, SessionData, Store, Touched, Updated};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::{Migrating, promisify::read_from_store};

mod contract;
mod destroy_where;
mod modify;
mod of_user;
mod options;
mod ping;

pub use options::ExpressSessionOptions;

/// Sessions over any store: one handle for Redis, Memcached, MongoDB, memory, and callback-style stores.
///
/// Cloning it is cheap, and it implements [`Store`] itself. Except for listings and `clear`, every operation ends
/// within [`deadline`](ExpressSessionOptions::deadline).
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
/// // Other requests may write at the same time; no change is lost.
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
    /// What the calls of `modify` have learnt.
    longest: Arc<LongestLimit>,
}

impl ExpressSession {
    /// Creates a handle on `store` with the default options.
    pub fn new(store: impl Store + 'static) -> Self {
        Self::with_options(store, ExpressSessionOptions::default())
    }

    /// Creates a handle on `store`.
    pub fn with_options(store: impl Store + 'static, options: ExpressSessionOptions) -> Self {
        Self { store: Arc::from(observed(store)), options, longest: Arc::default() }
    }

    /// Creates a handle on two stores, for the time in which sessions move from the old to the new: it reads the new
    /// store and then the old one, moves a session when it is written or visited, and destroys in both. See
    /// [`Migrating`], also for how to change a running site without a loss.
    pub fn migrating(old: impl Store + 'static, new: impl Store + 'static) -> Self {
        Self::new(Migrating::new(old, new))
    }

    /// Returns the store's name, such as `redis`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.store.name()
    }

    /// Returns the options.
    #[must_use]
    pub fn options(&self) -> &ExpressSessionOptions {
        &self.options
    }

    /// Returns the session, or `None` if it does not exist, has expired, or has reached its
    /// [end](SessionData::ends_at_ms).
    ///
    /// # Errors
    ///
    /// As for [`Store::get`]. Like every operation here, also [`Timeout`](ErrorKind::Timeout) after the deadline, and
    /// [`Config`](ErrorKind::Config) if it has to wait and the current thread has no tokio runtime with timers.
    pub async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let found = self.run("get", Read, self.store.get(sid)).await?;
        Ok(self.unless_ended(found.map(read_from_store)))
    }

    /// Creates or replaces the record, no matter who wrote it last. To keep the changes of other requests, use
    /// [`modify`](Self::modify) or [`update`](Self::update).
    ///
    /// # Errors
    ///
    /// As for [`Store::set`].
    pub async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.run("set", Once, self.store.set(sid, session)).await
    }

    /// Removes the session. A session that does not exist is not an error.
    ///
    /// # Errors
    ///
    /// As for [`Store::destroy`].
    pub async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.run("destroy", Once, self.store.destroy(sid)).await?;
        note(Event::SessionDestroyed { store: self.name() });
        Ok(())
    }

    /// Sets the expiry that [`set`](Self::set) would give `session`. It never changes the data, never creates a session
    /// and never revives one.
    ///
    /// # Errors
    ///
    /// As for [`Store::touch`].
    pub async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.run("touch", Once, self.store.touch(sid, session)).await
    }

    /// Stores the session only if no live session has this id.
    ///
    /// # Errors
    ///
    /// As for [`Atomic::create`](cloakroom_core::Atomic::create). [`Unsupported`](ErrorKind::Unsupported) if the store
    /// does not support it.
    pub async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let create = self.offered("create", self.store.atomic())?.create(sid, session);
        let created = self.run("create", Once, create).await?;
        if matches!(created, Created::Stored(_)) {
            note(Event::SessionCreated { store: self.name() });
        }
        Ok(created)
    }

    /// Stores the session only if the record has not changed since `session` was read.
    ///
    /// # Errors
    ///
    /// As for [`Atomic::update`](cloakroom_core::Atomic::update). [`Unsupported`](ErrorKind::Unsupported) if the store
    /// does not support it.
    pub async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.run("update", Once, self.offered("update", self.store.atomic())?.update(sid, session))
            .await
    }

    /// Returns the session and sets its expiry to `ttl` from now, in one round trip. Returns `None` if no live session
    /// has this id, or if the session has reached its [end](SessionData::ends_at_ms). A `ttl` of `None` means the
    /// store's default.
    ///
    /// # Errors
    ///
    /// As for [`Atomic::get_and_touch`](cloakroom_core::Atomic::get_and_touch). [`Unsupported`](ErrorKind::Unsupported)
    /// if the store does not support it.
    pub async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let atomic = self.offered("get_and_touch", self.store.atomic())?;
        let found = self.run("get_and_touch", Once, atomic.get_and_touch(sid, ttl)).await?;
        Ok(self.unless_ended(found))
    }

    /// Returns the ids of the sessions that the store has, which can be past their [end](SessionData::ends_at_ms) if
    /// Express has extended them. The listing as a whole has no deadline.
    ///
    /// # Errors
    ///
    /// Yielded by the stream: as for [`Enumerate::ids`](cloakroom_core::Enumerate::ids).
    /// [`Unsupported`](ErrorKind::Unsupported) if the store does not support it.
    #[must_use]
    pub fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        match self.offered("ids", self.store.enumerate()) {
            Ok(enumerate) => enumerate.ids().map_err(Error::with_outcome_known).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    /// Returns the sessions that the store has, each with its id and the time it has left. As in [`ids`](Self::ids),
    /// they can be past their end. The listing as a whole has no deadline.
    ///
    /// # Errors
    ///
    /// Yielded by the stream: as for [`Enumerate::all`](cloakroom_core::Enumerate::all).
    /// [`Unsupported`](ErrorKind::Unsupported) if the store does not support it.
    #[must_use]
    pub fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        match self.offered("all", self.store.enumerate()) {
            Ok(enumerate) => enumerate.all().map_err(Error::with_outcome_known).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    /// Returns the number of sessions that [`ids`](Self::ids) lists. This may take longer than the deadline, because a
    /// store lists in steps and each step has its own.
    ///
    /// # Errors
    ///
    /// As for [`Enumerate::length`](cloakroom_core::Enumerate::length). [`Unsupported`](ErrorKind::Unsupported) if the
    /// store does not support it.
    pub async fn length(&self) -> Result<u64, Error> {
        // The outcome of a read is never unknown, even if a store of the application says so.
        let length = self.offered("length", self.store.enumerate())?.length().await;
        length.map_err(Error::with_outcome_known)
    }

    /// Removes the sessions under the store's prefix and nothing else. This may take longer than the deadline, because
    /// a store clears in steps and each step has its own.
    ///
    /// # Errors
    ///
    /// As for [`Enumerate::clear`](cloakroom_core::Enumerate::clear). [`Unsupported`](ErrorKind::Unsupported) if the
    /// store does not support it.
    pub async fn clear(&self) -> Result<(), Error> {
        self.offered("clear", self.store.enumerate())?.clear().await
    }

    /// Returns a new id and a new session with the cookie of the options. Nothing is stored.
    ///
    /// # Errors
    ///
    /// The errors of `genid`, and [`InvalidData`](ErrorKind::InvalidData) for a max age beyond JavaScript's dates.
    pub fn generate(&self) -> Result<(String, SessionData), Error> {
        let mut cookie = self.options.cookie.clone();
        match self.options.max_age {
            Some(max_age) => cookie.set_max_age(Some(max_age), self.options.clock.now_ms())?,
            None => cookie.touch(self.options.clock.now_ms()),
        }
        Ok(((self.options.genid)()?, SessionData::with_cookie(cookie)))
    }

    /// Destroys the session and returns a new id and a new, empty session, which is not stored yet.
    ///
    /// Call it when a user logs in. An attacker who planted an id before the login then has nothing (session fixation).
    ///
    /// # Errors
    ///
    /// As for [`destroy`](Self::destroy) and [`generate`](Self::generate).
    pub async fn regenerate(&self, sid: &str) -> Result<(String, SessionData), Error> {
        // In the order of express-session's `Store.regenerate`. The handle knows no request, so it cannot wait with the
        // destruction until the new session is stored, as the layer's safe preset does.
        self.destroy(sid).await?;
        self.generate()
    }

    fn offered<T>(&self, operation: &'static str, part: Option<T>) -> Result<T, Error> {
        part.ok_or_else(|| {
            let store = Cow::Owned(self.store.name().to_owned());
            Error::new(
                ErrorKind::Unsupported,
                store,
                operation,
                "the store does not support this operation",
            )
        })
    }

    async fn run<T: Send>(
        &self,
        operation: &'static str,
        idempotency: Idempotency,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.run_within(self.options.deadline, operation, idempotency, work).await
    }

    async fn run_within<T: Send>(
        &self,
        deadline: Option<Duration>,
        operation: &'static str,
        idempotency: Idempotency,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let work = within(deadline, self.store.name(), operation, idempotency, work);
        verb("handle", operation, work).await
    }

    /// Returns the session unless its end has come. If Node.js has extended it beyond that, the store still has it.
    fn unless_ended(&self, found: Option<SessionData>) -> Option<SessionData> {
        found.filter(|session| !session.has_ended(self.options.clock.now_ms()))
    }
}

impl fmt::Debug for ExpressSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpressSession")
            .field("store", &self.store.name())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
