//! Sessions that could not be destroyed: old ones that have moved, and new ones of moves that have failed.
//!
//! No browser has their cookies any more, but whoever stole one could use it until it expires. So later writes try
//! again.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cloakroom_backend::{Idempotency, within};
use cloakroom_core::{Error, Store};

use crate::setup::Setup;

/// How many are remembered, so that a store that refuses to destroy costs a fixed amount of memory. Any others end when
/// they expire.
const MOST: usize = 64;

/// The part of the deadline that a write waits for one of them.
const PATIENCE: u32 = 8;

/// The ids of sessions that a later write destroys.
#[derive(Default)]
pub(crate) struct LeftOver(Mutex<VecDeque<String>>);

impl LeftOver {
    /// Leaves a session for a later write to destroy. The oldest one is forgotten if there are too many.
    pub(super) fn add(&self, id: String) {
        let mut ids = self.ids();
        if ids.len() == MOST {
            ids.pop_front();
        }
        ids.push_back(id);
    }

    /// Forgets the old sessions of a move that was dropped: the browser has one of them.
    pub(super) fn forget(&self, old_ids: &[String]) {
        self.ids().retain(|left_over| !old_ids.contains(left_over));
    }

    /// Destroys the session of a move that is over. If that fails, or its future is dropped, a later write tries again.
    pub(super) async fn destroy(&self, store: &dyn Store, id: &str) -> Result<(), Error> {
        // The guard puts the id on the list even if this future is dropped while the store is asked.
        let mut old = Old { left_over: self, id: Some(id.to_owned()) };
        store.destroy(id).await?;
        old.id = None;
        self.ids().retain(|left_over| left_over != id);
        Ok(())
    }

    /// Returns true if there is any session left over.
    pub(super) fn has_any(&self) -> bool {
        !self.ids().is_empty()
    }

    /// Returns true if this session is left over: it is in the store, but nobody was given its cookie.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids().iter().any(|left_over| left_over == id)
    }

    /// Tries again to destroy one of the sessions that are left over, if there is one.
    ///
    /// It is usually another user's session, perhaps in a part of the store that does not answer. So it delays this
    /// request by a small part of the deadline and never fails it. The first failure was reported; another one is not.
    pub(super) async fn destroy_one(&self, setup: &Setup) {
        let id = self.ids().pop_front();
        if let Some(id) = id {
            let limit = setup.options().failure.patience() / PATIENCE;
            let destroy = self.destroy(setup.store(), &id);
            let _ = within(Some(limit), "session", "destroy", Idempotency::Once, destroy).await;
        }
    }

    fn ids(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that is being destroyed.
struct Old<'a> {
    left_over: &'a LeftOver,
    /// `None` when it is destroyed.
    id: Option<String>,
}

impl Drop for Old<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.left_over.add(id);
        }
    }
}
