//! Finds the session among the records of both stores.

use cloakroom_core::{Error, SessionData, Updated};

use super::{
    Migrating,
    flag::{self, Flag, Move},
};

/// Where a session is.
pub(super) enum Found {
    /// In neither store.
    Nothing,
    New(SessionData),
    /// In the old store, where it can be written.
    Old(SessionData),
    Moving(Moving),
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
}

impl InOld {
    pub(super) fn into_record(self) -> Option<SessionData> {
        match self {
            Self::Nothing => None,
            Self::Open(record)
            | Self::Closed(_, record)
            | Self::Handed(_, _, record)
            | Self::Pending(_, record) => Some(record),
        }
    }
}

impl Migrating {
    /// Finds the session. Removes what ended moves have left.
    pub(super) async fn find(&self, sid: &str) -> Result<Found, Error> {
        loop {
            let in_new = self.new.get(sid).await?;
            let copy = match in_new {
                Some(session) if !flag::is_moving(&session) => return Ok(Found::New(session)),
                in_new => in_new,
            };
            let found = match self.in_old(sid).await? {
                InOld::Open(session) => Some(Found::Old(session)),
                InOld::Closed(by, closed) => self.closed(sid, by, closed, copy).await?,
                InOld::Handed(by, name, handed) => self.handed(sid, by, &name, handed).await?,
                InOld::Pending(name, record) => self.going_back(sid, copy, name, record).await?,
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
        closed: SessionData,
        copy: Option<SessionData>,
    ) -> Result<Option<Found>, Error> {
        let next = match copy {
            None => Next::Copy,
            Some(copy) => match flag::of(&copy) {
                Flag::Pending(of, name) if of == by.name => Next::HandOver(copy, name),
                // It is left from a move that a logout or a write has ended.
                _ => return Self::discard(&*self.new, sid, &copy).await.map(|()| None),
            },
        };
        Ok(Some(Found::Moving(Moving { by, closed, next })))
    }

    /// The session is the copy of this name, which can have become a session or ended before the old store was asked.
    async fn handed(
        &self,
        sid: &str,
        by: Move,
        name: &str,
        closed: SessionData,
    ) -> Result<Option<Found>, Error> {
        if let Some(copy) = self.new.get(sid).await? {
            match flag::of(&copy) {
                Flag::None => return Ok(Some(Found::New(copy))),
                Flag::Pending(_, of) if of == name => {
                    return Ok(Some(Found::Moving(Moving {
                        by,
                        closed,
                        next: Next::Promote(copy),
                    })));
                }
                _ => Self::discard(&*self.new, sid, &copy).await?,
            }
        }
        Self::discard(&*self.old, sid, &closed).await.map(|()| None)
    }

    /// Looks into the new store once more: a session can have moved after that was asked and before the old one was.
    async fn not_in_old(&self, sid: &str) -> Result<Option<Found>, Error> {
        let Some(record) = self.new.get(sid).await? else { return Ok(Some(Found::Nothing)) };
        match flag::of(&record) {
            Flag::None => Ok(Some(Found::New(record))),
            // It was on its way to the other store when the direction of the migration changed.
            Flag::Closed(by) => self.reopen(&*self.new, sid, record, &by).await.map(|_| None),
            // The session was logged out, or ended in the other store. Programs that know only the new store would
            // take the record for a session.
            Flag::Pending(..) | Flag::Handed(..) => {
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
            return self.reopen(&*self.new, sid, record, &by).await.map(|_| None);
        }
        Self::discard(&*self.old, sid, &pending).await.map(|()| None)
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

    pub(super) async fn in_old(&self, sid: &str) -> Result<InOld, Error> {
        let Some(session) = self.old.get(sid).await? else { return Ok(InOld::Nothing) };
        Ok(match flag::of(&session) {
            Flag::None => InOld::Open(session),
            Flag::Closed(by) => InOld::Closed(by, session),
            Flag::Handed(by, copy) => InOld::Handed(by, copy, session),
            Flag::Pending(_, copy) => InOld::Pending(copy, session),
        })
    }
}
