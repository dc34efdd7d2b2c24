//! Members whose value a handler computes from the value before.

use std::sync::Arc;

use cloakroom_core::{Error, SessionData};

/// Computes a member of a record from its value there. It can run several times: once for each record that another
/// request has written in between.
pub(crate) type Computation = dyn Fn(&mut SessionData) -> Result<(), Error> + Send + Sync;

/// A member that depends on its earlier value, or that such a computation starts from.
#[derive(Clone)]
pub(crate) struct ComputedMember {
    pub(crate) name: Arc<str>,
    pub(crate) compute: Arc<Computation>,
}

impl ComputedMember {
    /// Gives the member the value that it has in this record.
    pub(crate) fn fixed(record: &SessionData, name: &str) -> Self {
        let (name, json): (Arc<str>, _) = (name.into(), record.get_json(name).map(str::to_owned));
        let named = Arc::clone(&name);
        Self { name, compute: Arc::new(move |record| set(record, &named, json.as_deref())) }
    }

    /// Returns true if both are copies of one computation.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.compute, &other.compute)
    }
}

/// Sets a member to a JSON text, or removes it.
pub(crate) fn set(record: &mut SessionData, name: &str, json: Option<&str>) -> Result<(), Error> {
    match json {
        Some(json) => record.insert_json(name, json),
        None => {
            record.remove(name);
            Ok(())
        }
    }
}
