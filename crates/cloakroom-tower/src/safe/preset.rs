//! The safe preset of an engine, and what it remembers from one request to the next.

use std::sync::{Arc, Mutex, PoisonError};

use cloakroom_core::{Error, ErrorKind};

use super::left_over::LeftOver;
use crate::setup::Setup;

pub(crate) struct Safe {
    pub(super) setup: Arc<Setup>,
    /// Why the store could last be read and not written, if that is still so.
    refusal: Mutex<Option<ErrorKind>>,
    /// Held while a marker is written to a store without conditional writes.
    pub(super) marking: tokio::sync::Mutex<()>,
    pub(super) left_over: LeftOver,
}

impl Safe {
    pub(crate) fn new(setup: Arc<Setup>) -> Self {
        let (refusal, marking) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { setup, refusal, marking, left_over: LeftOver::default() }
    }

    /// Returns the id in the first cookie of our name that verifies.
    pub(crate) fn session_id(&self, header: &[u8]) -> Option<String> {
        let options = self.setup.options();
        let found = self.setup.ids().find(header, &options.ids.cookie_name, options.ids.unquote);
        found.into_iter().next().map(|found| found.id)
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
