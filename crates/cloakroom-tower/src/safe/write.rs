//! Writing a session without losing what others have written, and without bringing back what they have destroyed.

use std::{sync::Arc, time::Instant};

use cloakroom_backend::{Pauses, timer};
use cloakroom_core::{
    Atomic, CookieMember, Created, Error, ErrorKind, JsValue, Revision, SessionData, Turn, Updated,
    to_iso_string,
};

use super::{
    changes::Changes,
    extend, left_over, marker, milliseconds,
    moves::{has_moved, is_gone},
};
use crate::{
    SessionEngine,
    state::{Rules, Shared, State},
};

/// How many new ids are tried until one is free. One is, unless `genid` is broken.
const MOST_IDS: usize = 4;

/// A turn to write that is held for longer than this part of the deadline is taken over.
const PATIENCE: u32 = 8;

/// A session on its way into the store.
pub(super) struct Write {
    /// The id to write to; the one that was written to, when a new one was taken.
    pub(super) id: String,
    pub(super) changes: Changes,
    pub(super) is_stored: bool,
    /// The ids that are still to be destroyed.
    pub(super) old_ids: Vec<String>,
    /// The members come from the record under the last of the old ids.
    keeps_data: bool,
    /// The handler asked for a new session, as at a login, which has to be stored or to fail.
    pub(super) is_login: bool,
    /// Ids that the browser sent and that led to no session.
    pub(super) sent: Vec<String>,
    /// The request began so long ago that the marker of a logout may have expired.
    is_late: bool,
    /// The record as it was written, even if what comes after has failed.
    pub(super) written: Option<SessionData>,
    /// Why nothing was written.
    pub(super) obstacle: &'static str,
}

impl Write {
    pub(super) fn of(shared: &Shared, state: &State, record: &Arc<SessionData>) -> Option<Self> {
        let Rules::Safe(rules) = &state.rules else { return None };
        let leads_nowhere = !rules.is_stored && rules.old_ids.is_empty();
        let age_ms = shared.engine.now_ms().saturating_sub(rules.loaded_at_ms);
        Some(Self {
            id: state.id.clone(),
            changes: Changes { record: Arc::clone(record), edits: rules.edits.clone() },
            is_stored: rules.is_stored,
            old_ids: rules.old_ids.clone(),
            keeps_data: rules.keeps_data && !rules.is_stored,
            is_login: !rules.old_ids.is_empty() || (rules.is_replaced && !rules.is_stored),
            sent: if leads_nowhere { rules.sent.clone() } else { Vec::new() },
            is_late: age_ms > milliseconds(marker::LIFE) / 2,
            written: None,
            obstacle: "another request destroyed the session; the changes were discarded",
        })
    }

    /// Writes the session and ends its old ids. Nothing is [`written`](Self::written) when it was logged out by another
    /// request, or when the browser's session has moved: it then stays so.
    pub(super) async fn run(&mut self, shared: &Shared, extends: bool) -> Result<(), Error> {
        let engine = &shared.engine;
        let now_ms = engine.now_ms();
        let lay = |mut record: SessionData| {
            // A store that was extended by others keeps sessions whose record says that they have ended.
            if extends || record.cookie().has_expired(now_ms) {
                extend(&mut record, now_ms);
            }
            record
        };
        if !self.is_login && self.is_outdated(engine).await? {
            return Ok(());
        }
        if self.is_stored {
            self.written = update(engine, &self.id, &self.changes, lay).await?;
            self.note(shared);
        } else if let Some(old_id) = self.old_ids.last().filter(|_| self.keeps_data).cloned() {
            self.move_from(shared, &old_id, lay).await?;
        } else if !self.is_late || self.can_move(engine).await? {
            self.create(shared, lay(SessionData::clone(&self.changes.record))).await?;
        }
        self.end_old_ids(shared).await?;
        if self.written.is_some() {
            if self.is_login {
                self.join_moved(shared).await?;
            }
            left_over::destroy_one(engine).await;
        }
        Ok(())
    }

