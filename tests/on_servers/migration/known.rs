//! What the clients of a migration know of the sessions, and what they complain about.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
};

/// What is known of the sessions.
#[derive(Default)]
pub(super) struct Known {
    /// The increments of each session that were acknowledged.
    pub(super) live: Mutex<BTreeMap<String, u64>>,
    pub(super) logged_out: Mutex<Vec<String>>,
    /// The members that Express has added: the session and the name.
    pub(super) added: Mutex<Vec<(String, String)>>,
    pub(super) acknowledged: AtomicU64,
    /// What must not happen.
    pub(super) complaints: Mutex<Vec<String>>,
    pub(super) is_over: AtomicBool,
}

impl Known {
    pub(super) fn complain(&self, what: impl Into<String>) {
        self.complaints.lock().unwrap().push(what.into());
    }

    pub(super) fn has_complaints(&self) -> bool {
        !self.complaints.lock().unwrap().is_empty()
    }

    pub(super) fn pick(&self, number: usize) -> Option<String> {
        let live = self.live.lock().unwrap();
        live.keys().nth(number % live.len().max(1)).cloned()
    }
}
