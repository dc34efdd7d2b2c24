//! Changes a session without losing what other writers change at the same time.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Instant,
};

use cloakroom_backend::{
    DEFAULT_LIMIT,
    Idempotency::Once,
    Pauses,
    observe::{Event, note},
    timer,
};
use cloakroom_core::{Atomic, Error, SessionData, Turn, Updated};

use super::ExpressSession;
use crate::promisify::read_from_store;

/// The next writer takes over a turn that is held for longer than the deadline divided by this. Several stuck writers
/// in a row then still leave time within the deadline.
const PATIENCE: u32 = 8;

impl ExpressSession {
    /// Changes a session without losing what other writers change at the same time. Returns the session as stored, or
    /// `None` if it does not exist or another request destroyed it before the change was stored.
    ///
    /// The method reads the session, calls `change` and updates the record. If another writer was faster, it calls
    /// `change` again with the current record, until it succeeds or the deadline passes. So `change` should have no
    /// side effects.
    ///
    /// Unless `change` sets another expiry, the session lives for its own max age from now, and its cookie says so, as
    /// after a request through express-session. Its [end](SessionData::ends_at_ms) does not move.
    ///
    /// Handles of this process change one session one after the other, in the order of their calls. Conflicts with
    /// other processes are retried after growing pauses. The deadline includes both.
    ///
    /// # Errors
    ///
    /// - The error that `change` returns. Nothing is written then.
    /// - [`Unsupported`](cloakroom_core::ErrorKind::Unsupported), before anything is read, if the store does not
    ///   support [`Atomic`].
    /// - As for [`get`](Self::get) and [`update`](Self::update). The outcome is unknown only if an update was in
    ///   progress when the deadline passed.
    pub async fn modify(
        &self,
        sid: &str,
        mut change: impl FnMut(&mut SessionData) -> Result<(), Error> + Send,
    ) -> Result<Option<SessionData>, Error> {
        let atomic = self.offered("modify", self.store.atomic())?;
        let is_unanswered = AtomicBool::new(false);
        let work = self.modify_in_turn(sid, atomic, &mut change, &is_unanswered);
        let outcome = self.run("modify", Once, work).await;
        outcome.map_err(|error| {
            // The error of the deadline itself, which can pass before anything is written. All other errors come from
            // the store, which knows if its command was sent.
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
        change: &mut (impl FnMut(&mut SessionData) -> Result<(), Error> + Send),
        is_unanswered: &AtomicBool,
    ) -> Result<Option<SessionData>, Error> {
        let default = || self.longest.get().max(DEFAULT_LIMIT);
        let patience = self.options.deadline.unwrap_or_else(default) / PATIENCE;
        let turn = Turn::take(self.store.name(), sid, patience, timer);
        let _turn = self.longest.adopt(turn).await;
        let mut pauses = Pauses::new();
        let (mut since, mut tries) = (Instant::now(), 0);
        let mut found = self.read(sid).await?;
        while let Some(mut session) = self.unless_ended(found) {
            // `change` may itself modify this session and block on that; it must not wait for the turn that is held
            // here.
            Turn::without_turns(|| change(&mut session))?;
            if let Cow::Owned(extended) = session.extended(self.options.clock.now_ms()) {
                session = extended;
            }
            // Until the answer is there, the write may or may not have happened.
            is_unanswered.store(true, Relaxed);
            tries += 1;
            let updated = self.longest.learn(atomic.update(sid, &session)).await?;
            is_unanswered.store(false, Relaxed);
            let current = match updated {
                Updated::Stored(revision) => {
                    session.mark_stored(revision);
                    if tries > 1 {
                        note(Event::Merged { store: self.name(), tries });
                    }
                    return Ok(Some(session));
                }
                Updated::Gone => return Ok(None),
                Updated::Conflict(current) => read_from_store(current),
            };
            // Without a timer it retries at once, with the record that came with the conflict.
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

    async fn read(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let found = self.longest.learn(self.store.get(sid)).await;
        let found = found.map_err(Error::with_outcome_known)?;
        Ok(found.map(read_from_store))
    }
}
