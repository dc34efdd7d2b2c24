//! Back to the session that the request began with.

use std::{mem, sync::Arc};

use cloakroom_core::{Cookie, Error, SessionData};

use super::take_edits;
use crate::state::{Current, Rules, Shared, State};

/// The stored session that a new id has replaced in this request.
pub(super) struct Replaced {
    id: String,
    record: Arc<SessionData>,
    is_new: bool,
    browser: Option<Cookie>,
}

impl Replaced {
    /// What is about to be replaced. `None` when it is not in the store: there is nothing to go back to.
    pub(super) fn of(state: &State) -> Option<Self> {
        let (Current::Live(record), Rules::Safe(rules)) = (&state.current, &state.rules) else {
            return None;
        };
        rules.is_stored.then(|| Self {
            id: state.id.clone(),
            record: Arc::clone(record),
            is_new: state.is_new,
            browser: rules.browser.clone(),
        })
    }
}

pub(crate) async fn rollback(shared: &Shared) -> Result<(), Error> {
    let _turn = shared.turn("rollback").await?;
    let edits = {
        let mut state = shared.open_for_change("rollback")?;
        state.record("rollback")?;
        if let Some(replaced) = take_replaced(&mut state) {
            state.id = replaced.id;
            state.is_new = replaced.is_new;
            state.current = Current::Live(replaced.record);
        }
        state.record_mut("rollback")?.rollback();
        take_edits(&mut state, None)
    };
    drop(edits);
    Ok(())
}

/// Takes the session that was replaced, if the new one is not stored.
fn take_replaced(state: &mut State) -> Option<Replaced> {
    let Rules::Safe(rules) = &mut state.rules else { return None };
    rules.is_touched = false;
    if rules.is_stored {
        return None;
    }
    let mut replaced = rules.replaced.take()?;
    rules.old_ids.pop();
    (rules.keeps_data, rules.is_replaced) = (false, false);
    (rules.is_stored, rules.browser) = (true, mem::take(&mut replaced.browser));
    Some(replaced)
}
