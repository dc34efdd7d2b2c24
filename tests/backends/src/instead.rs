//! A store in front of another one, of which a test writes only the calls that it changes.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, FindBy, Listed, SessionData, Store, Touched,
    Updated,
};
use futures::stream::{self, BoxStream, StreamExt};

/// The calls of a store. Each goes to the store behind it, unless a test says what happens instead.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// use async_trait::async_trait;
/// use cloakroom_core::{Error, MemoryStore, SessionData, Store};
/// use cloakroom_test_backends::{Calls, Instead};
///
/// /// Counts what is read.
/// struct Reads(MemoryStore, AtomicUsize);
///
/// #[async_trait]
/// impl Calls for Reads {
///     fn behind(&self) -> &dyn Store {
///         &self.0
///     }
///     async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
///         self.1.fetch_add(1, Relaxed);
///         self.0.get(sid).await
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let store = Instead(Reads(MemoryStore::new(), AtomicUsize::new(0)));
/// store.set("a", &SessionData::new()).await?;
/// store.get("a").await?;
/// assert_eq!(store.0.1.load(Relaxed), 1);
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait Calls: Send + Sync {
    /// Returns the store that gets the calls.
    fn behind(&self) -> &dyn Store;

    /// Returns the conditional writes of the store behind it.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if it has none.
    fn atomic_behind(&self) -> Result<&dyn Atomic, Error> {
        self.behind().atomic().ok_or_else(|| lacks("conditional writes"))
    }

    /// The store's name.
    fn name(&self) -> &str {
        self.behind().name()
    }

    /// As [`Store::get`].
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.behind().get(sid).await
    }

    /// As [`Store::set`].
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.behind().set(sid, session).await
    }

    /// As [`Store::destroy`].
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.behind().destroy(sid).await
    }

    /// As [`Store::touch`].
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.behind().touch(sid, session).await
    }

    /// As [`Atomic::create`].
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.atomic_behind()?.create(sid, session).await
    }

    /// As [`Atomic::update`].
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.atomic_behind()?.update(sid, session).await
    }

    /// As [`Atomic::get_and_touch`].
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.atomic_behind()?.get_and_touch(sid, ttl).await
    }

    /// As [`Enumerate::clear`].
    async fn clear(&self) -> Result<(), Error> {
        self.behind().enumerate().ok_or_else(|| lacks("listings"))?.clear().await
    }

    /// As [`Enumerate::find_by`], but `None` whatever the store behind it has.
    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

fn lacks(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "test", "call", format!("the store does not support {what}"))
}

/// The store whose calls these are.
#[derive(Clone, Debug)]
pub struct Instead<C>(pub C);

impl<C: Calls> Instead<C> {
    fn listed<T: Send + 'static>(
        &self,
        list: impl FnOnce(&dyn Enumerate) -> BoxStream<'_, Result<T, Error>>,
    ) -> BoxStream<'_, Result<T, Error>> {
        match self.0.behind().enumerate() {
            Some(enumerate) => list(enumerate),
            None => stream::iter([Err(lacks("listings"))]).boxed(),
        }
    }
}

#[async_trait]
impl<C: Calls> Store for Instead<C> {
    fn name(&self) -> &str {
        self.0.name()
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.0.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.0.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        self.0.behind().atomic().map(|_| self as &dyn Atomic)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.0.behind().enumerate().map(|_| self as &dyn Enumerate)
    }
}

#[async_trait]
impl<C: Calls> Atomic for Instead<C> {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.0.create(sid, session).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.0.update(sid, session).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.0.get_and_touch(sid, ttl).await
    }
}

#[async_trait]
impl<C: Calls> Enumerate for Instead<C> {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.listed(|enumerate| enumerate.ids())
    }
    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.listed(|enumerate| enumerate.all())
    }
    async fn length(&self) -> Result<u64, Error> {
        self.0.behind().enumerate().ok_or_else(|| lacks("listings"))?.length().await
    }
    async fn clear(&self) -> Result<(), Error> {
        self.0.clear().await
    }
    fn find_by(&self) -> Option<&dyn FindBy> {
        self.0.find_by()
    }
}
