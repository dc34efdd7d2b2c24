//! A request or a `save` that is dropped while it stores a new session, such as when the browser has closed the
//! connection.

use super::{memory::Begun, session::SafeSession};

/// A write in progress. If it is dropped before a new session has taken the place of the old one, the old one stays, and
/// the new one is left for a later write to destroy: nobody gets its cookie, and it would be logged in beside the other.
pub(super) struct Unfinished<'a> {
    session: &'a SafeSession,
    /// The old sessions, without those that earlier requests have left over.
    old_ids: Vec<String>,
    /// It is a `save`, whose handler can go on and write the new session again.
    is_save: bool,
    is_over: bool,
}

impl<'a> Unfinished<'a> {
    pub(super) fn new(session: &'a SafeSession, is_save: bool) -> Self {
        let mut old_ids = session.shared.state().memory.old_ids.clone();
        // A new session that replaces none is stored in one call.
        let is_over = old_ids.is_empty();
        old_ids.retain(|id| !session.safe.left_over.contains(id));
        Self { session, old_ids, is_save, is_over }
    }

    /// Notes that the write was not dropped.
    pub(super) fn finish(mut self) {
        self.is_over = true;
        if self.is_save {
            return;
        }
        let is_written = {
            let memory = &self.session.shared.state().memory;
            // What was written can be what a `save` has stored before, under the old id.
            let begun = memory.begun.as_ref().map(|begun| &begun.id);
            memory.written.as_ref().map(|written| &written.0) == begun
        };
        // After an error, nobody knows whether the new session is stored.
        if !is_written {
            self.session.leave_begun();
        }
        self.session.note_begun(None);
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        {
            let memory = &mut self.session.shared.state().memory;
            if !matches!(memory.begun, Some(Begun { has_replaced: false, .. })) {
                return;
            }
            // The browser is not told of it.
            memory.written = None;
        }
        self.session.safe.left_over.forget(&self.old_ids);
        if !self.is_save {
            self.session.leave_begun();
        }
    }
}

impl SafeSession {
    /// Leaves a new session for a later write to destroy, if the current write or a `save` that was dropped may have
    /// stored it beside the old one.
    pub(super) fn leave_begun(&self) {
        let memory = &mut self.shared.state().memory;
        let begun = memory.begun.take().filter(|begun| !begun.has_replaced);
        if let Some(begun) = begun.filter(|_| !memory.old_ids.is_empty()) {
            self.safe.left_over.add(begun.id);
        }
    }
}

impl Drop for SafeSession {
    /// A request that is dropped with its `save` writes nothing any more.
    fn drop(&mut self) {
        self.leave_begun();
    }
}