    /// Stores the session under its new id with all that is under the old one when that ends, and ends it. Nothing stays
    /// written when the old one was logged out by another request: that counts for the new id, too.
    async fn move_from(
        &mut self,
        shared: &Shared,
        old_id: &str,
        lay: impl Fn(SessionData) -> SessionData + Send + Sync,
    ) -> Result<(), Error> {
        let engine = &shared.engine;
        let store = engine.store();
        let mut old = store.get(old_id).await?;
        loop {
            let Some(current) = old else {
                // Another request has moved the same session, as a double click does. This request moves what it has
                // loaded: what the other one has made of it belongs to whoever has the other new id.
                if has_moved(engine, old_id, &self.id).await? {
                    self.create(shared, lay(SessionData::clone(&self.changes.record))).await?;
                }
                return Ok(());
            };
            self.create(shared, lay(self.changes.over(current.clone())?)).await?;
            let Some(atomic) = store.atomic() else { return Ok(()) };
            if !self.join(shared, old_id).await? {
                return Ok(());
            }
            match end(atomic, old_id, current, engine.now_ms()).await {
                Ok(Updated::Stored(_)) => {
                    // It has ended, except in a store that gives all records a life of its own.
                    if let Err(error) = left_over::destroy_old(engine, old_id).await {
                        engine.options().tell(&error);
                        self.link_to_left_over(shared, old_id).await;
                    }
                    self.old_ids.pop();
                    return Ok(());
                }
                // It may have ended.
                Err(error) if error.outcome_unknown() => {
                    engine.left_over().add(old_id.to_owned());
                    self.link_to_left_over(shared, old_id).await;
                    return Err(error);
                }
                Err(error) => {
                    self.take_back(shared).await;
                    return Err(error);
                }
                Ok(Updated::Conflict(current)) => {
                    self.take_back(shared).await;
                    old = Some(current);
                }
                Ok(Updated::Gone) => {
                    let moved = has_moved(engine, old_id, &self.id).await;
                    if !matches!(moved, Ok(true)) {
                        self.take_back(shared).await;
                    }
                    return moved.map(drop);
                }
            }
        }
    }

    /// Remembers what is written by now, also for a request whose end fails or is dropped after this.
    pub(super) fn note(&self, shared: &Shared) {
        let written =
            self.written.as_ref().map(|record| (self.id.clone(), record.cookie().clone()));
        if let Rules::Safe(rules) = &mut shared.state().rules {
            rules.written = written;
        }
    }

    async fn create(&mut self, shared: &Shared, mut record: SessionData) -> Result<(), Error> {
        let store = shared.engine.store();
        let Some(atomic) = store.atomic() else {
            store.set(&self.id, &record).await?;
            record.mark_stored(Revision::of_text());
            self.written = Some(record);
            self.note(shared);
            return Ok(());
        };
        for _ in 0..MOST_IDS {
            match atomic.create(&self.id, &record).await? {
                Created::Stored(revision) => {
                    record.mark_stored(revision);
                    self.written = Some(record);
                    self.note(shared);
                    return Ok(());
                }
                Created::Exists => self.id = shared.generate()?.0,
            }
        }
        let message = "genid gives ids that are taken";
        Err(Error::new(ErrorKind::InvalidId, store.name().to_owned(), "create", message))
    }
}

/// Destroys a record if it is still the one that was read: an update whose expiry has passed does just that.
async fn end(
    atomic: &dyn Atomic,
    id: &str,
    mut record: SessionData,
    now_ms: i64,
) -> Result<Updated, Error> {
    // The max age stays: where the record stays, too, it is to be read as before. The date differs from the record's,
    // which would count as unchanged otherwise and end nothing.
    let is_taken = record.cookie().expires_ms() == Some(now_ms.saturating_sub(1));
    let past =
        to_iso_string(now_ms.saturating_sub(if is_taken { 2 } else { 1 })).unwrap_or_default();
    record.cookie_mut().set_raw(CookieMember::Expires, JsValue::String(past.into()));
    atomic.update(id, &record).await
}

/// Writes the record over the one it was read from, or its changes over what others have made of it.
async fn update(
    engine: &SessionEngine,
    id: &str,
    changes: &Changes,
    lay: impl Fn(SessionData) -> SessionData + Send + Sync,
) -> Result<Option<SessionData>, Error> {
    let store = engine.store();
    let Some(atomic) = store.atomic() else {
        // Without a conditional write, the time between read and write is made as short as possible.
        let Some(current) = store.get(id).await? else { return Ok(None) };
        let mut record = lay(changes.over(current)?);
        store.set(id, &record).await?;
        // A logout and a move mark the id before they destroy the record: either they destroy this write, too, or their
        // mark is there by now.
        if is_gone(engine, id).await? {
            store.destroy(id).await?;
            return Ok(None);
        }
        record.mark_stored(Revision::of_text());
        return Ok(Some(record));
    };
    let patience = engine.options().deadline / PATIENCE;
    // A line for each engine, whose clones share the options.
    let place = std::ptr::from_ref(engine.options()).addr();
    let _turn = Turn::take(place, id, patience, timer).await;
    let mut pauses = Pauses::new();
    let mut record = lay(SessionData::clone(&changes.record));
    loop {
        let since = Instant::now();
        let current = match atomic.update(id, &record).await? {
            Updated::Stored(revision) => {
                record.mark_stored(revision);
                return Ok(Some(record));
            }
            Updated::Gone => return Ok(None),
            Updated::Conflict(current) => current,
        };
        // Without a timer there is nothing to pause with.
        let current = match pauses.after(since.elapsed()).and_then(timer) {
            None => Some(current),
            Some(pause) => {
                pause.await;
                store.get(id).await?
            }
        };
        let Some(current) = current else { return Ok(None) };
        // The edits are user callbacks.
        record = lay(Turn::without_turns(|| changes.over(current))?);
    }
}
