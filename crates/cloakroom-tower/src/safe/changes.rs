//! The changes of a request, and how they are applied to a record that other requests have written in between.
//!
//! The unit is the top-level member: two requests that change different members keep both changes, and inside of one
//! member the last writer wins. Merging inside of a value could combine parts that no request ever wrote together.

use std::sync::Arc;

use cloakroom_core::{Error, SessionData};

use crate::computed::{ComputedMember, set};

/// The record as the request has it, with the list of its changes, and the members in it that were computed.
#[derive(Clone)]
pub(super) struct RequestChanges {
    pub(super) record: Arc<SessionData>,
    pub(super) computed: Vec<ComputedMember>,
}

impl RequestChanges {
    /// Returns the stored record with these changes: other members keep their stored values, and computed members are
    /// computed from theirs.
    pub(super) fn applied_to(&self, stored: SessionData) -> Result<SessionData, Error> {
        let mut record = stored.clone();
        record.merge(&self.record);
        // The merge has set each computed member to this request's result, which was computed from an outdated value.
        // The computation starts again from the stored one.
        for member in &self.computed {
            set(&mut record, &member.name, stored.get_json(&member.name))?;
        }
        compute(&self.computed, &mut record)?;
        Ok(record)
    }

    /// Returns what `now` has changed since these changes were taken from it, applied to the record that was stored:
    /// other handles can change the session while `save` waits for the store.
    pub(super) fn made_since(&self, stored: SessionData, now: &Self) -> (Self, Result<(), Error>) {
        let mut record = stored.clone();
        record.merge_since(&now.record, &self.record);
        // A computation that is stored must not run again: the counter would count twice.
        let is_new = |member: &&ComputedMember| !self.computed.iter().any(|done| done.is(member));
        let computed: Vec<ComputedMember> = now.computed.iter().filter(is_new).cloned().collect();
        let mut result = Ok(());
        for member in &computed {
            result = result.and(set(&mut record, &member.name, stored.get_json(&member.name)));
        }
        let result = result.and(compute(&computed, &mut record));
        (Self { record: Arc::new(record), computed }, result)
    }
}

fn compute(computed: &[ComputedMember], record: &mut SessionData) -> Result<(), Error> {
    computed.iter().try_for_each(|member| (member.compute)(record))
}
