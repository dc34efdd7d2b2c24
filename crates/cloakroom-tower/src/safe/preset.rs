//! The safe preset of an engine, and what it remembers from one request to the next.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cloakroom_backend::timer;
use cloakroom_core::{Error, ErrorKind, Turn};

use super::left_over::LeftOver;
use crate::setup::Setup;

pub(crate) struct Safe {
    pub(super) setup: Arc<Setup>,
    /// Why the store can currently be read but not written. Reported once, not with every request.
    refusal: Mutex<Option<ErrorKind>>,
    pub(super) left_over: LeftOver,
}

impl Safe {
    pub(crate) fn new(setup: Arc<Setup>) -> Self {
        Self { setup, refusal: Mutex::default(), left_over: LeftOver::default() }
    }

    /// Returns the id in the first cookie of our name that verifies.
    pub(crate) fn session_id(&self, header: &[u8]) -> Option<String> {
        let options = self.setup.options();
        let mut found =
            self.setup.ids().find(header, &options.ids.cookie_name, options.ids.unquote);
        found.next().map(|found| found.id)
    }

    /// Returns the turn to write this record, which the writers of this engine take one after the other. Whoever holds
    /// it for longer than `patience` loses it. Returns `None` if there is no timer to wait with.
    pub(super) async fn turn_to_write(&self, id: &str, patience: Duration) -> Option<Turn> {
        // The address of the options names this engine: its clones share them, and no other engine does.
        let place = std::ptr::from_ref(self.setup.options()).addr();
        self.setup.longest().adopt(Turn::take(place, id, patience, timer)).await
    }

    /// Reports why the store can be read but not written, unless that was reported since the store last could be
    /// written.
    pub(super) fn tell_refusal(&self, error: &Error) {
        if self.replace_refusal(Some(error.kind())) != Some(error.kind()) {
            self.setup.tell(error);
        }
    }

    /// Notes that the store can be written again.
    pub(super) fn end_refusal(&self) {
        self.replace_refusal(None);
    }

    fn replace_refusal(&self, refusal: Option<ErrorKind>) -> Option<ErrorKind> {
        let mut state = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *state, refusal)
    }
}
