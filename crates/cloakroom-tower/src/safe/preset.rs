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
    /// Why the store could last be read and not written, if that is still so.
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
        let found = self.setup.ids().find(header, &options.ids.cookie_name, options.ids.unquote);
        found.into_iter().next().map(|found| found.id)
    }

    /// Returns the turn to write this record: writers of this engine do so one after the other. One that holds it for longer
    /// than `patience` loses it. `None` where there is no timer to wait with.
    pub(super) async fn turn_to_write(&self, id: &str, patience: Duration) -> Option<Turn> {
        // A line for each safe, whose clones share the options.
        let place = std::ptr::from_ref(self.setup.options()).addr();
        Turn::take(place, id, patience, timer).await
    }

    /// Tells why the store can be read and not written, unless it has been told since it last could be.
    pub(super) fn tell_refusal(&self, error: &Error) {
        if self.replace_refusal(Some(error.kind())) != Some(error.kind()) {
            self.setup.tell(error);
        }
    }

    /// Notes that the store can be written.
    pub(super) fn end_refusal(&self) {
        self.replace_refusal(None);
    }

    fn replace_refusal(&self, refusal: Option<ErrorKind>) -> Option<ErrorKind> {
        let mut state = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *state, refusal)
    }
}
