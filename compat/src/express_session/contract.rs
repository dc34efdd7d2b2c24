//! Implements the contract for the handle, so that it works wherever a store is expected.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, FindBy, Listed, SessionData, Store, Touched, Updated,
};
use futures::stream::BoxStream;

use super::ExpressSession;

#[async_trait]
impl Store for ExpressSession {
    fn name(&self) -> &str {
        self.store.name()
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.get(sid).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.set(sid, session).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.destroy(sid).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.touch(sid, session).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        self.store.atomic().map(|_| self as &dyn Atomic)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.store.enumerate().map(|_| self as &dyn Enumerate)
    }
}

#[async_trait]
impl Atomic for ExpressSession {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.create(sid, session).await
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.update(sid, session).await
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.get_and_touch(sid, ttl).await
    }
}

#[async_trait]
impl Enumerate for ExpressSession {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.ids()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.all()
    }

    async fn length(&self) -> Result<u64, Error> {
        self.length().await
    }

    async fn clear(&self) -> Result<(), Error> {
        self.clear().await
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        self.store.enumerate()?.find_by()
    }
}
