//! Saving a session while its request is served.
//!
//! The store is asked without the lock, so the session can change in the meantime. What was written becomes the new
//! starting point, and the later changes are applied to it.

use std::sync::Arc;

use cloakroom_core::{Error, SessionData};

use super::{changes::RequestChanges, session::SafeSession, unfinished::Unfinished, write::Write};
use crate::state::{Current, MOST_TRIES, Memory as _, without_end};

impl SafeSession {
    /// Writes the session now. Returns false if a logout or a move of another request keeps it from being stored.
    pub(crate) async fn save(&self) -> Result<bool, Error> {
        let _turn = self.shared.turn("save").await?;
        let writing = {
            let state = self.shared.open_for_change("save")?;
            let record = state.record("save")?;
            let is_withheld = !state.memory.is_stored && self.withholds(record.cookie());
            let extends = self.extends_on_write() || state.memory.is_touched;
            (!is_withheld).then(|| (Write::new(self, &state, record), extends))
        };
        let Some((mut write, extends)) = writing else { return Err(self.withheld("save")) };
        write.is_save = true;
        let unfinished = Unfinished::new(self, true);
        let result = self.shared.setup.within("save", write.run(self, extends)).await;
        unfinished.finish();
        // A step after the write can fail, such as ending the old id. The write is in the store anyway.
        let Some(stored) = write.written.take() else {
            // After an error, nobody knows whether the new session is stored.
            return result.map(|()| {
                self.note_begun(None);
                write.obstacle.tell();
                false
            });
        };
        self.note_begun(None);
        let adopted = match write.adopted.take() {
            Some(adopted) => {
                self.shared.state().memory.old_ids = write.old_ids;
                adopted
            }
            None => self.adopt(&write, stored.into_stored()),
        };
        result.and(adopted)?;
        self.end_one_left_over().await;
        Ok(true)
    }

    /// Makes the written record the session's, with the changes that were made since it was taken.
    pub(super) fn adopt(&self, write: &Write, stored: SessionData) -> Result<(), Error> {
        let taken = &write.changes;
        {
            let mut state = self.shared.state();
            let memory = &mut state.memory;
            memory.saved = Some(Box::new((write.id.clone(), stored.cookie().clone())));
            memory.is_stored = true;
            memory.is_extended = true;
            memory.is_touched &= !write.extends;
            memory.old_ids = write.old_ids.clone();
            state.id = write.id.clone();
        }
        for _ in 0..MOST_TRIES {
            let (version, now) = {
                let state = self.shared.state();
                // Another handle has dropped the session while it was saved. It stays dropped.
                let Current::Live(record) = &state.current else { return Ok(()) };
                let computed = state.memory.computed.clone();
                (state.version(), RequestChanges { record: Arc::clone(record), computed })
            };
            // Computations are user callbacks, which can use the session itself, so they run without the lock. If the
            // session has changed by then, they run again.
            let (later, result) = taken.made_since(stored.clone(), &now);
            let mut state = self.shared.state();
            if state.version() == version {
                if let Current::Live(record) = &mut state.current {
                    *record = later.record;
                }
                let done = state.memory.take_computed(None);
                state.memory.computed = later.computed;
                drop(state);
                drop(done);
                return result;
            }
        }
        Err(without_end("save"))
    }
}
