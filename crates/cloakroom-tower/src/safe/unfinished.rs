//! A request that is dropped while its end stores a new session, such as when the browser has closed the connection.

use super::{memory::Begun, session::SafeSession};

/// The end of a request. If it is dropped before a new session has taken the place of the old one, the old one stays, and
/// the new one is left for a later write to destroy: nobody gets its cookie, and it would be logged in beside the other.
pub(super) struct Unfinished<'a> {
    session: &'a SafeSession,
    /// The old sessions, without those that earlier requests have left over.
    old_ids: Vec<String>,
    is_over: bool,
}

impl<'a> Unfinished<'a> {
    pub(super) fn new(session: &'a SafeSession) -> Self {
        let mut old_ids = session.shared.state().memory.old_ids.clone();
        // A new session that replaces none is stored in one call.
        let is_over = old_ids.is_empty();
        old_ids.retain(|id| !session.safe.left_over.contains(id));
        Self { session, old_ids, is_over }
    }

    /// Notes that the request was not dropped.
    pub(super) fn finish(mut self) {
        self.is_over = true;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let begun = self.session.shared.state().memory.begun.take();
        if let Some(Begun { id, has_replaced: false }) = begun {
            self.session.safe.left_over.add_in_place_of(id, &self.old_ids);
        }
    }
}
