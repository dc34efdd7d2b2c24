//! A store whose writes are seen by the caches of all processes before they return, so that the suite, which looks at once
//! through another handle, finds what the mode allows.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_cache::Cached;
use cloakroom_conformance::{AccessError, RawAccess};
use cloakroom_core::{Atomic, Created, Enumerate, Error, SessionData, Store, Touched, Updated};
use cloakroom_test_backends::{Calls, RawRedis};

/// The caches of all processes.
#[derive(Clone)]
pub(crate) struct Caches(pub(crate) Arc<Vec<Cached>>);

impl Caches {
    async fn settle<T>(&self, outcome: T) -> T {
        for cached in &*self.0 {
            cached.settled().await;
        }
        outcome
    }
}

/// The handle of one process.
pub(crate) struct Settled {
    pub(crate) store: Cached,
    pub(crate) caches: Caches,
}

/// Access to records past all caches.
pub(crate) struct SettledRaw {
    pub(crate) raw: RawRedis,
    pub(crate) caches: Caches,
}

#[async_trait]
impl Calls for Settled {
    fn behind(&self) -> &dyn Store {
        &self.store
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.caches.settle(self.store.set(sid, session).await).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.caches.settle(self.store.destroy(sid).await).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.caches.settle(self.store.touch(sid, session).await).await
    }
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.caches.settle(self.store.create(sid, session).await).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.caches.settle(self.store.update(sid, session).await).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.caches.settle(self.store.get_and_touch(sid, ttl).await).await
    }
    async fn clear(&self) -> Result<(), Error> {
        self.caches.settle(self.store.clear().await).await
    }
}

#[async_trait]
impl RawAccess for SettledRaw {
    async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError> {
        self.caches.settle(self.raw.put(sid, record).await).await
    }
    async fn put_endless(&self, sid: &str, record: &str) -> Result<bool, AccessError> {
        self.caches.settle(self.raw.put_endless(sid, record).await).await
    }
    async fn record(&self, sid: &str) -> Result<Option<String>, AccessError> {
        self.raw.record(sid).await
    }
    async fn time_left(&self, sid: &str) -> Result<Option<Duration>, AccessError> {
        self.raw.time_left(sid).await
    }
}
