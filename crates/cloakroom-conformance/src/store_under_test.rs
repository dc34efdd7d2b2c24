//! The store that the suite tests.

use std::{any::Any, fmt, future::Future, sync::Arc};

use cloakroom_core::{Clock, Store};
use futures::future::BoxFuture;

use crate::{AccessError, Faults, RawAccess};

pub(crate) type StartFaults =
    Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Faults>, AccessError>> + Send + Sync>;

/// A fresh store for one case, and what the case needs besides it.
///
/// **It must be isolated**: `clear` removes everything in it, and `length` is compared with the number of sessions that
/// the case stored. Give each subject a prefix, a database or a server of its own.
///
/// ```
/// use cloakroom_conformance::StoreUnderTest;
/// use cloakroom_core::MemoryStore;
///
/// async fn subject() -> StoreUnderTest {
///     let store = MemoryStore::new();
///     StoreUnderTest::new(store.clone()).with_second_handle(store).with_neighbour(MemoryStore::new())
/// }
/// # futures::executor::block_on(subject());
/// ```
pub struct StoreUnderTest {
    store: Arc<dyn Store>,
    second_handle: Option<Arc<dyn Store>>,
    neighbour: Option<Arc<dyn Store>>,
    raw: Option<Box<dyn RawAccess>>,
    faults: Option<StartFaults>,
    clock: Option<Clock>,
    patience: u32,
    // This must be the last member, since members are dropped in their order: the guards clean up what the handles use
    // until they are dropped.
    guards: Vec<Box<dyn Any + Send + Sync>>,
}

impl StoreUnderTest {
    /// Creates a subject from an empty store.
    ///
    /// It has no second handle, no neighbour, no raw access and no faults. The cases that need one of these fail until
    /// you provide it, or declare it as `not_offered`.
    #[must_use]
    pub fn new(store: impl Store + 'static) -> Self {
        Self {
            store: Arc::new(store),
            second_handle: None,
            neighbour: None,
            raw: None,
            faults: None,
            clock: None,
            patience: 1,
            guards: Vec::new(),
        }
    }

    /// Adds a second handle on the same sessions, preferably with its own connections, like that of
    /// another process.
    #[must_use]
    pub fn with_second_handle(mut self, store: impl Store + 'static) -> Self {
        self.second_handle = Some(Arc::new(store));
        self
    }

    /// Adds an empty second store that shares its backend but not its sessions: it has another prefix,
    /// collection or database. `clear` must not affect it.
    #[must_use]
    pub fn with_neighbour(mut self, store: impl Store + 'static) -> Self {
        self.neighbour = Some(Arc::new(store));
        self
    }

    /// Adds access to the store's records that bypasses the store, for the cases about records of
    /// other programs.
    #[must_use]
    pub fn with_raw(mut self, raw: impl RawAccess + 'static) -> Self {
        self.raw = Some(Box::new(raw));
        self
    }

    /// Adds a function that starts a server which may be stopped, frozen and cut off, for the cases
    /// about outages.
    ///
    /// Each of those cases calls it once, and no other case does, so a server that takes a second to start costs about
    /// a dozen seconds in total. The other cases can share a server. If the function returns an error, the case fails.
    /// [`Faults`] has an example.
    #[must_use]
    pub fn with_faults<T, F, Fut>(mut self, start: F) -> Self
    where
        T: Faults + 'static,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, AccessError>> + Send + 'static,
    {
        self.faults = Some(Box::new(move || {
            let started = start();
            Box::pin(async { Ok(Arc::new(started.await?) as Arc<dyn Faults>) })
        }));
        self
    }

    /// Adds a value that cleans up when it is dropped, such as a temporary folder or a server.
    ///
    /// It is dropped after the stores, inside the case's tokio runtime, even if the case fails, panics or runs out of
    /// time. Guards are dropped in the order in which they were added.
    #[must_use]
    pub fn add_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.push(Box::new(guard));
        self
    }

    /// Sets the clock of all its stores, so that cases move the clock instead of waiting.
    ///
    /// It must be a [`Clock::fixed`] that only this subject uses. The cases cannot move the system's clock.
    ///
    /// ```
    /// use cloakroom_conformance::StoreUnderTest;
    /// use cloakroom_core::{Clock, MemoryOptions, MemoryStore};
    ///
    /// let mut options = MemoryOptions::default();
    /// options.clock = Clock::fixed(1_700_000_000_000);
    /// let clock = options.clock.clone();
    /// let subject = StoreUnderTest::new(MemoryStore::with_options(options)).with_clock(clock);
    /// ```
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Returns the store for other tasks.
    pub(crate) fn shared(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    pub(crate) fn second(&self) -> Option<&dyn Store> {
        self.second_handle.as_deref()
    }

    pub(crate) fn beside(&self) -> Option<&dyn Store> {
        self.neighbour.as_deref()
    }

    pub(crate) fn raw_access(&self) -> Option<&dyn RawAccess> {
        self.raw.as_deref()
    }

    pub(crate) fn start_faults(&self) -> Option<&StartFaults> {
        self.faults.as_ref()
    }

    /// Makes short sessions live `patience` times as long.
    pub(crate) fn with_patience(mut self, patience: u32) -> Self {
        self.patience = patience;
        self
    }

    pub(crate) fn patience(&self) -> i64 {
        self.patience.into()
    }

    /// Returns the clock that a case can move, or `None`.
    pub(crate) fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }
}

impl fmt::Debug for StoreUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUnderTest").field("store", &self.store.name()).finish_non_exhaustive()
    }
}
