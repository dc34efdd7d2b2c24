//! The changes of a request, and how they are laid over what other requests have written in between.

use std::sync::Arc;

use cloakroom_core::{Error, SessionData};

/// Makes a change to a record.
pub(crate) type Change = dyn Fn(&mut SessionData) -> Result<(), Error> + Send + Sync;

/// A change that depends on the member's value, or one that such a change follows.
#[derive(Clone)]
pub(crate) struct Edit {
    pub(crate) name: Arc<str>,
    pub(crate) change: Arc<Change>,
}

impl Edit {
    /// The change that makes a member what it is in this record.
    pub(crate) fn as_in(record: &SessionData, name: &str) -> Self {
        let (name, json): (Arc<str>, _) = (name.into(), record.get_json(name).map(str::to_owned));
        let named = Arc::clone(&name);
        Self { name, change: Arc::new(move |record| set(record, &named, json.as_deref())) }
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.change, &other.change)
    }
}

/// The record as the request has it, and the edits that are in it.
#[derive(Clone)]
pub(super) struct Changes {
    pub(super) record: Arc<SessionData>,
    pub(super) edits: Vec<Edit>,
}

impl Changes {
    /// The record as it is now in the store, with these changes: member by member, and the edits made anew.
    pub(super) fn over(&self, stored: SessionData) -> Result<SessionData, Error> {
        let mut record = stored.clone();
        record.merge(&self.record);
        for edit in &self.edits {
            set(&mut record, &edit.name, stored.get_json(&edit.name))?;
        }
        redo(&self.edits, &mut record)?;
        Ok(record)
    }

    /// What was changed in `now` after these changes had been taken from there, laid over the record that they became.
    pub(super) fn later(&self, stored: SessionData, now: &Self) -> (Self, Result<(), Error>) {
        let mut record = stored.clone();
        record.merge_since(&now.record, &self.record);
        let edits = now.edits.iter().filter(|edit| !self.edits.iter().any(|done| done.is(edit)));
        let edits: Vec<Edit> = edits.cloned().collect();
        let mut result = Ok(());
        for edit in &edits {
            result = result.and(set(&mut record, &edit.name, stored.get_json(&edit.name)));
        }
        let result = result.and(redo(&edits, &mut record));
        (Self { record: Arc::new(record), edits }, result)
    }
}

fn redo(edits: &[Edit], record: &mut SessionData) -> Result<(), Error> {
    edits.iter().try_for_each(|edit| (edit.change)(record))
}

/// Sets a member to a JSON text, or removes it.
fn set(record: &mut SessionData, name: &str, json: Option<&str>) -> Result<(), Error> {
    match json {
        Some(json) => record.insert_json(name, json),
        None => {
            record.remove(name);
            Ok(())
        }
    }
}
