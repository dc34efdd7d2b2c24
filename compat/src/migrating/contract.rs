//! The contract over both stores.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_backend::in_part;
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, SessionData, Store, Touched, Updated,
};

use super::{
    Migrating, Writes,
    find::{Found, InOld},
    flag,
    origin::{from_old, in_old, of_old},
};

#[async_trait]
impl Store for Migrating {
    /// Returns the name of the new store. An error has the name of the store that it comes from.
    fn name(&self) -> &str {
        self.new.name()
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        loop {
            match self.find(sid).await? {
                Found::Nothing => return Ok(None),
                Found::New(session) => return Ok(Some(session)),
                Found::Old(session) => return Ok(Some(from_old(session))),
                Found::Moving(moving) => self.complete(sid, moving, None).await?,
            }
        }
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        if self.writes == Writes::ToNew {
            return self.set_in_new(sid, session).await;
        }
        let is_there = |found: Option<SessionData>| found.is_some_and(|s| !flag::is_moving(&s));
        if is_there(self.new.get(sid).await?) {
            return self.set_in_new(sid, session).await;
        }
        self.old.set(sid, session).await?;
        // A move that began before this write can still complete. What it copied is older.
        match self.new.get(sid).await.map_err(in_part(true))? {
            None => Ok(()),
            Some(_) => self.set_in_new(sid, session).await.map_err(in_part(true)),
        }
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        // In this order; see the head of `migrating.rs`.
        let in_old = self.old.destroy(sid).await;
        let in_new = self.new.destroy(sid).await;
        match (in_old, in_new) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(error), Err(_)) => Err(error),
            (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(in_part(true)(error)),
        }
    }

    /// Looks first, because a copy that a killed mover has left must not be extended.
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        loop {
            match self.find(sid).await? {
                Found::Nothing => return Ok(Touched::Missing),
                Found::New(_) => return self.new.touch(sid, session).await,
                Found::Old(_) => match self.old.touch(sid, session).await? {
                    // It moved in between, or has ended.
                    Touched::Missing => {}
                    touched => return Ok(touched),
                },
                Found::Moving(moving) => self.complete(sid, moving, None).await?,
            }
        }
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        self.is_atomic().then_some(self as &dyn Atomic)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        let both = self.old.enumerate().is_some() && self.new.enumerate().is_some();
        both.then_some(self as &dyn Enumerate)
    }
}

#[async_trait]
impl Atomic for Migrating {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        loop {
            match self.in_old(sid).await? {
                InOld::Open(_) => return Ok(Created::Exists),
                InOld::Closed(..) => {
                    self.moved(sid, None).await?;
                    continue;
                }
                InOld::Nothing => {}
            }
            let is_in_place = self.writes == Writes::InPlace;
            if is_in_place && self.new.get(sid).await?.is_some_and(|found| !flag::is_moving(&found))
            {
                return Ok(Created::Exists);
            }
            let store = if is_in_place { &self.old } else { &self.new };
            match Self::atomic_of(&**store)?.create(sid, session).await? {
                Created::Stored(revision) if is_in_place => {
                    return Ok(Created::Stored(of_old(Some(&revision))));
                }
                Created::Stored(revision) => return Ok(Created::Stored(revision)),
                Created::Exists if is_in_place => return Ok(Created::Exists),
                Created::Exists => match self.new.get(sid).await? {
                    Some(late) if flag::is_moving(&late) => {
                        Self::discard(&*self.new, sid, &late).await?;
                    }
                    _ => return Ok(Created::Exists),
                },
            }
        }
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let new = Self::atomic_of(&*self.new)?;
        let updated = match (in_old(session), self.writes) {
            (None, _) => new.update(sid, session).await?,
            (Some(revision), Writes::InPlace) => {
                let old = Self::atomic_of(&*self.old)?;
                let session = session.clone().with_revision(revision);
                match old.update(sid, &session).await? {
                    Updated::Stored(revision) => Updated::Stored(of_old(Some(&revision))),
                    Updated::Conflict(current) if !flag::is_moving(&current) => {
                        return Ok(Updated::Conflict(from_old(current)));
                    }
                    other => other,
                }
            }
            (Some(_), Writes::ToNew) => {
                let Some(current) = self.moved(sid, None).await? else { return Ok(Updated::Gone) };
                let revision = current.revision().cloned();
                // A move changes no byte, so the same text is the record that was read.
                match revision.filter(|_| current.loaded_json() == session.loaded_json()) {
                    Some(revision) => {
                        new.update(sid, &session.clone().with_revision(revision)).await?
                    }
                    None => return Ok(Updated::Conflict(current)),
                }
            }
        };
        match updated {
            Updated::Conflict(current) if !flag::is_moving(&current) => {
                Ok(Updated::Conflict(current))
            }
            // It can be in the other store by now.
            Updated::Conflict(_) | Updated::Gone => {
                Ok(self.get(sid).await?.map_or(Updated::Gone, Updated::Conflict))
            }
            stored => Ok(stored),
        }
    }

    /// Takes a round trip for each store that it asks, one for a session of the new store.
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let (old, new) = (Self::atomic_of(&*self.old)?, Self::atomic_of(&*self.new)?);
        loop {
            if let Some(session) = new.get_and_touch(sid, ttl).await?
                && !flag::is_moving(&session)
            {
                return Ok(Some(session));
            }
            match self.find(sid).await? {
                Found::Nothing => return Ok(None),
                // It moved in between.
                Found::New(_) => {}
                Found::Old(_) => {
                    let found = old.get_and_touch(sid, ttl).await?;
                    if let Some(session) = found.filter(|found| !flag::is_moving(found)) {
                        return Ok(Some(from_old(session)));
                    }
                }
                Found::Moving(moving) => self.complete(sid, moving, None).await?,
            }
        }
    }
}

impl Migrating {
    /// Stores a session in the new store, and removes what the old one has of it. The old record is closed first: a
    /// handle that has read it must not write it any more.
    async fn set_in_new(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let is_atomic = self.is_atomic();
        let closed = loop {
            match self.in_old(sid).await {
                Ok(InOld::Open(open)) if is_atomic => {
                    if let Some(closed) = self.close(sid, open).await? {
                        break Some(closed);
                    }
                }
                Ok(InOld::Closed(_, closed)) if is_atomic => break Some(closed),
                Ok(InOld::Nothing) => break None,
                // Nobody can update it, so it need not be closed.
                Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
                Ok(_) | Err(_) => {
                    self.new.set(sid, session).await?;
                    return self.old.destroy(sid).await.map_err(in_part(true));
                }
            }
        };
        self.new.set(sid, session).await?;
        match closed {
            Some(closed) => Self::discard(&*self.old, sid, &closed).await.map_err(in_part(true)),
            None => Ok(()),
        }
    }
}
