//! Finds the session among the records of both stores.

use cloakroom_core::{Error, ErrorKind, SessionData, Updated};

use super::{
    Migrating,
    flag::{self, Flag, Move},
    origin::{from_old, on_its_way},
};

/// Where a session is.
pub(super) enum Found {
    /// In neither store.
    Nothing,
    New(SessionData),
    /// In the old store, where it can be written.
    Old(SessionData),
    Moving(Box<Moving>),
}

/// A session on its way.
pub(super) struct Moving {
    pub(super) by: Move,
    /// The record of the old store.
    pub(super) closed: SessionData,
    pub(super) next: Next,
}

/// The step that is next.
pub(super) enum Next {
    /// The copy has to be created.
    Copy,
    /// The closed record has to be handed over to its copy, of this name.
    HandOver(SessionData, String),
    /// The copy has to become a session.
    Promote(SessionData),
}

/// What the old store has.
pub(super) enum InOld {
    Nothing,
    Open(SessionData),
    Closed(Move, SessionData),
    Handed(Move, String, SessionData),
    /// A copy that is left from a migration in the other direction.
    Pending(String, SessionData),
    /// A session that is being created.
    Tentative(SessionData),
}

impl InOld {
    pub(super) fn into_record(self) -> Option<SessionData> {
        match self {
            Self::Nothing => None,
            Self::Open(record)
            | Self::Closed(_, record)
            | Self::Handed(_, _, record)
            | Self::Pending(_, record)
            | Self::Tentative(record) => Some(record),
        }
    }
}

impl Migrating {
    /// Returns the session wherever it is, and writes nothing: a store that takes no writes must not keep anybody from
    /// reading. [`find`](Self::find) looks in the same order.
    pub(super) async fn look(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let in_new = self.in_new(sid).await?;
        let flag = in_new.as_ref().map(flag::of);
        if flag == Some(Flag::None) {
            return Ok(in_new);
        }
        let copy_name = match self.in_old(sid).await? {
            InOld::Open(session) => return Ok(Some(from_old(session))),
            InOld::Closed(_, record) => return as_read(record).map(Some),
            InOld::Handed(_, name, _) => Some(name),
            InOld::Pending(name, copy) => match flag {
                Some(Flag::Handed(_, of)) if of == name => return as_read(copy).map(Some),
                _ => None,
            },
            InOld::Nothing | InOld::Tentative(_) => None,
        };
        // It can have moved after the new store was asked and before the old one was.
        let Some(record) = self.in_new(sid).await? else { return Ok(None) };
        match flag::of(&record) {
            Flag::None => Ok(Some(record)),
            Flag::Pending(_, name) if copy_name.as_ref() == Some(&name) => {
                as_read(record).map(Some)
            }
            Flag::Closed(_) if copy_name.is_none() => as_read(record).map(Some),
            _ => Ok(None),
        }
    }

