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
                Found::Moving(moving) => drop(self.complete(sid, moving).await?),
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
    ///
    /// It moves the session, as a write does: a mover has the time that was left before, and must not overwrite this.
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        loop {
            match self.find(sid).await? {
                Found::Nothing => return Ok(Touched::Missing),
                Found::New(_) => return self.new.touch(sid, session).await,
                Found::Old(_) if self.moves_on_visit(sid).await? => {}
                Found::Old(_) => match self.old.touch(sid, session).await? {
                    // It moved in between, or has ended.
                    Touched::Missing => {}
                    // It can have been closed before that.
                    touched if matches!(self.in_old(sid).await?, InOld::Open(_)) => {
                        return Ok(touched);
                    }
                    _ => {}
                },
                Found::Moving(moving) => drop(self.complete(sid, moving).await?),
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
            match self.find(sid).await? {
                Found::New(_) | Found::Old(_) => return Ok(Created::Exists),
                Found::Moving(moving) => drop(self.complete(sid, moving).await?),
                Found::Nothing => {
                    let is_in_place = self.writes == Writes::InPlace;
                    let store = if is_in_place { &self.old } else { &self.new };
                    match Self::atomic_of(&**store)?.create(sid, session).await? {
                        Created::Stored(revision) if is_in_place => {
                            return Ok(Created::Stored(of_old(Some(&revision))));
                        }
                        Created::Stored(revision) => return Ok(Created::Stored(revision)),
                        // A session, or what a killed mover has left by now.
                        Created::Exists => {}
                    }
                }
            }
        }
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let Some(mut revision) = in_old(session) else {
            return self.update_in_new(sid, session).await;
        };
        if self.writes == Writes::ToNew {
            let Some(current) = self.moved(sid, None).await? else { return Ok(Updated::Gone) };
            return self.update_moved(sid, session, current).await;
        }
        loop {
            let read = session.clone().with_revision(revision);
            match Self::atomic_of(&*self.old)?.update(sid, &read).await? {
                Updated::Stored(revision) => {
                    return Ok(Updated::Stored(of_old(Some(&revision))));
                }
                Updated::Conflict(current) if !flag::is_moving(&current) => {
                    return Ok(Updated::Conflict(from_old(current)));
                }
                Updated::Conflict(_) | Updated::Gone => {}
            }
            let Some(current) = self.get(sid).await? else { return Ok(Updated::Gone) };
            revision = match in_old(&current) {
                None => return self.update_moved(sid, session, current).await,
                // The new store refused it.
                Some(again) if is_same(session, &current) => again,
                Some(_) => return Ok(Updated::Conflict(current)),
            };
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
                Found::Old(_) if self.moves_on_visit(sid).await? => {}
                Found::Old(_) => {
                    let found = old.get_and_touch(sid, ttl).await?;
                    if let Some(session) = found.filter(|found| !flag::is_moving(found)) {
                        return Ok(Some(from_old(session)));
                    }
                }
                Found::Moving(moving) => drop(self.complete(sid, moving).await?),
            }
        }
    }
}

impl Migrating {
    /// Moves a session that is visited, if sessions move. Returns false if it must be extended where it is.
    async fn moves_on_visit(&self, sid: &str) -> Result<bool, Error> {
        if self.writes == Writes::InPlace || !self.is_atomic() {
            return Ok(false);
        }
        match self.moved(sid, None).await {
            Ok(_) => Ok(true),
            Err(error) if error.outcome_unknown() => Err(error),
            // The new store refuses it, and it is in the old store as before.
            Err(_) => Ok(false),
        }
    }

    /// Updates a session that was read in the old store, and has moved.
    async fn update_moved(
        &self,
        sid: &str,
        session: &SessionData,
        current: SessionData,
    ) -> Result<Updated, Error> {
        match current.revision().cloned().filter(|_| is_same(session, &current)) {
            Some(revision) => {
                self.update_in_new(sid, &session.clone().with_revision(revision)).await
            }
            None => Ok(Updated::Conflict(current)),
        }
    }

    async fn update_in_new(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        match Self::atomic_of(&*self.new)?.update(sid, session).await? {
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

    /// Stores a session in the new store, and removes what the old one has of it. The session moves first: a handle
    /// that has read the old record must not write it any more, and a process that is killed here must leave a session.
    async fn set_in_new(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let is_left = self.is_atomic()
            && match self.leave_old(sid, None).await {
                Ok(()) => true,
                Err(error) if error.outcome_unknown() => return Err(error),
                // The record cannot be read, or the new store refuses it. It is replaced.
                Err(error) if is_of_the_record(error.kind()) => false,
                Err(error) => return Err(error),
            };
        self.new.set(sid, session).await?;
        if is_left {
            return Ok(());
        }
        self.old.destroy(sid).await.map_err(in_part(true))
    }
}

/// Returns true if this is the record that was read. A move changes no byte, so the text tells.
fn is_same(read: &SessionData, current: &SessionData) -> bool {
    read.loaded_json() == current.loaded_json()
}

fn is_of_the_record(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::TooLarge | ErrorKind::InvalidData)
}
