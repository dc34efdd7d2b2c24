//! The safe preset: the same cookie and the same records as Express, without the known harm.
//!
//! - A request that only reads costs one round trip, which extends the session too.
//! - Writers that meet keep each other's members, and a session that was destroyed does not come back.
//! - A new id is stored before the old one is destroyed.
//! - `Set-Cookie` is sent when the browser's copy needs it, and a change that cannot be written is an error.

use std::time::Duration;

use cloakroom_core::{Cookie, Error, Session as Record, TimeToLive};

use crate::{
    TouchAfter,
    state::{Current, Rules, Shared, State},
};

mod changes;
mod commit;
mod load;
mod write;

use changes::Changes;
pub(crate) use changes::Edit;
pub(crate) use commit::commit;
pub(crate) use load::load;
use write::Write;

/// What the safe preset remembers of a request.
#[derive(Default)]
pub(crate) struct Safe {
    /// The record is in the store under the session's id.
    is_stored: bool,
    /// Loading it has extended it.
    is_extended: bool,
    /// The handler has asked for its extension.
    is_touched: bool,
    /// It replaces a session that was stored, so it is stored even if it is empty.
    is_replacement: bool,
    /// The cookie as the browser has it; `None` when it has none of this id, or one that an old secret signed.
    browser: Option<Cookie>,
    /// Changes that depend on what the record is when it is written.
    edits: Vec<Edit>,
    /// The ids that this session had before, which are in the store still.
    old_ids: Vec<String>,
    /// The members come from the record under the last of the old ids.
    keeps_data: bool,
    /// The cookie of a session that was destroyed before this one was made.
    destroyed: Option<Cookie>,
}

pub(crate) fn touch(state: &mut State) {
    if let Rules::Safe(rules) = &mut state.rules {
        rules.is_touched = true;
    }
}

/// Keeps a change that is made anew when others have written meanwhile.
pub(crate) fn add_edit(state: &mut State, edit: Edit) {
    if let Rules::Safe(rules) = &mut state.rules {
        rules.edits.push(edit);
    }
}

/// Forgets the changes of a member that depend on what it is, or of all.
pub(crate) fn drop_edits(state: &mut State, name: Option<&str>) {
    if let Rules::Safe(rules) = &mut state.rules {
        rules.edits.retain(|edit| name.is_some_and(|name| *edit.name != *name));
    }
}

pub(crate) fn regenerate(shared: &Shared, keeps_data: bool) -> Result<(), Error> {
    let (id, record) = shared.generate()?;
    let mut state = shared.open_for_change("regenerate")?;
    if keeps_data {
        state.record("regenerate")?;
    }
    let destroyed = match &state.current {
        Current::Live(_) => None,
        Current::Destroyed(cookie) | Current::Unset(cookie) => Some(cookie.clone()),
    };
    let old_id = std::mem::replace(&mut state.id, id);
    if !keeps_data {
        state.current = Current::Live(record);
    }
    state.is_new = true;
    if let Rules::Safe(rules) = &mut state.rules {
        rules.destroyed = destroyed.or(rules.destroyed.take());
        rules.keeps_data = keeps_data && (rules.is_stored || rules.keeps_data);
        if std::mem::take(&mut rules.is_stored) {
            rules.is_replacement = true;
            rules.old_ids.push(old_id);
        }
        rules.browser = None;
        if !keeps_data {
            rules.edits.clear();
        }
    }
    Ok(())
}

pub(crate) async fn destroy(shared: &Shared) -> Result<(), Error> {
    let _turn = shared.turn().await;
    let ids = {
        let state = shared.open_for_change("destroy")?;
        state.record("destroy")?;
        ids_in_store(&state)
    };
    let engine = &shared.engine;
    engine
        .within("destroy", async {
            for id in &ids {
                engine.store().destroy(id).await?;
            }
            Ok(())
        })
        .await?;
    let mut state = shared.open_for_change("destroy")?;
    let cookie = state.cookie().clone();
    state.current = Current::Destroyed(cookie);
    if let Rules::Safe(rules) = &mut state.rules {
        **rules = Safe::default();
    }
    Ok(())
}

/// Every id of this session that the store may know.
fn ids_in_store(state: &State) -> Vec<String> {
    match &state.rules {
        Rules::Safe(rules) => {
            let own = rules.is_stored.then(|| state.id.clone());
            rules.old_ids.iter().cloned().chain(own).collect()
        }
        Rules::Express(_) => Vec::new(),
    }
}

pub(crate) async fn save(shared: &Shared) -> Result<bool, Error> {
    let _turn = shared.turn().await;
    let mut write = {
        let state = shared.open_for_change("save")?;
        let Some(write) = Write::of(&state, state.record("save")?) else { return Ok(false) };
        write
    };
    let taken = write.changes.clone();
    let extends = extends_on_write(shared);
    let Some(stored) = shared.engine.within("save", write.run(shared, extends)).await? else {
        return Ok(false);
    };
    let mut guard = shared.state();
    let State { id, current, rules: Rules::Safe(rules), .. } = &mut *guard else {
        return Ok(true);
    };
    // One that was dropped meanwhile by another handle stays so.
    let Current::Live(record) = current else { return Ok(true) };
    let now = Changes { record: record.clone(), edits: std::mem::take(&mut rules.edits) };
    let (later, result) = taken.later(stored, &now);
    *id = write.id;
    *record = later.record;
    rules.edits = later.edits;
    rules.is_stored = true;
    rules.is_extended = true;
    rules.is_touched = false;
    rules.old_ids.clear();
    result.map(|()| true)
}

/// Whether a write moves the expiry, whatever the handler asks for.
fn extends_on_write(shared: &Shared) -> bool {
    shared.engine.options().touch_after == TouchAfter::EachRequest
}

/// Moves the cookie's expiry. One that has passed and has no max age to be moved by is taken away, as Express does it:
/// the store says that the session lives.
fn extend(record: &mut Record, now_ms: i64) {
    record.touch(now_ms);
    if record.cookie().original_max_age_ms().is_none()
        && record.time_to_live(now_ms) == TimeToLive::Expired
    {
        // It cannot fail without a date.
        let _ = record.cookie_mut().set_expires_ms(None, now_ms);
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