    /// Finds the session. Removes what ended moves have left.
    pub(super) async fn find(&self, sid: &str) -> Result<Found, Error> {
        loop {
            let in_new = self.in_new(sid).await?;
            let copy = match in_new {
                Some(session) if !flag::is_moving(&session) => return Ok(Found::New(session)),
                in_new => in_new,
            };
            let found = match self.in_old(sid).await? {
                InOld::Open(session) => Some(Found::Old(session)),
                InOld::Closed(by, closed) => self.closed(sid, by, closed, copy).await?,
                InOld::Handed(by, name, handed) => self.handed(sid, by, &name, handed).await?,
                InOld::Pending(name, record) => self.going_back(sid, copy, name, record).await?,
                InOld::Tentative(record) => {
                    Self::discard(&*self.old, sid, &record).await.map(|()| None)?
                }
                InOld::Nothing => self.not_in_old(sid).await?,
            };
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    async fn closed(
        &self,
        sid: &str,
        by: Move,
        mut closed: SessionData,
        in_new: Option<SessionData>,
    ) -> Result<Option<Found>, Error> {
        let next = match in_new {
            None => Next::Copy,
            Some(record) => match flag::of(&record) {
                Flag::Pending(of, name) if of == by.name => Next::HandOver(record, name),
                // It is left from a move that a logout or a write has ended, or a `set` is about to hand the session
                // over to it. It must not do so to a copy that is gone, so the record is closed under another name.
                Flag::Pending(..) => {
                    let by = Move::new(by.until_ms)?;
                    flag::close(&mut closed, &by)?;
                    let old = Self::atomic_of(&*self.old)?;
                    if let Updated::Stored(_) = old.update(sid, &by.with_time(closed)).await? {
                        Self::discard(&*self.new, sid, &record).await?;
                    }
                    return Ok(None);
                }
                _ => return Self::discard(&*self.new, sid, &record).await.map(|()| None),
            },
        };
        Ok(Some(Found::Moving(Box::new(Moving { by, closed, next }))))
    }

    /// The session is the copy of this name, which can have become a session or ended before the old store was asked.
    async fn handed(
        &self,
        sid: &str,
        by: Move,
        name: &str,
        closed: SessionData,
    ) -> Result<Option<Found>, Error> {
        if let Some(copy) = self.in_new(sid).await? {
            match flag::of(&copy) {
                Flag::None => return Ok(Some(Found::New(copy))),
                Flag::Pending(_, of) if of == name => {
                    let next = Next::Promote(copy);
                    return Ok(Some(Found::Moving(Box::new(Moving { by, closed, next }))));
                }
                _ => Self::discard(&*self.new, sid, &copy).await?,
            }
        }
        Self::discard(&*self.old, sid, &closed).await.map(|()| None)
    }

    /// Looks into the new store once more: a session can have moved after that was asked and before the old one was.
    async fn not_in_old(&self, sid: &str) -> Result<Option<Found>, Error> {
        let Some(record) = self.in_new(sid).await? else { return Ok(Some(Found::Nothing)) };
        match flag::of(&record) {
            Flag::None => Ok(Some(Found::New(record))),
            // It was on its way to the other store when the direction of the migration changed.
            Flag::Closed(by) => self.reopen(&*self.new, sid, record, &by).await.map(|_| None),
            // The session was logged out, or ended in the other store. Programs that know only the new store would
            // take the record for a session.
            Flag::Pending(..) | Flag::Handed(..) | Flag::Tentative => {
                Self::discard(&*self.new, sid, &record).await.map(|()| None)
            }
        }
    }

    /// The old store has a copy that was on its way there when the direction of the migration changed. It counts only
    /// if the record in the new store was handed over to it.
    async fn going_back(
        &self,
        sid: &str,
        in_new: Option<SessionData>,
        name: String,
        pending: SessionData,
    ) -> Result<Option<Found>, Error> {
        if let Some(record) = in_new
            && let Flag::Handed(by, of) = flag::of(&record)
            && of == name
        {
            // The way back begins with a session in the old store.
            self.reopen(&*self.old, sid, pending, &by).await?;
            return Self::discard(&*self.new, sid, &record).await.map(|()| None);
        }
        Self::discard(&*self.old, sid, &pending).await.map(|()| None)
    }

    /// Completes a move that is under way. Returns the session, which can be written where it is.
    pub(super) async fn settled(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        loop {
            match self.find(sid).await? {
                Found::Nothing => return Ok(None),
                Found::New(session) => return Ok(Some(session)),
                Found::Old(session) => return Ok(Some(from_old(session))),
                Found::Moving(moving) => drop(self.complete(sid, *moving).await?),
            }
        }
    }

    /// Makes a session of a record again, if it is still the one that was read. Returns true if it was.
    pub(super) async fn reopen(
        &self,
        store: &dyn cloakroom_core::Store,
        sid: &str,
        mut record: SessionData,
        by: &Move,
    ) -> Result<bool, Error> {
        flag::clear(&mut record);
        let updated = Self::atomic_of(store)?.update(sid, &by.with_time(record)).await?;
        Ok(matches!(updated, Updated::Stored(_)))
    }

    /// Returns what the new store has. It has nothing under an id that it refuses, which the old one can have accepted: if
    /// that refuses it as well, [`in_old`](Self::in_old) says so.
    pub(super) async fn in_new(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        match self.new.get(sid).await {
            Err(error) if error.kind() == ErrorKind::InvalidId => Ok(None),
            found => found,
        }
    }

    /// Returns what the old store has. It has nothing under an id that only the new one accepts.
    pub(super) async fn in_old(&self, sid: &str) -> Result<InOld, Error> {
        let found = match self.old.get(sid).await {
            Err(error) if error.kind() == ErrorKind::InvalidId => {
                let in_new = self.new.get(sid).await;
                if in_new.is_err_and(|of_new| of_new.kind() == ErrorKind::InvalidId) {
                    return Err(error);
                }
                None
            }
            found => found?,
        };
        let Some(session) = found else { return Ok(InOld::Nothing) };
        Ok(match flag::of(&session) {
            Flag::None => InOld::Open(session),
            Flag::Closed(by) => InOld::Closed(by, session),
            Flag::Handed(by, copy) => InOld::Handed(by, copy, session),
            Flag::Pending(_, copy) => InOld::Pending(copy, session),
            Flag::Tentative => InOld::Tentative(session),
        })
    }
}

/// Returns the session of a record that is on its way.
pub(super) fn as_read(mut record: SessionData) -> Result<SessionData, Error> {
    flag::clear(&mut record);
    SessionData::from_json(record.to_json()).map(on_its_way)
}
