//! A store that observes each operation of another one.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, FindBy, Listed, SessionData, Store, Touched,
    Updated,
};
use futures::stream::{self, BoxStream, StreamExt};

use super::{
    call::{watch, watch_stream},
    outcome::Outcome,
};

pub(super) struct Observed(Box<dyn Store>);

impl Observed {
    pub(super) fn new(store: impl Store + 'static) -> Self {
        Self(Box::new(store))
    }

    fn index(&self) -> Option<&dyn FindBy> {
        self.0.enumerate()?.find_by()
    }

    fn part<T>(&self, operation: &'static str, part: Option<T>) -> Result<T, Error> {
        part.ok_or_else(|| {
            let message = "the store does not support this operation";
            Error::new(ErrorKind::Unsupported, self.name().to_owned(), operation, message)
        })
    }
}

#[async_trait]
impl Store for Observed {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        watch(self.name(), "get", Some(sid), self.0.get(sid), Outcome::found).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        watch(self.name(), "set", Some(sid), self.0.set(sid, session), Outcome::done).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        watch(self.name(), "destroy", Some(sid), self.0.destroy(sid), Outcome::done).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        watch(self.name(), "touch", Some(sid), self.0.touch(sid, session), Outcome::touched).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        self.0.atomic().map(|_| self as &dyn Atomic)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.0.enumerate().map(|_| self as &dyn Enumerate)
    }
}

#[async_trait]
impl Atomic for Observed {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let create = self.part("create", self.0.atomic())?.create(sid, session);
        watch(self.name(), "create", Some(sid), create, Outcome::created).await
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let update = self.part("update", self.0.atomic())?.update(sid, session);
        watch(self.name(), "update", Some(sid), update, Outcome::updated).await
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let get = self.part("get_and_touch", self.0.atomic())?.get_and_touch(sid, ttl);
        watch(self.name(), "get_and_touch", Some(sid), get, Outcome::found).await
    }
}

#[async_trait]
impl Enumerate for Observed {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        match self.part("ids", self.0.enumerate()) {
            Ok(enumerate) => watch_stream(self.name(), "ids", enumerate.ids()),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        match self.part("all", self.0.enumerate()) {
            Ok(enumerate) => watch_stream(self.name(), "all", enumerate.all()),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn length(&self) -> Result<u64, Error> {
        let length = self.part("length", self.0.enumerate())?.length();
        watch(self.name(), "length", None, length, Outcome::done).await
    }

    async fn clear(&self) -> Result<(), Error> {
        let clear = self.part("clear", self.0.enumerate())?.clear();
        watch(self.name(), "clear", None, clear, Outcome::done).await
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        self.index().map(|_| self as &dyn FindBy)
    }
}

#[async_trait]
impl FindBy for Observed {
    async fn create_index(&self, path: &str) -> Result<(), Error> {
        let create = self.part("create_index", self.index())?.create_index(path);
        watch(self.name(), "create_index", None, create, Outcome::done).await
    }

    async fn find<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        let find = self.part("find", self.index())?.find(path, value);
        let found = watch(self.name(), "find", None, find, Outcome::done).await?;
        Ok(found.map(|listed| watch_stream(self.name(), "find", listed)))
    }

    async fn find_known<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        let find = self.part("find_known", self.index())?.find_known(path, value);
        let found = watch(self.name(), "find_known", None, find, Outcome::done).await?;
        Ok(found.map(|listed| watch_stream(self.name(), "find_known", listed)))
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observed").field(&self.name()).finish()
    }
}
