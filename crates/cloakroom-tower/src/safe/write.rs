//! Writes a session without losing what other requests have written, and without reviving what they have destroyed.
//!
//! There are three ways. A stored session is updated: its changes are merged into the record that is stored by now. A
//! new one is created. A session that moves with its data is created under the new id from the record that is stored
//! under the old one, and the old one is ended only if it is still that record; otherwise the move starts again.

use std::{sync::Arc, time::Instant};

use cloakroom_backend::{
    Pauses,
    observe::{Event, note},
    timer,
};
use cloakroom_core::{
    Atomic, CookieMember, Created, Error, ErrorKind, JsValue, Revision, SessionData, Turn, Updated,
    to_iso_string,
};

use super::{
    changes::RequestChanges,
    expiry::{extend, milliseconds},
    marker::{self, has_moved, is_gone},
    memory::Memory,
    preset::Safe,
    session::SafeSession,
};
use crate::{ids::FoundId, state::State};

/// The number of new ids that are tried until one is free. The first is free, unless the option `genid` returns the
/// same ids again.
const MOST_IDS: usize = 4;

/// If a turn to write is held for longer than this part of the deadline, the next writer takes over. A future that is
/// no longer polled keeps its turn for ever, and must not cost the others their deadline. The turn only saves
/// conflicts, so whoever is overtaken loses nothing.
const PATIENCE: u32 = 8;

/// A record as it was written, and what the store says of it.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) record: SessionData,
    revision: Revision,
}

impl Written {
    /// Returns the record as one that was read. Only a session that goes on needs it: it scans the record.
    pub(super) fn into_stored(mut self) -> SessionData {
        self.record.mark_stored(self.revision);
        self.record
    }
}

/// A session on its way into the store.
pub(super) struct Write {
    /// The id to write to. It becomes another one if a new id was taken already.
    pub(super) id: String,
    pub(super) changes: RequestChanges,
    pub(super) is_stored: bool,
    /// The ids that this session replaces and that must still be destroyed, the newest last.
    pub(super) old_ids: Vec<String>,
    /// The members come from the record under the last of the old ids.
    keeps_data: bool,
    /// The handler asked for a new session, as at a login. If it cannot be stored, the request fails.
    pub(super) is_login: bool,
    /// Ids that the browser sent and that led to no session.
    pub(super) sent: Vec<Arc<FoundId>>,
    /// The session only takes the place of one that this request has destroyed, after another had logged it out.
    pub(super) is_late_logout: bool,
    /// The request began so long ago that the marker of a logout or a move can have expired.
    pub(super) is_late: bool,
    /// This session has taken over the links of the old one.
    pub(super) hands_on_links: bool,
    /// The id of a new session that a `save` may have stored before it was dropped.
    begun: Option<String>,
    /// The handler goes on after it.
    pub(super) is_save: bool,
    /// The expiry moves.
    pub(super) extends: bool,
    /// The record as it was written, even if a later step failed.
    pub(super) written: Option<Written>,
    /// The request has the written record as its session already.
    pub(super) adopted: Option<Result<(), Error>>,
    /// Why nothing was written.
    pub(super) obstacle: Obstacle,
}

/// Why nothing was written: as one word, and as a sentence.
#[derive(Clone, Copy)]
pub(super) struct Obstacle(pub(super) &'static str, pub(super) &'static str);

impl Obstacle {
    const DESTROYED: Self =
        Self("destroyed", "another request destroyed the session; the changes were discarded");
    pub(super) const LOGGED_OUT: Self = Self(
        "logged_out",
        "the session was logged out a moment ago; the changes were discarded, since the browser may have a newer cookie",
    );

    /// Tells the operator that the changes of a request were discarded.
    pub(super) fn tell(self) {
        note(Event::SessionDiscarded { reason: self.0, message: self.1 });
    }
}

impl Write {
    pub(super) fn new(
        session: &SafeSession,
        state: &State<Memory>,
        record: &Arc<SessionData>,
    ) -> Self {
        let memory = &state.memory;
        let leads_nowhere = !memory.is_stored && memory.old_ids.is_empty();
        let age_ms = session.shared.setup.now_ms().saturating_sub(memory.loaded_at_ms);
        Self {
            id: state.id.clone(),
            changes: RequestChanges {
                record: Arc::clone(record),
                computed: memory.computed.clone(),
            },
            is_stored: memory.is_stored,
            old_ids: memory.old_ids.clone(),
            keeps_data: memory.keeps_data && !memory.is_stored,
            is_login: !memory.old_ids.is_empty() || (memory.is_replaced && !memory.is_stored),
            sent: if leads_nowhere { memory.sent.clone() } else { Vec::new() },
            is_late_logout: leads_nowhere && memory.is_late_logout,
            // The other half is left for the write itself, and for servers whose clocks differ.
            is_late: age_ms > milliseconds(marker::LIFE) / 2,
            hands_on_links: false,
            begun: memory.begun.as_ref().map(|begun| begun.id.clone()),
            is_save: false,
            extends: false,
            written: None,
            adopted: None,
            obstacle: Obstacle::DESTROYED,
        }
    }

