//! Remembers old sessions that could not be destroyed when they moved.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cloakroom_core::{Error, Store};

/// The number that is remembered. The others end in the store when they expire.
const MOST: usize = 64;

/// The ids of old sessions that a later write destroys.
#[derive(Default)]
pub(crate) struct LeftOver(Mutex<VecDeque<String>>);

impl LeftOver {
    /// Leaves a session that has moved for a later write to destroy.
    pub(super) fn add(&self, id: String) {
        let mut ids = self.ids();
        if ids.len() == MOST {
            ids.pop_front();
        }
        ids.push_back(id);
    }

    /// Destroys a session that has moved. When that fails or is cut short, a later write tries again.
    pub(super) async fn destroy(&self, store: &dyn Store, id: &str) -> Result<(), Error> {
        let mut old = Old { left_over: self, id: Some(id.to_owned()) };
        store.destroy(id).await?;
        old.id = None;
        self.ids().retain(|left_over| left_over != id);
        Ok(())
    }

    /// Tries again to destroy one of the sessions that are left over, if there are any. The first failure has been told.
    pub(super) async fn destroy_one(&self, store: &dyn Store) {
        let id = self.ids().pop_front();
        if let Some(id) = id {
            let _ = self.destroy(store, &id).await;
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
