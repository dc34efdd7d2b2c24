//! The store behind the cache: a memory store that counts calls, and lets a test hold them up.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, MemoryOptions, MemoryStore, SessionData,
    Store, Touched, Updated,
};
use futures::channel::oneshot;

#[derive(Clone)]
pub(crate) struct Behind {
    pub(crate) store: MemoryStore,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    calls: BTreeMap<&'static str, usize>,
    /// The next call waits for these before it reaches the store, and after it.
    before: Option<oneshot::Receiver<()>>,
    after: Option<oneshot::Receiver<()>>,
    fails: bool,
    panics: bool,
}

impl Behind {
    pub(crate) fn new(clock: &Clock) -> Self {
        let options = MemoryOptions::default().with_clock(clock.clone());
        Self { store: MemoryStore::with_options(options), state: Arc::default() }
    }

    /// How often this operation was called.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.state.lock().unwrap().calls.get(operation).copied().unwrap_or(0)
    }

    /// Lets the next call wait before it reaches the store, until the sender is used or dropped.
    pub(crate) fn hold_before(&self) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        self.state.lock().unwrap().before = Some(receiver);
        sender
    }

    /// Lets the next call wait with the store's answer.
    pub(crate) fn hold_after(&self) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        self.state.lock().unwrap().after = Some(receiver);
        sender
    }

    pub(crate) fn fail_next(&self) {
        self.state.lock().unwrap().fails = true;
    }

    pub(crate) fn panic_next(&self) {
        self.state.lock().unwrap().panics = true;
    }

    async fn pass<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let (before, after, fails, panics) = {
            let mut state = self.state.lock().unwrap();
            *state.calls.entry(operation).or_default() += 1;
            let State { before, after, fails, panics, .. } = &mut *state;
            (before.take(), after.take(), std::mem::take(fails), std::mem::take(panics))
        };
        assert!(!panics, "the store panics, as the test wants it");
        if fails {
            return Err(Error::new(ErrorKind::Unavailable, "memory", operation, "it fails"));
        }
        if let Some(before) = before {
            let _ = before.await;
        }
        let outcome = work.await;
        if let Some(after) = after {
            let _ = after.await;
        }
        outcome
    }
}

#[async_trait]
impl Store for Behind {
    fn name(&self) -> &str {
        self.store.name()
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.pass("get", self.store.get(sid)).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.pass("set", self.store.set(sid, session)).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.pass("destroy", self.store.destroy(sid)).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.pass("touch", self.store.touch(sid, session)).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.store.enumerate()
    }
}

#[async_trait]
impl Atomic for Behind {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.pass("create", self.store.create(sid, session)).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.pass("update", self.store.update(sid, session)).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.pass("get_and_touch", self.store.get_and_touch(sid, ttl)).await
    }
}
