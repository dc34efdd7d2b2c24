//! The steps of a move. Any handle can take each of them, so a move whose process is killed is completed by the next
//! that sees the session.

use std::time::Duration;

use cloakroom_core::{
    Error, LAST_DATE_MS, Revision, SessionData, Store, TimeToLive, Updated, generate_id,
};

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
            match self.in_new(sid).await? {
                Some(session) if !flag::is_moving(&session) => {
                    self.discard_below(sid, &record, &session).await?;
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
                Found::Old(open) => {
                    self.close(sid, open, &Move::new(until_ms)?).await?;
                }
                Found::Moving(moving) => match self.complete(sid, *moving).await? {
                    Step::Taken => {}
                    Step::Refused(error) => return Err(error),
                },
            }
        }
    }

    /// Closes a record of the old store, and returns it. Returns `None` if it is not the one that was read any more.
    async fn close(
        &self,
        sid: &str,
        open: SessionData,
        by: &Move,
    ) -> Result<Option<SessionData>, Error> {
        let mut closed = by.with_time(open);
        flag::close(&mut closed, by)?;
        self.written(&*self.old, sid, closed).await
    }

    /// Updates a record, and returns it as stored. Returns `None` if it is not the one that was read any more.
    async fn written(
        &self,
        store: &dyn Store,
        sid: &str,
        mut record: SessionData,
    ) -> Result<Option<SessionData>, Error> {
        let Updated::Stored(revision) = Self::atomic_of(store)?.update(sid, &record).await? else {
            return Ok(None);
        };
        record.mark_stored(revision);
        Ok(Some(record))
    }

    /// Takes the steps that are left.
    ///
    /// Until the record is handed over, a step that the new store refuses, or whose outcome is not known, opens it again:
    /// a copy that comes into being later does not count.
    pub(super) async fn complete(&self, sid: &str, moving: Moving) -> Result<Step, Error> {
        let Moving { by, closed, next } = moving;
        let (copy, name) = match next {
            Next::Promote(copy) => {
                self.promote(sid, &by, copy, &closed).await?;
                return Ok(Step::Taken);
            }
            _ if closed.has_ended(self.clock.now_ms()) => {
                Self::discard(&*self.old, sid, &closed).await?;
                return Ok(Step::Taken);
            }
            next => match self.prepare(sid, &by, &closed, next).await {
                Ok(Some(copy)) => copy,
                Ok(None) => return Ok(Step::Taken),
                Err(error) => {
                    return Ok(match self.reopen(&*self.old, sid, closed, &by).await {
                        Ok(true) => Step::Refused(error),
                        Ok(false) => Step::Taken,
                        Err(_) => return Err(error),
                    });
                }
            },
        };
        if let Some(handed) = self.hand_over(sid, closed, &by, &name).await? {
            self.promote(sid, &by, copy, &handed).await?;
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
        let (copy, name) = match next {
            Next::HandOver(copy, name) => (copy, name),
            Next::Promote(_) => return Ok(None),
            Next::Copy => match self.copy(sid, by, &by.name, closed.loaded_json()).await? {
                Some(copy) => copy,
                None => return Ok(None),
            },
        };
        let lasting = self.written(&*self.new, sid, by.with_time(copy)).await?;
        Ok(lasting.map(|copy| (copy, name)))
    }

    /// Creates a copy of this text, which belongs to the move of the name `of`, for a record that is closed by `by`.
    /// Returns `None` if there is a record in the new store, or if the move has ended.
    async fn copy(
        &self,
        sid: &str,
        by: &Move,
        of: &str,
        text: &str,
    ) -> Result<Option<(SessionData, String)>, Error> {
        let mut copy = SessionData::from_json(text)?;
        let name = flag::pend(&mut copy, of)?;
        let short = copy.clone().with_store_expiry_ms(self.soon_ms());
        match Self::created(&*self.new, sid, &short).await? {
            Some(revision) => copy.mark_stored(revision),
            None => return Ok(None),
        }
        // A logout destroys the old record first. If that was before this look, the copy must not become a session; if
        // it is after it, the logout still has to destroy the copy.
        match self.in_old(sid).await? {
            InOld::Closed(current, _) if current == *by => Ok(Some((copy, name))),
            // Another handle has seen the copy and was faster.
            InOld::Handed(_, to, _) if to == name => Ok(None),
            _ => Self::discard(&*self.new, sid, &copy).await.map(|()| None),
        }
    }

    /// When a record ends that nobody goes on with.
    pub(super) fn soon_ms(&self) -> i64 {
        let pending_ms = i64::try_from(PENDING.as_millis()).unwrap_or(i64::MAX);
        self.clock.now_ms().saturating_add(pending_ms)
    }

    /// Hands a closed record over to its copy, which is the session from then on. Returns `None` if the record is not
    /// the one that was read any more.
    async fn hand_over(
        &self,
        sid: &str,
        closed: SessionData,
        by: &Move,
        copy_name: &str,
    ) -> Result<Option<SessionData>, Error> {
        let mut handed = by.with_time(closed);
        flag::hand_over(&mut handed, by, copy_name)?;
        self.written(&*self.old, sid, handed).await
    }

    /// Makes a session of the copy that a record was handed over to.
    async fn promote(
        &self,
        sid: &str,
        by: &Move,
        copy: SessionData,
        handed: &SessionData,
    ) -> Result<(), Error> {
        if self.reopen(&*self.new, sid, copy, by).await? {
            // It does not count any more, and `move_session` removes it if this fails.
            Self::discard(&*self.old, sid, handed).await.ok();
        }
        Ok(())
    }

    /// Replaces a session of the old store by one in the new store: a move whose copy is another session. Returns false
    /// if the record is not the one that was read any more, or if another move came in between.
    ///
    /// No other handle hands the record over to this copy, because it does not have the name of the move. So the outcome
    /// of that one step is the outcome.
    pub(super) async fn replace_by_move(
        &self,
        sid: &str,
        open: SessionData,
        session: &SessionData,
    ) -> Result<bool, Error> {
        let by = Move::new(None)?;
        let Some(closed) = self.close(sid, open, &by).await.map_err(Error::with_outcome_known)?
        else {
            return Ok(false);
        };
        let as_read = SessionData::from_json(session.to_json())?.with_revision(Revision::of_text());
        let life = Move { until_ms: self.until_ms(&as_read, session), ..by.clone() };
        let (copy, name) = match self.prepare_other(sid, &by, &life, session).await {
            Ok(Some(copy)) => copy,
            Ok(None) => return Ok(false),
            Err(error) => {
                // Whoever comes next completes a move that cannot be taken back now.
                self.reopen(&*self.old, sid, closed, &by).await.ok();
                return Err(error.with_outcome_known());
            }
        };
        let Some(handed) = self.hand_over(sid, closed, &life, &name).await? else {
            Self::discard(&*self.new, sid, &copy).await.ok();
            return Ok(false);
        };
        // It is the session now, so the `set` has succeeded even if this fails.
        self.promote(sid, &life, copy, &handed).await.ok();
        Ok(true)
    }

    async fn prepare_other(
        &self,
        sid: &str,
        by: &Move,
        life: &Move,
        session: &SessionData,
    ) -> Result<Option<(SessionData, String)>, Error> {
        let of = generate_id()?;
        let Some((copy, name)) = self.copy(sid, by, &of, &session.to_json()).await? else {
            return Ok(None);
        };
        let lasting = self.written(&*self.new, sid, life.with_time(copy)).await?;
        Ok(lasting.map(|copy| (copy, name)))
    }

    /// Returns when a `set` ends this session, or `None` if the record that is stored instead says so itself. The options
    /// of the store, which can give all sessions one life, decide then.
    pub(super) fn until_ms(&self, record: &SessionData, session: &SessionData) -> Option<i64> {
        let now_ms = self.clock.now_ms();
        let says_so = session.store_expiry_ms().is_none()
            && record.time_to_live(now_ms) == session.time_to_live(now_ms);
        if says_so { None } else { expiry_ms(session, now_ms) }
    }
}

/// Returns when a session that is written now expires, in milliseconds since 1970. Returns `None` for a browser session,
/// and zero for one that has expired.
pub(crate) fn expiry_ms(session: &SessionData, now_ms: i64) -> Option<i64> {
    match session.time_to_live(now_ms) {
        TimeToLive::Seconds(seconds) => {
            let left_ms = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
            Some(now_ms.saturating_add(left_ms).min(LAST_DATE_MS))
        }
        TimeToLive::Browser => None,
        TimeToLive::Expired => Some(0),
    }
}
