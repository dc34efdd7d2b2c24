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
    flag::{self, Flag},
    origin::{Origin, from_old, of_old, origin},
};

#[async_trait]
impl Store for Migrating {
    /// Returns the name of the new store. An error has the name of the store that it comes from.
    fn name(&self) -> &str {
        self.new.name()
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.look(sid).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        flag::check(session, self.name(), "set")?;
        self.set_somewhere(sid, session).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        // In this order; see the head of `migrating.rs`.
        let in_old = self.old.destroy(sid).await;
        let in_new = self.new.destroy(sid).await;
        match (in_old, in_new) {
            (Ok(()), Ok(())) => Ok(()),
            // A store has nothing under an id that it refuses.
            (Err(error), other) | (other, Err(error)) if error.kind() == ErrorKind::InvalidId => {
                other
            }
            (Err(error), Err(_)) => Err(error),
            (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(in_part(true)(error)),
        }
    }

    /// Looks first, because a copy that a killed mover has left must not be extended.
    ///
    /// It moves the session, as a write does: a mover has the time that was left before, and must not overwrite this.
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        loop {
            match self.to_visit(sid).await? {
                Place::Nowhere => return Ok(Touched::Missing),
                Place::New => return self.new.touch(sid, session).await,
                Place::Old => match self.old.touch(sid, session).await? {
                    // It moved in between, or has ended.
                    Touched::Missing => {}
                    // It can have been closed before that.
                    touched if matches!(self.in_old(sid).await?, InOld::Open(_)) => {
                        return Ok(touched);
                    }
                    _ => {}
                },
                // The record in the old store must not end before its copy.
                Place::OnItsWay(is_handed) => match self.old.touch(sid, session).await? {
                    Touched::Missing => {}
                    _ if is_handed => return self.new.touch(sid, session).await,
                    touched => return Ok(touched),
                },
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
        flag::check(session, self.name(), "create")?;
        loop {
            let refused = match self.has_expired(session) {
                true => None,
                false => match self.create_once(sid, session, false).await {
                    Ok(Some(revision)) if self.writes == Writes::InPlace => {
                        return Ok(Created::Stored(of_old(Some(&revision))));
                    }
                    Ok(Some(revision)) => return Ok(Created::Stored(revision)),
                    Ok(None) => None,
                    Err(error) if error.outcome_unknown() => return Err(error),
                    Err(error) => Some(error),
                },
            };
            match self.settled(sid).await {
                Ok(Some(_)) => return Ok(Created::Exists),
                Ok(None) => {}
                Err(error) => return Err(refused.unwrap_or(error).with_outcome_known()),
            }
            if let Some(error) = refused {
                return Err(error);
            }
            if self.has_expired(session) {
                // It is not stored, but the answer is the same.
                return Self::atomic_of(self.of_new_sessions())?.create(sid, session).await;
            }
        }
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        flag::check(session, self.name(), "update")?;
        let mut revision = match origin(session) {
            Origin::New => match self.update_in_new(sid, session).await {
                // The session can only be in the old store, which judges the revision.
                Err(error) if error.kind() == ErrorKind::InvalidId => {
                    return Self::atomic_of(&*self.old)?.update(sid, session).await;
                }
                updated => return updated,
            },
            Origin::Old(revision) => Some(revision),
            Origin::OnItsWay => None,
        };
        // A session ends where it is: the new store may refuse it, and its end needs no copy.
        if self.writes == Writes::ToNew && !self.has_expired(session) {
            let moved = self.moved(sid, None).await.map_err(Error::with_outcome_known)?;
            let Some(current) = moved else { return Ok(Updated::Gone) };
            return self.update_moved(sid, session, current).await;
        }
        loop {
            if let Some(revision) = revision {
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
            }
            let settled = self.settled(sid).await.map_err(Error::with_outcome_known)?;
            let Some(current) = settled else { return Ok(Updated::Gone) };
            revision = match origin(&current) {
                // The new store refused it.
                Origin::Old(again) if is_same(session, &current) => Some(again),
                Origin::Old(_) => return Ok(Updated::Conflict(current)),
                _ => return self.update_moved(sid, session, current).await,
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
            match new.get_and_touch(sid, ttl).await {
                Ok(Some(session)) if !flag::is_moving(&session) => return Ok(Some(session)),
                Err(error) if error.kind() != ErrorKind::InvalidId => return Err(error),
                _ => {}
            }
            match self.to_visit(sid).await? {
                Place::Nowhere => return Ok(None),
                // It moved in between.
                Place::New => {}
                Place::Old => {
                    let found = old.get_and_touch(sid, ttl).await?;
                    if let Some(session) = found.filter(|found| !flag::is_moving(found)) {
                        return Ok(Some(from_old(session)));
                    }
                }
                Place::OnItsWay(is_handed) => {
                    // The record in the old store must not end before its copy.
                    old.get_and_touch(sid, ttl).await?;
                    if is_handed {
                        new.get_and_touch(sid, ttl).await?;
                    }
                    return self.look(sid).await;
                }
            }
        }
    }
}

/// Where a session is extended.
enum Place {
    Nowhere,
    New,
    Old,
    /// In both stores, or before its record is handed over in the old one: a store refuses the next step of its move.
    OnItsWay(bool),
}

impl Migrating {
    /// Moves a session that is visited, if sessions move, and returns where it must be extended.
    async fn to_visit(&self, sid: &str) -> Result<Place, Error> {
        let stays = self.writes == Writes::InPlace || !self.is_atomic();
        let settled = match self.find(sid).await {
            Ok(Found::Nothing) => return Ok(Place::Nowhere),
            Ok(Found::New(_)) => return Ok(Place::New),
            Ok(Found::Old(_)) if stays => return Ok(Place::Old),
            Ok(Found::Moving(_)) if stays => self.settled(sid).await,
            // If the new store refuses it, it is in the old store as before.
            Ok(_) => self.moved(sid, None).await,
            Err(error) => Err(error),
        };
        let error = match settled {
            Ok(Some(found)) if origin(&found) == Origin::New => return Ok(Place::New),
            Ok(Some(_)) => return Ok(Place::Old),
            Ok(None) => return Ok(Place::Nowhere),
            Err(error) => error,
        };
        match self.in_old(sid).await? {
            InOld::Open(_) => Ok(Place::Old),
            InOld::Closed(..) => Ok(Place::OnItsWay(false)),
            InOld::Handed(_, name, _) => {
                match self.in_new(sid).await?.map(|copy| flag::of(&copy)) {
                    Some(Flag::Pending(_, of)) if of == name => Ok(Place::OnItsWay(true)),
                    Some(Flag::None) => Ok(Place::New),
                    _ => Err(error),
                }
            }
            InOld::Nothing | InOld::Pending(..) | InOld::Tentative(_) => Err(error),
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
                Ok(self.look(sid).await?.map_or(Updated::Gone, Updated::Conflict))
            }
            stored => Ok(stored),
        }
    }
}

/// Returns true if this is the record that was read. A move changes no byte, so the text tells.
fn is_same(read: &SessionData, current: &SessionData) -> bool {
    read.loaded_json() == current.loaded_json()
}
