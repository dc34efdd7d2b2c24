//! What the clients of a migration know of the sessions, and what they complain about.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
    thread,
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

/// Complains if whoever holds it panics: nobody would wait for its writes in vain.
pub(super) struct Witness<'a>(pub(super) &'a Known);

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.complain("a client has panicked");
        }
    }
}

impl Known {
    pub(super) fn complain(&self, what: impl Into<String>) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.push(what.into());
    }

    pub(super) fn has_complaints(&self) -> bool {
        !self.complaints.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(super) fn pick(&self, number: usize) -> Option<String> {
        let live = self.live.lock().unwrap();
        live.keys().nth(number % live.len().max(1)).cloned()
    }
}
