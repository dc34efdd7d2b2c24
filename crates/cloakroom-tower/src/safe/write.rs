//! Writing a session without losing what others have written, and without bringing back what they have destroyed.

use std::{sync::Arc, time::Instant};

use cloakroom_backend::{Pauses, timer};
use cloakroom_core::{
    Atomic, CookieMember, Created, Error, ErrorKind, JsValue, Revision, Session as Record, Turn,
    Updated, to_iso_string,
};

use super::{
    changes::Changes,
    extend,
    load::MOST_COOKIES,
    marker::{self, Mark},
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
    is_stored: bool,
    /// The ids that are still to be destroyed.
    pub(super) old_ids: Vec<String>,
    /// The members come from the record under the last of the old ids.
    keeps_data: bool,
    /// The session takes the place of others, as at a login.
    pub(super) is_move: bool,
    /// Ids that the browser sent and that led to no session. If one of them has moved, the browser has, or is about to
    /// get, a cookie that a new one must not replace.
    pub(super) sent: Vec<String>,
    /// The record as it was written, even if what comes after has failed.
    pub(super) written: Option<Record>,
}

impl Write {
    pub(super) fn of(state: &State, record: &Arc<Record>) -> Option<Self> {
        let Rules::Safe(rules) = &state.rules else { return None };
        let is_asked_for = rules.is_stored || rules.is_replaced || !rules.old_ids.is_empty();
        let sent = if is_asked_for { &[] } else { &*rules.sent };
        Some(Self {
            id: state.id.clone(),
            changes: Changes { record: Arc::clone(record), edits: rules.edits.clone() },
            is_stored: rules.is_stored,
            old_ids: rules.old_ids.clone(),
            keeps_data: rules.keeps_data && !rules.is_stored,
            is_move: !rules.old_ids.is_empty(),
            sent: sent.to_vec(),
            written: None,
        })
    }

    /// Writes the session and ends its old ids. Nothing is [`written`](Self::written) when it was logged out by another
    /// request, or when the browser's session has moved: it then stays so.
    pub(super) async fn run(&mut self, shared: &Shared, extends: bool) -> Result<(), Error> {
        let engine = &shared.engine;
        let now_ms = engine.now_ms();
        let lay = |mut record: Record| {
            // A store that was extended by others keeps sessions whose record says that they have ended.
            if extends || record.cookie().has_expired(now_ms) {
                extend(&mut record, now_ms);
            }
            record
        };
        for id in self.sent.iter().take(MOST_COOKIES) {
            if marker::look(engine, id).await?.is_moved() {
                return Ok(());
            }
        }
        if self.is_stored {
            self.written = update(engine, &self.id, &self.changes, lay).await?;
        } else if let Some(old_id) = self.old_ids.last().filter(|_| self.keeps_data).cloned() {
            self.move_from(shared, &old_id, lay).await?;
        } else {
            self.create(shared, lay(Record::clone(&self.changes.record))).await?;
        }
        while self.written.is_some()
            && let Some(old_id) = self.old_ids.last()
        {
            if marker::add(engine, old_id, &self.id).await?.is_ended {
                self.take_back(shared).await;
                break;
            }
            engine.store().destroy(old_id).await?;
            self.old_ids.pop();
        }
        Ok(())
    }

    /// Stores the session under its new id with all that is under the old one when that ends, and ends it. Nothing stays
    /// written when the old one was logged out by another request: that counts for the new id, too.
    async fn move_from(
        &mut self,
        shared: &Shared,
        old_id: &str,
        lay: impl Fn(Record) -> Record + Send + Sync,
    ) -> Result<(), Error> {
        let engine = &shared.engine;
        let store = engine.store();
        let mut old = store.get(old_id).await?;
        loop {
            let Some(current) = old else {
                // Another request has moved the same session, as a double click does. What is moved here is what this
                // request has loaded: what the other one has made of it belongs to whoever has the other new id.
                if has_moved(engine, old_id, &self.id).await? {
                    self.create(shared, lay(Record::clone(&self.changes.record))).await?;
                }
                return Ok(());
            };
            self.create(shared, lay(self.changes.over(current.clone())?)).await?;
            let Some(atomic) = store.atomic() else { return Ok(()) };
            let mark = match marker::add(engine, old_id, &self.id).await {
                Ok(mark) => mark,
                Err(error) => {
                    self.take_back(shared).await;
                    return Err(error);
                }
            };
            if mark.is_ended {
                self.take_back(shared).await;
                return Ok(());
            }
            match end(atomic, old_id, current, engine.now_ms()).await {
                Ok(Updated::Stored(_)) => {
                    // It is gone by now, but for stores that have a life of their own for all sessions.
                    if let Err(error) = store.destroy(old_id).await {
                        engine.options().tell(&error);
                    }
                    self.old_ids.pop();
                    return Ok(());
                }
                // It may have ended.
                Err(error) if error.outcome_unknown() => return Err(error),
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

    /// Destroys what was written: it would be a session beside the one that the browser has, and outlive its logout.
    async fn take_back(&mut self, shared: &Shared) {
        self.written = None;
        if let Err(error) = shared.engine.store().destroy(&self.id).await {
            shared.engine.options().tell(&error);
        }
    }

    async fn create(&mut self, shared: &Shared, mut record: Record) -> Result<(), Error> {
        let store = shared.engine.store();
        let Some(atomic) = store.atomic() else {
            store.set(&self.id, &record).await?;
            record.mark_stored(Revision::of_text());
            self.written = Some(record);
            return Ok(());
        };
        for _ in 0..MOST_IDS {
            match atomic.create(&self.id, &record).await? {
                Created::Stored(revision) => {
                    record.mark_stored(revision);
                    self.written = Some(record);
                    return Ok(());
                }
                Created::Exists => self.id = shared.generate()?.0,
            }
        }
        let message = "genid gives ids that are taken";
        Err(Error::new(ErrorKind::InvalidId, store.name().to_owned(), "create", message))
    }
}

/// Returns true if a session that is gone has moved to another id than this one, and none of those was logged out.
async fn has_moved(engine: &SessionEngine, old_id: &str, id: &str) -> Result<bool, Error> {
    let Mark { is_ended, moved_to } = marker::look(engine, old_id).await?;
    if is_ended {
        return Ok(false);
    }
    let mut has_moved = false;
    for other in moved_to.iter().filter(|other| *other != id) {
        if marker::look(engine, other).await?.is_ended {
            return Ok(false);
        }
        has_moved = true;
    }
    Ok(has_moved)
}

/// Destroys a record if it is still the one that was read: an update whose expiry has passed does just that.
async fn end(
    atomic: &dyn Atomic,
    id: &str,
    mut record: Record,
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
    lay: impl Fn(Record) -> Record + Send + Sync,
) -> Result<Option<Record>, Error> {
    let store = engine.store();
    let Some(atomic) = store.atomic() else {
        // Without a conditional write, the best there is: as short a time as can be between read and write.
        let Some(current) = store.get(id).await? else { return Ok(None) };
        let mut record = lay(changes.over(current)?);
        store.set(id, &record).await?;
        record.mark_stored(Revision::of_text());
        return Ok(Some(record));
    };
    let patience = engine.options().deadline / PATIENCE;
    // A line for each engine, whose clones share the options.
    let place = std::ptr::from_ref(engine.options()).addr();
    let _turn = Turn::take(place, id, patience, timer).await;
    let mut pauses = Pauses::new();
    let mut record = lay(Record::clone(&changes.record));
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
        // The edits are code of others.
        record = lay(Turn::without_turns(|| changes.over(current))?);
    }
}
