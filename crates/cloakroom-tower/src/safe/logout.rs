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
    while let Some(id) = ids.get(at).cloned() {
        at += 1;
        match engine.store().destroy(&id).await {
            // A cookie of an id that this store cannot have.
            Err(error) if error.kind() == ErrorKind::InvalidId => continue,
            destroyed => destroyed?,
        }
        // Before what it moved to: a move that is under way makes the new session anew as long as the old one is there.
        let before = marker::end(engine, &id).await?;
        is_news |= !before.is_ended;
        for moved_to in before.moved_to {
            if !ids.contains(&moved_to) {
                ids.push(moved_to);
            }
        }
    }
    Ok(is_news)
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
        let rules = super::Safe { is_ended_already: !is_news, ..super::Safe::default() };
        std::mem::replace(&mut state.rules, Rules::Safe(Box::new(rules)))
    };
    // It holds code of the application.
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
