//! The changes of a request, and how they are applied to a record that other requests have written in between.

use std::sync::Arc;

use cloakroom_core::{Error, SessionData};

use crate::computed::{ComputedMember, set};

/// The record as the request has it, and the members in it that were computed.
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
        for member in &self.computed {
            set(&mut record, &member.name, stored.get_json(&member.name))?;
        }
        compute(&self.computed, &mut record)?;
        Ok(record)
    }

    /// Returns what `now` has changed since these changes were taken from it, applied to the record that was stored.
    pub(super) fn made_since(&self, stored: SessionData, now: &Self) -> (Self, Result<(), Error>) {
        let mut record = stored.clone();
        record.merge_since(&now.record, &self.record);
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
