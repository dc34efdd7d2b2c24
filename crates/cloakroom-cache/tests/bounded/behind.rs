//! The store behind the cache: a memory store that counts calls, and lets a test hold them up.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Clock, Created, Error, ErrorKind, MemoryOptions, MemoryStore, Revision, SessionData,
    Store, Touched, Updated,
};
use cloakroom_test_backends::{Calls, Instead};
use futures::channel::oneshot;

#[derive(Clone)]
pub(crate) struct Behind {
    pub(crate) store: MemoryStore,
    clock: Clock,
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
    /// What `touch` answers without doing anything.
    declines: Option<Touched>,
    /// The time to live that `touch` gives, in milliseconds. It ignores the one in the call.
    ttl_ms: Option<i64>,
    /// Whether a read returns a record of its own, in a buffer that is larger, as a store on a server does.
    is_far: bool,
}

impl Behind {
    pub(crate) fn new(clock: &Clock) -> Self {
        let options = MemoryOptions::default().with_clock(clock.clone());
        let store = MemoryStore::with_options(options);
        Self { store, clock: clock.clone(), state: Arc::default() }
    }

    /// The store that counts its calls.
    pub(crate) fn store(&self) -> Instead<Self> {
        Instead(self.clone())
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

    pub(crate) fn decline_touches(&self, answer: Touched) {
        self.state.lock().unwrap().declines = Some(answer);
    }

    pub(crate) fn set_ttl_ms(&self, ttl_ms: i64) {
        self.state.lock().unwrap().ttl_ms = Some(ttl_ms);
    }

    pub(crate) fn return_copies(&self) {
        self.state.lock().unwrap().is_far = true;
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

/// Parses the record again, from a buffer with room for a tenth more or for twice as much.
fn copy(session: &SessionData) -> Result<SessionData, Error> {
    let text = session.loaded_json();
    let room =
        if text.len().is_multiple_of(2) { text.len() * 2 } else { text.len() + text.len() / 10 };
    let mut record = Vec::with_capacity(room);
    record.extend_from_slice(text.as_bytes());
    Ok(SessionData::from_record(record)?.unwrap().with_revision(Revision::of_text()))
}

#[async_trait]
impl Calls for Behind {
    fn behind(&self) -> &dyn Store {
        &self.store
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let found = self.pass("get", self.store.get(sid)).await?;
        let is_far = self.state.lock().unwrap().is_far;
        found.map(|session| if is_far { copy(&session) } else { Ok(session) }).transpose()
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.pass("set", self.store.set(sid, session)).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.pass("destroy", self.store.destroy(sid)).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let (declines, ttl_ms) = {
            let state = self.state.lock().unwrap();
            (state.declines, state.ttl_ms)
        };
        let work = async {
            if let Some(answer) = declines {
                return Ok(answer);
            }
            let mut session = session.clone();
            if ttl_ms.is_some() {
                session.cookie_mut().set_max_age_ms(ttl_ms, self.clock.now_ms())?;
            }
            self.store.touch(sid, &session).await
        };
        self.pass("touch", work).await
    }
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
