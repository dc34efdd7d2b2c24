//! Requests that save one session at the same time.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, MemoryStore, SessionData, Store, Touched, Updated,
};
use cloakroom_tower_sessions::{
    CloakroomStore,
    tower_sessions_core::{SessionStore, session::Record},
};
use tokio::task::{JoinSet, yield_now};

/// A store that is as far away as a server: between a call and its effect, others run.
#[derive(Clone, Default)]
struct Away {
    memory: MemoryStore,
    updates: Arc<AtomicUsize>,
}

#[async_trait]
impl Store for Away {
    fn name(&self) -> &str {
        "away"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        yield_now().await;
        self.memory.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.memory.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.memory.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.memory.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

#[async_trait]
impl Atomic for Away {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.memory.atomic().unwrap().create(sid, session).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        yield_now().await;
        self.updates.fetch_add(1, Relaxed);
        self.memory.atomic().unwrap().update(sid, session).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.memory.atomic().unwrap().get_and_touch(sid, ttl).await
    }
}

#[tokio::test]
async fn saves_of_one_session_take_turns() {
    const SAVES: usize = 250;
    let away = Away::default();
    let store = CloakroomStore::new(away.clone());
    let mut record = Record {
        id: Default::default(),
        data: Default::default(),
        expiry_date: time::OffsetDateTime::now_utc() + time::Duration::hours(1),
    };
    store.create(&mut record).await.unwrap();
    let mut saves = JoinSet::new();
    for number in 0..SAVES {
        let (store, mut record) = (store.clone(), record.clone());
        record.data.insert("n".to_owned(), number.into());
        saves.spawn(async move { store.save(&record).await });
    }
    for saved in saves.join_all().await {
        saved.unwrap();
    }
    // Each save is tried once, and not as often as there are others.
    assert_eq!(away.updates.load(Relaxed), SAVES);
}
