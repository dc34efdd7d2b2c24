//! Writing a session without losing what others have written, and without bringing back what they have destroyed.

use std::{sync::Arc, time::Instant};

use cloakroom_core::{
    Atomic, CookieMember, Created, Error, ErrorKind, JsValue, Pauses, Revision, Session as Record,
    Turn, Updated, to_iso_string,
};

use super::{changes::Changes, extend};
use crate::{
    SessionEngine,
    deadline::timer,
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
    pub(super) keeps_data: bool,
    /// The record as it was written, even if what comes after has failed.
    pub(super) written: Option<Record>,
}

impl Write {
    pub(super) fn of(state: &State, record: &Arc<Record>) -> Option<Self> {
        let Rules::Safe(rules) = &state.rules else { return None };
        Some(Self {
            id: state.id.clone(),
            changes: Changes { record: Arc::clone(record), edits: rules.edits.clone() },
            is_stored: rules.is_stored,
            old_ids: rules.old_ids.clone(),
            keeps_data: rules.keeps_data && !rules.is_stored,
            written: None,
        })
    }

    /// Writes the session and destroys its old ids. Nothing is [`written`](Self::written) when it was destroyed
    /// meanwhile, which it then stays.
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
        if self.is_stored {
            self.written = update(engine, &self.id, &self.changes, lay).await?;
            if self.written.is_none() {
                return Ok(());
            }
        } else if let Some(old_id) = self.old_ids.last().filter(|_| self.keeps_data).cloned() {
            if !self.move_from(shared, &old_id, lay).await? {
                return Ok(());
            }
        } else {
            self.create(shared, lay(Record::clone(&self.changes.record))).await?;
        }
        while let Some(old_id) = self.old_ids.last() {
            engine.store().destroy(old_id).await?;
            self.old_ids.pop();
        }
        Ok(())
    }

    /// Stores the session under its new id with all that is under the old one when that ends, and ends it. `false` when
    /// the old one was destroyed meanwhile: a logout is one for the new id, too.
    async fn move_from(
        &mut self,
        shared: &Shared,
        old_id: &str,
        lay: impl Fn(Record) -> Record + Send + Sync,
    ) -> Result<bool, Error> {
        let store = shared.engine.store();
        let Some(mut old) = store.get(old_id).await? else { return Ok(false) };
        loop {
            self.create(shared, lay(self.changes.over(old.clone())?)).await?;
            let Some(atomic) = store.atomic() else { return Ok(true) };
            match end(atomic, old_id, old, shared.engine.now_ms()).await {
                Ok(Updated::Stored(_)) => {
                    // It is gone by now, but for stores that have a life of their own for all sessions.
                    if let Err(error) = store.destroy(old_id).await {
                        shared.engine.options().tell(&error);
                    }
                    self.old_ids.pop();
                    return Ok(true);
                }
                // It may have ended.
                Err(error) if error.outcome_unknown() => return Err(error),
                other => {
                    self.written = None;
                    if let Err(error) = store.destroy(&self.id).await {
                        shared.engine.options().tell(&error);
                    }
                    match other? {
                        Updated::Conflict(current) => old = current,
                        _ => return Ok(false),
                    }
                }
            }
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
