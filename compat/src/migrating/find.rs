//! Finds the session among the records of both stores.

use cloakroom_core::{Error, SessionData};

use super::{
    Migrating,
    flag::{self, Flag},
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
    pub(super) name: String,
    pub(super) closed: SessionData,
    /// What was in the new store before the old record was seen to be closed: the copy of this move or of another.
    pub(super) copy: Option<SessionData>,
}

/// What the old store has.
pub(super) enum InOld {
    Nothing,
    Open(SessionData),
    Closed(String, SessionData),
}

impl Migrating {
    pub(super) async fn find(&self, sid: &str) -> Result<Found, Error> {
        let in_new = self.new.get(sid).await?;
        let copy = match in_new {
            Some(session) if !flag::is_moving(&session) => return Ok(Found::New(session)),
            in_new => in_new,
        };
        match self.in_old(sid).await? {
            InOld::Open(session) => Ok(Found::Old(session)),
            InOld::Closed(name, closed) => Ok(Found::Moving(Moving { name, closed, copy })),
            InOld::Nothing => self.find_again(sid).await,
        }
    }

    /// Looks into the new store once more: a session can have moved after that was asked and before the old one was.
    async fn find_again(&self, sid: &str) -> Result<Found, Error> {
        match self.new.get(sid).await? {
            Some(session) if !flag::is_moving(&session) => Ok(Found::New(session)),
            Some(late) => {
                // Its session was logged out. Programs that know only the new store would take it for one.
                Self::discard(&*self.new, sid, &late).await?;
                Ok(Found::Nothing)
            }
            None => Ok(Found::Nothing),
        }
    }

    pub(super) async fn in_old(&self, sid: &str) -> Result<InOld, Error> {
        let Some(session) = self.old.get(sid).await? else { return Ok(InOld::Nothing) };
        Ok(match flag::of(&session) {
            Flag::None => InOld::Open(session),
            Flag::Closed(name) => InOld::Closed(name, session),
            // It is left from a migration in the other direction, and was never a session.
            Flag::Pending(_) => InOld::Nothing,
        })
    }
}
