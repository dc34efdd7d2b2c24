//! The session of a request by the rules of the safe preset. Verbs that ask the store have files of their own.

use std::{mem, sync::Arc};

use cloakroom_backend::observe::{Event, note};
use cloakroom_core::{Cookie, Error, ErrorKind};
use http::HeaderValue;

use super::{
    memory::{Begun, Memory},
    preset::Safe,
};
use crate::{EventReason, TouchAfter, state::Shared};

pub(crate) struct SafeSession {
    pub(super) safe: Arc<Safe>,
    pub(super) shared: Shared<Memory>,
}

impl SafeSession {
    pub(crate) const fn shared(&self) -> &Shared<Memory> {
        &self.shared
    }

    pub(crate) fn touch(&self) -> Result<(), Error> {
        let mut state = self.shared.open_for_change("touch")?;
        state.record("touch")?;
        // The next write moves the expiry, counted from then.
        state.memory.is_touched = true;
        Ok(())
    }

    /// Returns the `Set-Cookie` line for the error response, which the failed end of the request has left behind.
    pub(crate) fn cookie_after_error(&self) -> Option<HeaderValue> {
        self.shared.state().memory.after_error.clone()
    }

    /// Notes that the current write stores a new session, or that it is over.
    pub(super) fn note_begun(&self, id: Option<String>) {
        self.shared.state().memory.begun = id.map(|id| Begun { id, has_replaced: false });
    }

    /// Notes that the old sessions have ended, and that the new one stays.
    pub(super) fn note_replaced(&self) {
        if let Some(begun) = &mut self.shared.state().memory.begun {
            begun.has_replaced = true;
        }
    }

    /// Ends one of the sessions that are left over, if this request has written. Its own answer is decided by then, and
    /// requests that only read stay at one command.
    pub(super) async fn end_one_left_over(&self) {
        let has_written = self.shared.state().memory.written.is_some();
        if has_written && self.safe.left_over.has_any() {
            Box::pin(self.safe.left_over.destroy_one(&self.safe.setup)).await;
        }
    }

    /// Returns true if this cookie is not sent, because it is `Secure` and the request is not.
    pub(super) fn withholds(&self, cookie: &Cookie) -> bool {
        cookie.secure() && !self.shared.request.is_secure
    }

    /// Tells the operator of a cookie that is not sent: once for a response.
    pub(super) fn note_withheld(&self) {
        if self.is_first_withheld() {
            self.shared.setup.note(EventReason::CookieWithheld);
        }
    }

    /// Returns the error for a new session that is not stored because its cookie would not be sent.
    pub(super) fn withheld(&self, operation: &'static str) -> Error {
        if self.is_first_withheld() {
            note(Event::CookieWithheld);
        }
        let message = "the new session was not stored because its cookie is Secure and the request is not; behind a proxy that terminates TLS, set the option \"proxy\"; for development on http://localhost, set \"secure\" to auto";
        Error::new(ErrorKind::Config, "session", operation, message)
    }

    fn is_first_withheld(&self) -> bool {
        !mem::replace(&mut self.shared.state().memory.is_withheld, true)
    }

    /// Returns true if every write moves the expiry, even if the handler has not called `touch`.
    pub(super) fn extends_on_write(&self) -> bool {
        self.shared.setup.options().expiry.touch_after == TouchAfter::EachRequest
    }
}
