//! The steps of a move. Any handle can take each of them, so a move whose process is killed is completed by the next
//! that sees the session.

use std::time::Duration;

use cloakroom_core::{Created, Error, SessionData, Updated};

use super::{
    Migrating,
    find::{Found, InOld, Moving},
    flag::{self, Flag},
};

/// How long a pending copy lives: longer than a process takes for its next step. It is created again if that takes
/// longer.
const PENDING: Duration = Duration::from_secs(60);

impl Migrating {
    /// Moves a session to the new store. Returns true if it is there, whoever moved it, and false if it is in neither
    /// store.
    ///
    /// `time_left` is how long it lives from now, as [`Listed::time_left`](cloakroom_core::Listed::time_left) says.
    /// With
    /// `None`, it lives for its own max age, as after a visit.
    ///
    /// # Errors
    ///
    /// As for [`Atomic::update`](cloakroom_core::Atomic::update) of both stores. A move that fails is completed when
    /// the session is next used.
    pub async fn move_session(
        &self,
        sid: &str,
        time_left: Option<Duration>,
    ) -> Result<bool, Error> {
        let until_ms = time_left.map(|left| {
            let left_ms = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
            self.clock.now_ms().saturating_add(left_ms)
        });
        Ok(self.moved(sid, until_ms).await?.is_some())
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
                Found::Old(open) => self.close(sid, open).await.map(drop)?,
                Found::Moving(moving) => self.complete(sid, moving, until_ms).await?,
            }
        }
    }

    /// Closes a record of the old store. Returns it, or `None` if it is not the one that was read any more.
    pub(super) async fn close(
        &self,
        sid: &str,
        mut open: SessionData,
    ) -> Result<Option<SessionData>, Error> {
        flag::close(&mut open)?;
        let updated = Self::atomic_of(&*self.old)?.update(sid, &open).await?;
        let Updated::Stored(revision) = updated else { return Ok(None) };
        open.mark_stored(revision);
        Ok(Some(open))
    }

    /// Takes the steps that are left. If another handle was faster with one, the caller looks again.
    pub(super) async fn complete(
        &self,
        sid: &str,
        moving: Moving,
        until_ms: Option<i64>,
    ) -> Result<(), Error> {
        let Moving { name, closed, copy } = moving;
        if closed.has_ended(self.clock.now_ms()) {
            return self.old.destroy(sid).await;
        }
        let copy = match copy {
            Some(copy) if flag::of(&copy) == Flag::Pending(name.clone()) => copy,
            // The copy of a move that a logout or a write has ended.
            Some(other) => return Self::discard(&*self.new, sid, &other).await,
            None => match self.copy(sid, &name, &closed).await? {
                Some(copy) => copy,
                None => return Ok(()),
            },
        };
        let mut session = copy;
        flag::clear(&mut session);
        let session = match until_ms {
            Some(until_ms) => session.with_store_expiry_ms(until_ms),
            None => session,
        };
        let updated = Self::atomic_of(&*self.new)?.update(sid, &session).await?;
        if matches!(updated, Updated::Stored(_)) {
            Self::discard(&*self.old, sid, &closed).await?;
        }
        Ok(())
    }

    /// Creates the pending copy. Returns `None` if there is a record in the new store, or if the move has ended: then
    /// there is no copy of it.
    async fn copy(
        &self,
        sid: &str,
        name: &str,
        closed: &SessionData,
    ) -> Result<Option<SessionData>, Error> {
        let mut copy = SessionData::from_json(closed.loaded_json())?;
        flag::pend(&mut copy, name)?;
        let pending_ms = i64::try_from(PENDING.as_millis()).unwrap_or(i64::MAX);
        let mut copy = copy.with_store_expiry_ms(self.clock.now_ms().saturating_add(pending_ms));
        match Self::atomic_of(&*self.new)?.create(sid, &copy).await? {
            Created::Stored(revision) => copy.mark_stored(revision),
            Created::Exists => return Ok(None),
        }
        // A logout destroys the old record first. If that was before this look, the copy must not become a session; if
        // it is after it, the logout still has to destroy the copy.
        match self.in_old(sid).await? {
            InOld::Closed(current, _) if current == name => Ok(Some(copy)),
            _ => Self::discard(&*self.new, sid, &copy).await.map(|()| None),
        }
    }
}
