//! The steps of a move. Any handle can take each of them, so a move whose process is killed is completed by the next
//! that sees the session.

use std::time::Duration;

use cloakroom_core::{Created, Error, SessionData, Updated};

use super::{
    Migrating,
    find::{Found, InOld, Moving, Next},
    flag::{self, Move},
};

/// How long a copy lives before its old record is known to be closed: longer than a process takes for its next step.
/// It is created again if that takes longer.
const PENDING: Duration = Duration::from_secs(60);

/// The outcome of a step.
pub(super) enum Step {
    /// It was taken, by this handle or another. The caller looks again.
    Taken,
    /// The new store refused the copy, and the session is in the old store again.
    Refused(Error),
}

impl Migrating {
    /// Moves a session to the new store. Returns true if it is there, whoever moved it, and false if it is in neither
    /// store.
    ///
    /// `time_left` is how long it lives from now, as [`Listed::time_left`](cloakroom_core::Listed::time_left) says.
    /// With `None`, it lives for its own max age, as after a visit. A visit moves a session too, so it is not shortened
    /// by a time that was listed before; only a visit through a handle from [`before`](Self::before) is.
    ///
    /// # Errors
    ///
    /// As for [`Atomic::update`](cloakroom_core::Atomic::update) of both stores. If the new store refuses the record,
    /// the session stays in the old store. A move that fails otherwise is completed when the session is next used.
    pub async fn move_session(
        &self,
        sid: &str,
        time_left: Option<Duration>,
    ) -> Result<bool, Error> {
        let until_ms = time_left.map(|left| {
            let left_ms = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
            self.clock.now_ms().saturating_add(left_ms)
        });
        let is_there = self.moved(sid, until_ms).await?.is_some();
        self.leave_old(sid, until_ms).await?;
        Ok(is_there)
    }

    /// Moves a session, and removes what the old store has of one that is in the new store.
    pub(super) async fn leave_old(&self, sid: &str, until_ms: Option<i64>) -> Result<(), Error> {
        while let Some(record) = self.in_old(sid).await?.into_record() {
            // In this order: the record was there when the new store had the session.
            match self.new.get(sid).await? {
                Some(session) if !flag::is_moving(&session) => {
                    Self::discard(&*self.old, sid, &record).await?;
                }
                _ => self.moved(sid, until_ms).await.map(drop)?,
            }
        }
        Ok(())
    }

    /// Moves a session, and returns it as it is in the new store.
    pub(super) async fn moved(
        &self,
        sid: &str,
        until_ms: Option<i64>,
    ) -> Result<Option<SessionData>, Error> {
        loop {
            match self.find(sid).await? {
                Found::Nothing => return Ok(None),
                Found::New(session) => return Ok(Some(session)),
                Found::Old(open) => self.close(sid, open, until_ms).await?,
                Found::Moving(moving) => match self.complete(sid, moving).await? {
                    Step::Taken => {}
                    Step::Refused(error) => return Err(error),
                },
            }
        }
    }

    /// Closes a record of the old store, unless it is not the one that was read any more.
    async fn close(
        &self,
        sid: &str,
        mut open: SessionData,
        until_ms: Option<i64>,
    ) -> Result<(), Error> {
        let by = Move::new(until_ms)?;
        flag::close(&mut open, &by)?;
        Self::atomic_of(&*self.old)?.update(sid, &by.with_time(open)).await.map(drop)
    }

    /// Takes the steps that are left.
    pub(super) async fn complete(&self, sid: &str, moving: Moving) -> Result<Step, Error> {
        let Moving { by, mut closed, next } = moving;
        let is_over = closed.has_ended(self.clock.now_ms());
        let copy = match next {
            Next::Promote(copy) => copy,
            _ if is_over => {
                Self::discard(&*self.old, sid, &closed).await?;
                return Ok(Step::Taken);
            }
            next => {
                let (copy, name) = match self.prepare(sid, &by, &closed, next).await {
                    Ok(Some(copy)) => copy,
                    Ok(None) => return Ok(Step::Taken),
                    Err(error) if error.outcome_unknown() => return Err(error),
                    Err(error) => {
                        return Ok(match self.reopen(&*self.old, sid, closed, &by).await {
                            Ok(true) => Step::Refused(error),
                            Ok(false) => Step::Taken,
                            Err(_) => return Err(error),
                        });
                    }
                };
                flag::hand_over(&mut closed, &by, &name)?;
                let old = Self::atomic_of(&*self.old)?;
                let handed = by.with_time(closed.clone());
                let Updated::Stored(revision) = old.update(sid, &handed).await? else {
                    return Ok(Step::Taken);
                };
                closed.mark_stored(revision);
                copy
            }
        };
        let mut session = copy;
        flag::clear(&mut session);
        let session = by.with_time(session);
        let updated = Self::atomic_of(&*self.new)?.update(sid, &session).await?;
        if matches!(updated, Updated::Stored(_)) {
            Self::discard(&*self.old, sid, &closed).await?;
        }
        Ok(Step::Taken)
    }

    /// Returns the copy and its name, once it lives as long as the session. Returns `None` if somebody else was faster,
    /// or if the move has ended.
    async fn prepare(
        &self,
        sid: &str,
        by: &Move,
        closed: &SessionData,
        next: Next,
    ) -> Result<Option<(SessionData, String)>, Error> {
        let (mut copy, name) = match next {
            Next::HandOver(copy, name) => (copy, name),
            Next::Promote(_) => return Ok(None),
            Next::Copy => match self.copy(sid, by, closed).await? {
                Some(copy) => copy,
                None => return Ok(None),
            },
        };
        let lasting = by.with_time(copy.clone());
        let Updated::Stored(revision) = Self::atomic_of(&*self.new)?.update(sid, &lasting).await?
        else {
            return Ok(None);
        };
        copy.mark_stored(revision);
        Ok(Some((copy, name)))
    }

    /// Creates the copy. Returns `None` if there is a record in the new store, or if the move has ended: then there is
    /// no copy of it.
    async fn copy(
        &self,
        sid: &str,
        by: &Move,
        closed: &SessionData,
    ) -> Result<Option<(SessionData, String)>, Error> {
        let mut copy = SessionData::from_json(closed.loaded_json())?;
        let name = flag::pend(&mut copy, by)?;
        let pending_ms = i64::try_from(PENDING.as_millis()).unwrap_or(i64::MAX);
        let until_ms = self.clock.now_ms().saturating_add(pending_ms);
        let short = copy.clone().with_store_expiry_ms(until_ms);
        match Self::atomic_of(&*self.new)?.create(sid, &short).await? {
            Created::Stored(revision) => copy.mark_stored(revision),
            Created::Exists => return Ok(None),
        }
        // A logout destroys the old record first. If that was before this look, the copy must not become a session; if
        // it is after it, the logout still has to destroy the copy.
        match self.in_old(sid).await? {
            InOld::Closed(current, _) if current == *by => Ok(Some((copy, name))),
            _ => Self::discard(&*self.new, sid, &copy).await.map(|()| None),
        }
    }
}
