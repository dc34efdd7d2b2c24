//! A change that loses nothing when writers meet.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Instant,
};

use cloakroom_backend::{Idempotency::Once, Pauses, timer};
use cloakroom_core::{Atomic, Error, Session, Turn, Updated};

use super::ExpressSession;
use crate::promisify::read_from_store;

/// A turn that is held for longer than this part of the deadline is taken over.
const PATIENCE: u32 = 8;

impl ExpressSession {
    /// Changes a session without losing what others write meanwhile, and returns it as it was stored; `None` when
    /// the session does not exist, or another request destroyed it before the change was stored.
    ///
    /// Unless `change` sets another expiry, the session lives for its own max age from now, and its cookie says so, as
    /// after a request through express-session.
    ///
    /// It reads, calls `change`, and updates; on a conflict it calls `change` again with the record as it is now, until
    /// it succeeds or the deadline passes. On a store without [`Atomic`] it is an
    /// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) error before anything is read.
    ///
    /// Handles of this process that modify one session do so one after the other, in the order of their calls. Conflicts
    /// with other processes are tried again after pauses that grow. Both count within the deadline.
    ///
    /// # Errors
    ///
    /// What `change` returns, after which nothing is written, and as [`get`](Self::get) and [`update`](Self::update).
    /// The outcome is unknown only if an update was under way when the deadline passed.
    pub async fn modify(
        &self,
        sid: &str,
        mut change: impl FnMut(&mut Session) -> Result<(), Error> + Send,
    ) -> Result<Option<Session>, Error> {
        let atomic = self.offered("modify", self.store.atomic())?;
        let is_unanswered = AtomicBool::new(false);
        let work = self.modify_in_turn(sid, atomic, &mut change, &is_unanswered);
        let outcome = self.run("modify", Once, work).await;
        outcome.map_err(|error| {
            // Of the deadline itself, which may pass before anything is written.
            let is_deadline = error.operation() == "modify";
            if is_deadline && !is_unanswered.load(Relaxed) {
                error.with_outcome_known()
            } else {
                error
            }
        })
    }

    async fn modify_in_turn(
        &self,
        sid: &str,
        atomic: &dyn Atomic,
        change: &mut (impl FnMut(&mut Session) -> Result<(), Error> + Send),
        is_unanswered: &AtomicBool,
    ) -> Result<Option<Session>, Error> {
        let patience = self.options.deadline / PATIENCE;
        let _turn = Turn::take(self.store.name(), sid, patience, timer).await;
        let mut pauses = Pauses::new();
        let mut since = Instant::now();
        let mut found = self.read(sid).await?;
        while let Some(mut session) = found {
            Turn::without_turns(|| change(&mut session))?;
            if let Cow::Owned(extended) = session.extended(self.options.clock.now_ms()) {
                session = extended;
            }
            is_unanswered.store(true, Relaxed);
            let updated = atomic.update(sid, &session).await?;
            is_unanswered.store(false, Relaxed);
            let current = match updated {
                Updated::Stored(revision) => {
                    session.mark_stored(revision);
                    return Ok(Some(session));
                }
                Updated::Gone => return Ok(None),
                Updated::Conflict(current) => read_from_store(current),
            };
            // Without a timer there is nothing to pause with.
            let pause = pauses.after(since.elapsed()).and_then(timer);
            if let Some(pause) = pause {
                pause.await;
                since = Instant::now();
                found = self.read(sid).await?;
            } else {
                since = Instant::now();
                found = Some(current);
            }
        }
        Ok(None)
    }

    async fn read(&self, sid: &str) -> Result<Option<Session>, Error> {
        let found = self.store.get(sid).await.map_err(Error::with_outcome_known)?;
        Ok(found.map(read_from_store))
    }
}
