//! A Memcached store that notes long ids, so that their sessions can be removed: the store keeps them under a digest,
//! which no listing and no prefix finds.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom::{Atomic, Created, Enumerate, Error, SessionData, Store, Touched, Updated};

/// Ids that are shorter are shorter than 250 characters with every prefix of the suite.
const LONG: usize = 100;

/// URLs of stores, and long ids in them.
#[derive(Clone, Default)]
pub(super) struct LongIds(Arc<Mutex<BTreeSet<(String, String)>>>);

impl LongIds {
    pub(super) fn take(&self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) struct Noting<S> {
    pub(super) store: S,
    pub(super) url: String,
    pub(super) long: LongIds,
}

impl<S> Noting<S> {
    fn note(&self, sid: &str) {
        if sid.len() > LONG {
            let noted = (self.url.clone(), sid.to_owned());
            self.long.0.lock().unwrap_or_else(PoisonError::into_inner).insert(noted);
        }
    }
}

#[async_trait]
impl<S: Store> Store for Noting<S> {
    fn name(&self) -> &str {
        self.store.name()
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.store.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.note(sid);
        self.store.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.store.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.store.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        self.store.atomic().is_some().then_some(self as &dyn Atomic)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.store.enumerate()
    }
}

#[async_trait]
impl<S: Store> Atomic for Noting<S> {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.note(sid);
        offered(&self.store)?.create(sid, session).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        offered(&self.store)?.update(sid, session).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        offered(&self.store)?.get_and_touch(sid, ttl).await
    }
}

fn offered(store: &impl Store) -> Result<&dyn Atomic, Error> {
    store.atomic().ok_or_else(|| {
        let message = "the store does not support conditional writes";
        Error::new(cloakroom::ErrorKind::Unsupported, store.name().to_owned(), "check", message)
    })
}