    /// Writes the session and ends its old ids. [`written`](Self::written) stays `None` if another request has logged
    /// the session out, or if the browser's session has moved to a new id, whose cookie must not be replaced.
    pub(super) async fn run(&mut self, session: &SafeSession, extends: bool) -> Result<(), Error> {
        let safe = &*session.safe;
        let now_ms = safe.setup.now_ms();
        self.extends = extends;
        let prepare = |mut record: SessionData| {
            // When Node.js only touches a session, its record keeps an `expires` that has passed. The store has
            // returned it, so it lives, and this write must not end it.
            if extends || record.cookie().has_expired(now_ms) {
                extend(&mut record, now_ms);
            }
            record
        };
        if !self.is_login && self.is_outdated(safe).await? {
            return Ok(());
        }
        let is_move = !self.old_ids.is_empty();
        if self.is_stored {
            self.written = update(safe, &self.id, &self.changes, prepare).await?;
            self.note(session);
        } else if let Some(old_id) = self.old_ids.last().filter(|_| self.keeps_data).cloned() {
            self.move_from(session, &old_id, prepare).await?;
        } else if !self.is_late || self.can_move(safe).await? {
            self.create(session, prepare(SessionData::clone(&self.changes.record))).await?;
        }
        // It can take the new session back. Otherwise that one is stored, even if an old one could not be ended.
        let ended = self.destroy_old_ids(session).await;
        session.note_begun(None);
        if self.written.is_some() && !self.is_stored {
            let store = safe.setup.store().name();
            note(if is_move {
                Event::SessionMoved { store }
            } else {
                Event::SessionCreated { store }
            });
        }
        ended
    }

    /// Stores the session under its new id, with everything that is stored under the old one when that ends, and ends
    /// the old one. If another request has logged the old one out, the new one is destroyed, too.
    async fn move_from(
        &mut self,
        session: &SafeSession,
        old_id: &str,
        prepare: impl Fn(SessionData) -> SessionData + Send + Sync,
    ) -> Result<(), Error> {
        let safe = &*session.safe;
        let store = safe.setup.store();
        let mut old = store.get(old_id).await?;
        loop {
            let Some(current) = old else {
                // Another request has moved the same session, as a double click does. This request moves the record as
                // it has loaded it. What the other one has added since, such as its user, belongs to whoever gets that
                // id.
                if has_moved(safe, old_id, &self.id).await? {
                    self.create(session, prepare(SessionData::clone(&self.changes.record))).await?;
                } else if self.begun.as_ref() == Some(&self.id) {
                    // This request has moved it, by a `save` that was dropped.
                    self.written = update(safe, &self.id, &self.changes, prepare).await?;
                    self.note(session);
                }
                return Ok(());
            };
            // First the new session, then the mark, then the end of the old one: at each moment either id leads to the
            // session, and whoever finds the old one gone finds the mark.
            self.create(session, prepare(self.changes.applied_to(current.clone())?)).await?;
            // Without conditional writes, `destroy_old_ids` marks and ends the old one.
            let Some(atomic) = store.atomic() else { return Ok(()) };
            if !self.join(session, old_id).await? {
                return Ok(());
            }
            match expire(atomic, old_id, current, safe.setup.now_ms()).await {
                Ok(Updated::Stored(_)) => {
                    self.old_ids.pop();
                    self.note_replaced(session);
                    // It has ended, except in a store that gives all records one life. There it still has to be
                    // destroyed.
                    if let Err(error) = safe.left_over.destroy(store, old_id).await {
                        safe.setup.tell(&error);
                        self.link_to_left_over(session, old_id).await;
                    } else {
                        self.end_old_links(safe, old_id).await;
                    }
                    return Ok(());
                }
                // The old session may have ended, so the new one cannot be taken back: it may be the only one.
                Err(error) if error.outcome_unknown() => {
                    safe.left_over.add(old_id.to_owned());
                    self.link_to_left_over(session, old_id).await;
                    return Err(error);
                }
                Err(error) => {
                    self.take_back(session).await;
                    return Err(error);
                }
                // Another request has changed the old session. The move starts again from what is stored now, so that
                // the change is not lost with the old id.
                Ok(Updated::Conflict(current)) => {
                    self.take_back(session).await;
                    old = Some(current);
                }
                // Moved or destroyed: a move keeps this session beside the other one, and a logout ends it.
                Ok(Updated::Gone) => {
                    let moved = has_moved(safe, old_id, &self.id).await;
                    if !matches!(moved, Ok(true)) {
                        self.take_back(session).await;
                    }
                    return moved.map(drop);
                }
            }
        }
    }

    /// Remembers what is stored now. If a later step fails, the error's response tells the browser of it.
    pub(super) fn note(&self, session: &SafeSession) {
        let written =
            self.written.as_ref().map(|written| (self.id.clone(), written.record.cookie().clone()));
        if !self.is_stored {
            session.note_begun(written.as_ref().map(|(id, _)| id.clone()));
        }
        session.shared.state().memory.written = written.map(Box::new);
    }

