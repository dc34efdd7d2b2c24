//! A new id for the session.
//!
//! Nothing is written here. The next write stores the new session and then ends the old one, so a request that fails
//! before leaves the old session as it was.

use std::{mem, sync::Arc};

use cloakroom_core::{Error, SessionData};

use super::{memory::Replaced, session::SafeSession};
use crate::{
    computed::ComputedMember,
    cookie_options::with_life_of,
    state::{Current, Memory as _},
};

impl SafeSession {
    /// Gives the session a new id. It takes the turn, so that a `save` that is under way ends under the old one.
    pub(crate) async fn regenerate(&self, keeps_data: bool) -> Result<(), Error> {
        let _turn = self.shared.turn("regenerate").await?;
        let new = self.shared.generate()?;
        self.replace(new, keeps_data).map(drop)
    }

    /// Gives the session another id, and an empty record if it does not keep its own. Returns the user callbacks of the
    /// record that was replaced, to be dropped without the lock.
    fn replace(
        &self,
        (id, record): (String, SessionData),
        keeps_data: bool,
    ) -> Result<Vec<ComputedMember>, Error> {
        let mut state = self.shared.open_for_change("regenerate")?;
        if keeps_data {
            state.record("regenerate")?;
        }
        // A session that was unset is still in the store. Like any other old one, it ends when the new one is stored.
        let destroyed = match &state.current {
            Current::Live(_) | Current::Unset(_) => None,
            Current::Destroyed(cookie) => Some(cookie.clone()),
        };
        let replaced = Replaced::of(&state);
        let old_id = mem::replace(&mut state.id, id);
        let mut computed = Vec::new();
        if keeps_data {
            let kept = state.record_mut("regenerate")?;
            let cookie = with_life_of(kept, record.cookie(), self.shared.setup.now_ms());
            *kept.cookie_mut() = cookie;
        } else {
            state.current = Current::Live(Arc::new(record));
            state.is_brought = false;
            computed = state.memory.take_computed(None);
        }
        state.is_new = true;
        let memory = &mut state.memory;
        if let Some(begun) = memory.begun.take() {
            self.safe.left_over.add(begun.id);
        }
        memory.keeps_data = keeps_data && (memory.is_stored || memory.keeps_data);
        // An id that was never stored leaves nothing to end, so two calls in a row leave one old id.
        if mem::take(&mut memory.is_stored) {
            memory.old_ids.push(old_id);
            memory.replaced = replaced;
        }
        // The browser has no cookie of the new id yet, so the end of the request sends one.
        memory.browser = None;
        memory.is_replaced = destroyed.is_none();
        memory.destroyed = destroyed.or(memory.destroyed.take());
        Ok(computed)
    }
}
