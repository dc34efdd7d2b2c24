//! Each case catches a store that breaks its promise, and no other case does.
//!
//! The tests are made of the suite's own list, so a case without a defect cannot be forgotten: nothing would catch it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod atomic;
mod broken;
mod find;
mod foreign;
mod listing;
mod races;
mod remote;
mod store;
mod text;

use std::collections::BTreeSet;

use cloakroom_conformance::{Outcome, run};
use futures::executor::block_on;

use crate::broken::subject;

/// Cases that fail along with others.
const ALONG: [(&str, &str); 3] = [
    (
        "sequences_match_a_model",
        "it repeats what the cases of the four plain operations and of touch test",
    ),
    (
        "conditional_sequences_match_a_model",
        "it repeats what those and the cases of conditional writes test",
    ),
    (
        "a_clear_that_breaks_off_may_have_happened",
        "it begins with a clear, of a store that is empty",
    ),
];

fn is_caught_by_its_case_alone(name: &'static str) {
    let report = block_on(run(move || subject(name)));
    let failed: BTreeSet<&str> =
        report.with_outcome(Outcome::Failed).map(|case| case.name).collect();
    assert!(failed.contains(name), "no defect of this name, or one that nothing catches");
    let others: Vec<_> = report
        .with_outcome(Outcome::Failed)
        .filter(|case| case.name != name && ALONG.iter().all(|(along, _)| *along != case.name))
        .map(|case| (case.name, case.reason.as_deref()))
        .collect();
    assert!(others.is_empty(), "also caught by {others:#?}");
    assert_eq!(report.with_outcome(Outcome::NotOffered).count(), 0);
}

macro_rules! defects {
    ({ $($group:ident { $($case:ident $needs:tt $promise:literal)* })* }) => {
        $($(
            #[test]
            fn $case() {
                is_caught_by_its_case_alone(stringify!($case));
            }
        )*)*
    };
}

cloakroom_conformance::__cases! { defects, }

#[test]
fn without_a_defect_all_cases_pass() {
    let report = block_on(run(|| subject("none")));
    assert_eq!(report.with_outcome(Outcome::Passed).count(), report.cases.len(), "{report}");
}