    /// Notes that the old session has ended, so that the new one stays. If this is a `save` that is dropped from now on,
    /// the request goes on with what is stored, and does not count again what it has computed.
    pub(super) fn note_replaced(&mut self, session: &SafeSession) {
        match &self.written {
            Some(written) if self.is_save => {
                let stored = written.clone().into_stored();
                session.note_begun(None);
                self.adopted = Some(session.adopt(self, stored));
            }
            _ => session.note_replaced(),
        }
    }

    /// Stores the record under the new id, or under another if that one is taken. A store without conditional writes
    /// cannot tell, so there the id is trusted to be new, unless it is one of those that this session replaces.
    async fn create(&mut self, session: &SafeSession, record: SessionData) -> Result<(), Error> {
        let store = session.shared.setup.store();
        // The application's own ids can be those of other sessions.
        let is_random = session.shared.setup.options().ids.genid.is_none();
        for _ in 0..MOST_IDS {
            session.note_begun(is_random.then(|| self.id.clone()));
            let created = match store.atomic() {
                Some(atomic) => atomic.create(&self.id, &record).await?,
                None if self.old_ids.contains(&self.id) => Created::Exists,
                None => {
                    store.set(&self.id, &record).await?;
                    Created::Stored(Revision::of_text())
                }
            };
            if let Created::Stored(revision) = created {
                self.written = Some(Written { record, revision });
                self.note(session);
                return Ok(());
            }
            // A `save` of this request that was dropped has stored it. It is older, and can lack what others have added.
            if self.begun.as_ref() == Some(&self.id) {
                session.safe.left_over.add(self.id.clone());
            }
            self.id = session.shared.generate()?.0;
        }
        let message = "genid returned only ids that are in use";
        Err(Error::new(ErrorKind::InvalidId, store.name().to_owned(), "create", message))
    }
}

/// Destroys a record if it is still the one that was read. The contract has no conditional destroy, but an update whose
/// expiry has passed does just that.
async fn expire(
    atomic: &dyn Atomic,
    id: &str,
    mut record: SessionData,
    now_ms: i64,
) -> Result<Updated, Error> {
    // The date must differ from the record's, or the expiry would count as unchanged and the update would extend the
    // session by its max age. The max age itself stays, for stores that give all records one life and keep this one.
    let is_taken = record.cookie().expires_ms() == Some(now_ms.saturating_sub(1));
    let past =
        to_iso_string(now_ms.saturating_sub(if is_taken { 2 } else { 1 })).unwrap_or_default();
    record.cookie_mut().set_raw(CookieMember::Expires, JsValue::String(past.into()));
    atomic.update(id, &record).await
}

/// Writes the record if the stored one is still the one it was read from. Otherwise applies the changes to the stored
/// one and tries again. Returns `None` if the session is gone.
async fn update(
    safe: &Safe,
    id: &str,
    changes: &RequestChanges,
    prepare: impl Fn(SessionData) -> SessionData + Send + Sync,
) -> Result<Option<Written>, Error> {
    let store = safe.setup.store();
    let Some(atomic) = store.atomic() else {
        // Without a conditional write, reading again just before the write makes the time as short as possible in which
        // another request's change can be lost.
        let Some(current) = store.get(id).await? else { return Ok(None) };
        let record = prepare(changes.applied_to(current)?);
        store.set(id, &record).await?;
        // A logout and a move mark the id before they destroy the record. So either they destroy this write, too, or
        // their mark is there by now, and this write undoes itself.
        if is_gone(safe, id).await? {
            store.destroy(id).await?;
            return Ok(None);
        }
        return Ok(Some(Written { record, revision: Revision::of_text() }));
    };
    let _turn = safe.turn_to_write(id, safe.setup.limit() / PATIENCE).await;
    let mut pauses = Pauses::new();
    let mut record = prepare(SessionData::clone(&changes.record));
    let mut tries = 0;
    loop {
        let since = Instant::now();
        tries += 1;
        let current = match atomic.update(id, &record).await? {
            Updated::Stored(revision) => {
                if tries > 1 {
                    note(Event::Merged { store: store.name(), tries });
                }
                return Ok(Some(Written { record, revision }));
            }
            Updated::Gone => return Ok(None),
            Updated::Conflict(current) => current,
        };
        // Writers in other processes do not see the turn. After a conflict, a random pause keeps them from colliding
        // again at once; after the pause, the record that came with the conflict is out of date. A runtime without timers
        // does not pause.
        let current = match pauses.after(since.elapsed()).and_then(timer) {
            None => Some(current),
            Some(pause) => {
                pause.await;
                store.get(id).await?
            }
        };
        let Some(current) = current else { return Ok(None) };
        // Computations are user callbacks. One that waits for a write to this session would wait for the turn held
        // here.
        record = prepare(Turn::without_turns(|| changes.applied_to(current))?);
    }
}
