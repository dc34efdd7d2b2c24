//! A logout ends a session and all sessions that descend from it.
//!
//! A user who logs out wants to be logged out. A login in another request can have moved the session to a new id just
//! before: Express then destroys the old id, which is gone already, and the user stays logged in under the new one.

use std::mem;

use cloakroom_backend::observe::{Event, note};
use cloakroom_core::{Error, ErrorKind};

use super::{
    marker,
    memory::{Memory, ids_to_log_out},
    preset::Safe,
    session::SafeSession,
};
use crate::state::Current;

/// How many sessions one logout ends. They are ended one after the other, two commands or more each, within one
/// deadline. Without a limit, whoever moves a session to a new id with each request could make its logout fail.
const MOST_ENDED: usize = 32;

/// Logs out the sessions of these ids, and all sessions that their markers name. Returns false if every one of them had
/// been logged out before.
///
/// If it fails after its first call, the outcome is unknown: some sessions have ended.
pub(super) async fn log_out(safe: &Safe, ids: Vec<String>) -> Result<bool, Error> {
    let mut has_begun = false;
    let outcome = log_out_all(safe, ids, &mut has_begun).await;
    outcome.map_err(|error| if has_begun { error.with_outcome_unknown() } else { error })
}

async fn log_out_all(
    safe: &Safe,
    mut ids: Vec<String>,
    has_begun: &mut bool,
) -> Result<bool, Error> {
    let (mut linked, mut is_news, mut at) = (Vec::new(), false, 0);
    let has_atomic = safe.setup.store().atomic().is_some();
    while let Some(id) = ids.get(at).cloned() {
        at += 1;
        // With conditional writes, the record goes first: as long as it is there, a move that is under way can create
        // its new session again. Without them, the mark comes first: a writer looks at it after its write, so either
        // the record is destroyed after that write, or the writer sees the mark and takes its write back.
        if has_atomic && !destroy_record(safe, &id).await? {
            continue;
        }
        *has_begun |= has_atomic;
        let before = marker::mark_logged_out(safe, &id).await?;
        *has_begun |= before.as_ref().is_some_and(|before| !before.is_logged_out);
        if !has_atomic && !destroy_record(safe, &id).await? {
            continue;
        }
        *has_begun = true;
        let before = before.unwrap_or_default();
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
    // The links go last. If the logout fails half-way, the next attempt still finds by them what is left to end.
    for id in linked {
        marker::unlink(safe, &id).await?;
    }
    if is_news {
        note(Event::SessionDestroyed { store: safe.setup.store().name() });
    }
    Ok(is_news)
}

/// Destroys the record. Returns false if the cookie verified, but its id is invalid in this store.
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
        let is_news = if ids.is_empty() {
            None
        } else {
            Some(setup.within("destroy", log_out(&self.safe, ids)).await?)
        };
        let memory = {
            let mut state = self.shared.state();
            let cookie = state.cookie().clone();
            state.current = Current::Destroyed(Box::new(cookie));
            let before = &state.memory;
            // A second `destroy` that has nothing to end says nothing new about the first one.
            let is_logged_out_already =
                is_news.map_or(before.is_logged_out_already, |is_news| !is_news);
            let was_there = before.is_stored || !before.old_ids.is_empty();
            let memory = Memory {
                is_logged_out_already,
                is_late_logout: is_logged_out_already && (was_there || before.is_late_logout),
                loaded_at_ms: before.loaded_at_ms,
                is_withheld: before.is_withheld,
                ..Memory::default()
            };
            mem::replace(&mut state.memory, memory)
        };
        // It holds user callbacks, which are dropped after the lock is released.
        drop(memory);
        Ok(())
    }
}
