//! Why a store breaks a promise, in a sentence that its maintainers could act on, and the smallest steps that show it.

use cloakroom_conformance::Outcome;

use super::column::Column;

/// One reason for which stores break promises.
pub(super) struct Finding {
    /// What happens.
    pub(super) title: &'static str,
    /// What could be done about it.
    pub(super) advice: &'static str,
    /// The smallest steps that show it, as JavaScript with a `store`.
    pub(super) steps: &'static str,
    /// The cases that fail for it.
    pub(super) cases: &'static [&'static str],
    /// The stores, by their names in `tests/npm/package.json`; empty if it is true of all stores whose case fails.
    pub(super) stores: &'static [&'static str],
}

pub(super) static FINDINGS: &[Finding] = &[];

impl Finding {
    pub(super) fn explains(&self, store: &str, case: &str) -> bool {
        self.cases.contains(&case) && (self.stores.is_empty() || self.stores.contains(&store))
    }
}

/// The failures without a finding.
pub(super) fn unexplained(columns: &[Column]) -> Vec<String> {
    let mut found = Vec::new();
    for column in columns {
        let store = column.store.name;
        for verdict in column.with_outcome(Outcome::Failed) {
            if !FINDINGS.iter().any(|finding| finding.explains(store, &verdict.case)) {
                found.push(format!("{store}: {}: {}", verdict.case, verdict.reason));
            }
        }
    }
    found
}
