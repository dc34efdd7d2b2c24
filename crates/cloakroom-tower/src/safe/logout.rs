//! The end of a session, and of all that descends from it.

use cloakroom_core::{Error, ErrorKind};

use super::marker;
use crate::{
    SessionEngine,
    state::{Current, Rules, Shared, State},
};

/// Destroys the sessions of these ids, and whatever they have moved to. Returns true unless all of them had been logged
/// out before.
pub(super) async fn log_out(engine: &SessionEngine, ids: Vec<String>) -> Result<bool, Error> {
    let (mut ids, mut is_news, mut at) = (ids, false, 0);
    let has_atomic = engine.store().atomic().is_some();
    while let Some(id) = ids.get(at).cloned() {
        at += 1;
        // The first before what it moved to: a move that is under way makes the new session anew as long as the old one
        // is there. The second after the mark, which a writer looks for when it has written.
        if has_atomic && !destroy_record(engine, &id).await? {
            continue;
        }
        let before = marker::end(engine, &id).await?;
        if !has_atomic && !destroy_record(engine, &id).await? {
            continue;
        }
        is_news |= !before.is_ended;
        for related in before.related() {
            if !ids.contains(related) {
                ids.push(related.clone());
            }
        }
    }
    Ok(is_news)
}

/// Returns false for a cookie with an id that this store cannot have.
async fn destroy_record(engine: &SessionEngine, id: &str) -> Result<bool, Error> {
    match engine.store().destroy(id).await {
        Err(error) if error.kind() == ErrorKind::InvalidId => Ok(false),
        destroyed => destroyed.map(|()| true),
    }
}

pub(crate) async fn destroy(shared: &Shared) -> Result<(), Error> {
    let _turn = shared.turn("destroy").await?;
    let ids = {
        let state = shared.open_for_change("destroy")?;
        state.record("destroy")?;
        ids_to_end(&state)
    };
    let engine = &shared.engine;
    let is_news = ids.is_empty() | engine.within("destroy", log_out(engine, ids)).await?;
    let rules = {
        let mut state = shared.state();
        let cookie = state.cookie().clone();
        state.current = Current::Destroyed(cookie);
        let loaded_at_ms = match &state.rules {
            Rules::Safe(rules) => rules.loaded_at_ms,
            Rules::Express(_) => 0,
        };
        let rules =
            super::Safe { is_ended_already: !is_news, loaded_at_ms, ..super::Safe::default() };
        std::mem::replace(&mut state.rules, Rules::Safe(Box::new(rules)))
    };
    // It holds user callbacks.
    drop(rules);
    Ok(())
}

/// All that a logout of this request ends: every session that the browser sent a cookie of, and those that the request
/// has made of it.
pub(super) fn ids_to_end(state: &State) -> Vec<String> {
    let Rules::Safe(rules) = &state.rules else { return Vec::new() };
    let own = rules.is_stored.then_some(&state.id);
    let mut ids: Vec<String> = Vec::new();
    for id in rules.sent.iter().chain(&rules.old_ids).chain(own) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}
