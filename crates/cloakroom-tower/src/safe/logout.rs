//! A logout ends a session and all sessions that descend from it.

use std::mem;

use cloakroom_core::{Error, ErrorKind};

use super::{
    marker,
    memory::{Memory, ids_to_log_out},
    preset::Safe,
    session::SafeSession,
};
use crate::state::Current;

/// How many sessions one logout ends. Whoever moves a session to a new id with each request cannot make its logout cost
/// more.
const MOST_ENDED: usize = 32;

/// Destroys the sessions of these ids, and whatever they have moved to. Returns true unless all of them had been logged
/// out before.
pub(super) async fn log_out(safe: &Safe, ids: Vec<String>) -> Result<bool, Error> {
    let (mut ids, mut linked, mut is_news, mut at) = (ids, Vec::new(), false, 0);
    let has_atomic = safe.setup.store().atomic().is_some();
    while let Some(id) = ids.get(at).cloned() {
        at += 1;
        // The first before what it moved to: a move that is under way makes the new session anew as long as the old one
        // is there. The second after the mark, which a writer looks for when it has written.
        if has_atomic && !destroy_record(safe, &id).await? {
            continue;
        }
        let before = marker::mark_logged_out(safe, &id).await?;
        if !has_atomic && !destroy_record(safe, &id).await? {
            continue;
        }
        is_news |= !before.is_logged_out;
        if before.is_linked() {
            linked.push(id);
        }
        for related in before.related() {
            if ids.len() < MOST_ENDED && !ids.contains(related) {
                ids.push(related.clone());
            }
        }
    }
    // Not before all of them have ended: a logout that fails half-way can be tried again at any time.
    for id in linked {
        marker::unlink(safe, &id).await?;
    }
    Ok(is_news)
}

/// Returns false for a cookie with an id that this store cannot have.
async fn destroy_record(safe: &Safe, id: &str) -> Result<bool, Error> {
    match safe.setup.store().destroy(id).await {
        Err(error) if error.kind() == ErrorKind::InvalidId => Ok(false),
        destroyed => destroyed.map(|()| true),
    }
}

impl SafeSession {
    pub(crate) async fn destroy(&self) -> Result<(), Error> {
        let _turn = self.shared.turn("destroy").await?;
        let ids = {
            let state = self.shared.open_for_change("destroy")?;
            state.record("destroy")?;
            ids_to_log_out(&state)
        };
        let setup = &self.shared.setup;
        let is_news = ids.is_empty() | setup.within("destroy", log_out(&self.safe, ids)).await?;
        let memory = {
            let mut state = self.shared.state();
            let cookie = state.cookie().clone();
            state.current = Current::Destroyed(cookie);
            let loaded_at_ms = state.memory.loaded_at_ms;
            let memory =
                Memory { is_logged_out_already: !is_news, loaded_at_ms, ..Memory::default() };
            mem::replace(&mut state.memory, memory)
        };
        // It holds user callbacks.
        drop(memory);
        Ok(())
    }
}
