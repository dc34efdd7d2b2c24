//! What a request has changed, and how that is laid over what others have written meanwhile.

use std::sync::Arc;

use cloakroom_core::{Error, Session as Record};

/// Makes a change to a record.
type Change = dyn Fn(&mut Record) -> Result<(), Error> + Send + Sync;

/// A change that depends on what the member is: [`Session::modify`](crate::Session::modify).
#[derive(Clone)]
pub(crate) struct Edit {
    pub(crate) name: Arc<str>,
    pub(crate) change: Arc<Change>,
}

impl Edit {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.change, &other.change)
    }
}

/// The record as the request has it, and the edits that are in it.
#[derive(Clone)]
pub(super) struct Changes {
    pub(super) record: Record,
    pub(super) edits: Vec<Edit>,
}

impl Changes {
    /// The record as it is now in the store, with these changes: member by member, and the edits made anew.
    pub(super) fn over(&self, stored: Record) -> Result<Record, Error> {
        let mut record = stored.clone();
        record.merge(&self.record);
        for edit in &self.edits {
            copy(&edit.name, &stored, &mut record)?;
        }
        redo(&self.edits, &mut record)?;
        Ok(record)
    }

    /// What was changed in `now` after these changes had been taken from there, laid over the record that they became.
    pub(super) fn later(&self, stored: Record, now: &Self) -> (Self, Result<(), Error>) {
        let mut record = stored;
        let edits: Vec<Edit> = now
            .edits
            .iter()
            .filter(|edit| !self.edits.iter().any(|done| done.is(edit)))
            .cloned()
            .collect();
        let names = self.record.changed_keys().chain(now.record.changed_keys());
        let mut result = Ok(());
        for name in names.filter(|name| !edits.iter().any(|edit| &*edit.name == *name)) {
            if now.record.get_json(name) != self.record.get_json(name) {
                result = result.and(copy(name, &now.record, &mut record));
            }
        }
        if now.record.cookie() != self.record.cookie() {
            *record.cookie_mut() = now.record.cookie().clone();
        }
        let result = result.and(redo(&edits, &mut record));
        (Self { record, edits }, result)
    }
}

fn redo(edits: &[Edit], record: &mut Record) -> Result<(), Error> {
    edits.iter().try_for_each(|edit| (edit.change)(record))
}

/// Makes a member what it is in another record.
fn copy(name: &str, from: &Record, to: &mut Record) -> Result<(), Error> {
    match from.get_json(name) {
        Some(json) => to.insert_json(name, json),
        None => {
            to.remove(name);
            Ok(())
        }
    }
}
