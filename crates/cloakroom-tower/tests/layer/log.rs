//! A memory store that notes what is asked of it, and fails or hangs where it is told to.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, MemoryOptions, MemoryStore, SessionData,
    Store, Touched, Updated, is_marker,
};
use tokio::sync::Semaphore;

use crate::site::NOW;

#[derive(Clone)]
pub(crate) struct Log {
    memory: MemoryStore,
    shared: Arc<Mutex<Shared>>,
    has_atomic: bool,
    has_own_life: bool,
    /// Lets others run before each answer.
    is_slow: bool,
    /// Closed while nothing is answered.
    gate: Arc<Semaphore>,
}

#[derive(Default)]
struct Shared {
    calls: Vec<&'static str>,
    fails: Vec<(&'static str, ErrorKind)>,
    raw: Option<String>,
    refuses_markers: bool,
    hook: Option<(&'static str, Hook)>,
    hangs: Option<&'static str>,
}

type Hook = Box<dyn FnOnce(&MemoryStore) + Send>;

impl Log {
    pub(crate) fn new(clock: &Clock) -> Self {
        let mut options = MemoryOptions::default();
        options.clock = clock.clone();
        let memory = MemoryStore::with_options(options);
        Self {
            memory,
            shared: Arc::default(),
            has_atomic: true,
            has_own_life: false,
            is_slow: false,
            gate: Arc::new(Semaphore::new(1)),
        }
    }

    /// The same sessions by a store that offers `Store` alone.
    pub(crate) fn without_atomic(mut self) -> Self {
        self.has_atomic = false;
        self
    }

    /// The same sessions by a store that gives all of them one life, whatever their cookies say, as with connect-redis's
    /// option `ttl`.
    pub(crate) fn with_own_life(mut self) -> Self {
        self.has_own_life = true;
        self
    }

    /// The same sessions by a store that lets others run before each answer.
    pub(crate) fn slow(mut self) -> Self {
        self.is_slow = true;
        self
    }

    /// What is underneath, to look at without a trace.
    pub(crate) fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    /// What has been asked since the last time.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.shared.lock().unwrap().calls)
    }

    /// From now on these operations fail, and no others.
    pub(crate) fn fail(&self, operations: &[&'static str], kind: ErrorKind) {
        self.shared.lock().unwrap().fails = operations.iter().map(|name| (*name, kind)).collect();
    }

    /// From now on nothing is answered.
    pub(crate) fn hang(&self) {
        self.gate.forget_permits(1);
    }

    /// What hangs is answered now, and all that comes.
    pub(crate) fn go_on(&self) {
        self.gate.add_permits(1);
    }

    /// From now on this operation is not answered.
    pub(crate) fn hang_on(&self, operation: &'static str) {
        self.shared.lock().unwrap().hangs = Some(operation);
    }

    /// From now on this is what is read, as if another language had written it: our own stores repair what they write.
    pub(crate) fn holds(&self, raw: impl Into<String>) {
        self.shared.lock().unwrap().raw = Some(raw.into());
    }

    /// From now on no session can have the name of a marker as its id.
    pub(crate) fn refuse_markers(&self) {
        self.shared.lock().unwrap().refuses_markers = true;
    }

    /// Lets others do something just before this operation is carried out for the next time.
    pub(crate) fn before(
        &self,
        operation: &'static str,
        hook: impl FnOnce(&MemoryStore) + Send + 'static,
    ) {
        self.shared.lock().unwrap().hook = Some((operation, Box::new(hook)));
    }

    fn as_written(&self, session: Option<SessionData>) -> Option<SessionData> {
        match (session, &self.shared.lock().unwrap().raw) {
            (Some(session), Some(raw)) => {
                let revision = session.revision().unwrap().clone();
                Some(SessionData::from_json(&**raw).unwrap().with_revision(revision))
            }
            (session, _) => session,
        }
    }

    async fn call(&self, operation: &'static str, sid: &str) -> Result<(), Error> {
        {
            let mut shared = self.shared.lock().unwrap();
            shared.calls.push(operation);
            if shared.refuses_markers && is_marker(sid) {
                return Err(Error::new(ErrorKind::InvalidId, "log", operation, "no such id"));
            }
            if let Some((_, kind)) = shared.fails.iter().find(|(failing, _)| *failing == operation)
            {
                let error = Error::new(*kind, "log", operation, "told to fail");
                // As with a real store: nobody knows whether a write without an answer was carried out.
                let is_unknown = *kind == ErrorKind::Timeout;
                return Err(if is_unknown { error.with_outcome_unknown() } else { error });
            }
        }
        let hangs = self.shared.lock().unwrap().hangs;
        if hangs == Some(operation) {
            std::future::pending::<()>().await;
        }
        if self.is_slow {
            tokio::task::yield_now().await;
        }
        let _passed = self.gate.acquire().await.unwrap();
        let hook = {
            let mut shared = self.shared.lock().unwrap();
            shared.hook.take_if(|(awaited, _)| *awaited == operation)
        };
        if let Some((_, hook)) = hook {
            hook(&self.memory);
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Log {
    fn name(&self) -> &str {
        "log"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.call("get", sid).await?;
        Ok(self.as_written(self.memory.get(sid).await?))
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.call("set", sid).await?;
        self.memory.set(sid, session).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.call("destroy", sid).await?;
        self.memory.destroy(sid).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.call("touch", sid).await?;
        self.memory.touch(sid, session).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        self.has_atomic.then_some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

#[async_trait]
impl Atomic for Log {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.call("create", sid).await?;
        self.memory.create(sid, session).await
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.call("update", sid).await?;
        let mut session = session.clone();
        if self.has_own_life {
            session.cookie_mut().set_max_age(Some(Duration::from_secs(1_800)), NOW).unwrap();
        }
        self.memory.update(sid, &session).await
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.call("get_and_touch", sid).await?;
        Ok(self.as_written(self.memory.get_and_touch(sid, ttl).await?))
    }
}
