//! Back to the session as the request loaded it, or as it is stored now.

use std::mem;

use cloakroom_core::Error;

use super::{
    memory::{Memory, Replaced},
    session::SafeSession,
};
use crate::state::{Current, Memory as _};

impl SafeSession {
    /// Replaces the record by the stored one, and forgets the computations that belong to the old one.
    pub(crate) async fn reload(&self) -> Result<bool, Error> {
        let _turn = self.shared.turn("reload").await?;
        let id = {
            let state = self.shared.open_for_change("reload")?;
            state.record("reload")?;
            // The store cannot have it under an id that nobody has written to.
            if !state.memory.is_stored {
                return Ok(false);
            }
            state.id.clone()
        };
        let setup = &self.shared.setup;
        let Some(loaded) = setup.within_reading("reload", setup.store().get(&id)).await? else {
            return Ok(false);
        };
        let computed = {
            let mut state = self.shared.open("reload")?;
            *state.record_mut("reload")? = loaded;
            state.memory.take_computed(None)
        };
        drop(computed);
        Ok(true)
    }

    /// Undoes the changes since the session was loaded or saved, a new id included.
    pub(crate) async fn rollback(&self) -> Result<(), Error> {
        let _turn = self.shared.turn("rollback").await?;
        let computed = {
            let mut state = self.shared.open_for_change("rollback")?;
            state.record("rollback")?;
            if let Some(replaced) = state.memory.take_replaced() {
                if let Some(begun) = state.memory.begun.take() {
                    self.safe.left_over.add(begun.id);
                }
                state.id = replaced.id;
                (state.is_new, state.is_brought) = (replaced.is_new, replaced.is_brought);
                state.current = Current::Live(replaced.record);
            }
            state.record_mut("rollback")?.rollback();
            state.memory.take_computed(None)
        };
        drop(computed);
        Ok(())
    }
}

impl Memory {
    /// Takes the session that was replaced, unless the new one is stored: its store has ended the old one then.
    fn take_replaced(&mut self) -> Option<Replaced> {
        self.is_touched = false;
        if self.is_stored {
            return None;
        }
        // From now on no new id is wanted, even if there is no old session to go back to. Otherwise a later write would
        // count as a login, and fail the request where it should only be dropped.
        (self.keeps_data, self.is_replaced) = (false, false);
        let mut replaced = self.replaced.take()?;
        self.old_ids.pop();
        (self.is_stored, self.browser) = (true, mem::take(&mut replaced.browser));
        Some(replaced)
    }
}
