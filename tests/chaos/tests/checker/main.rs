//! The checker itself: stores that lose, revive, answer late or from the past are caught, and a correct one is not
//! blamed.
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod broken;
mod histories;
mod simulation;

use std::collections::BTreeSet;

use broken::{Broken, How};
use cloakroom_chaos::check::Kind;
use simulation::simulate;

/// Runs a broken store. Every violation must be of a session to which something was done; returns how many of these there
/// were, and the violations by kind.
///
/// Not every one of them can be seen: some sessions are written over or destroyed before anybody reads them.
fn caught(how: How, operations: usize) -> (usize, Vec<Kind>) {
    let store = Broken::new(how);
    // A call that is dropped does not wait for its answer, so none is late or stuck.
    let drops = !matches!(how, How::AnswersLate(_) | How::NeverAnswers(_));
    let findings = simulate(store.clone(), 7, operations, drops);
    let harmed: BTreeSet<String> = store.harmed();
    for violation in &findings.violations {
        assert!(harmed.contains(&violation.sid), "nothing was done to it: {violation:#?}");
    }
    (harmed.len(), findings.violations.iter().map(|violation| violation.kind).collect())
}

#[test]
fn a_store_that_loses_one_acknowledged_write_in_a_thousand_is_caught() {
    let (lost, caught) = caught(How::LosesWrites(1_000), 60_000);
    assert!(lost > 0 && caught.len() * 3 > lost, "{lost}: {caught:?}");
    assert!(caught.contains(&Kind::LostWrite), "{caught:?}");
}

#[test]
fn a_store_that_revives_is_caught() {
    let (revived, caught) = caught(How::Revives(50), 20_000);
    assert!(revived > 0 && caught.len() * 3 > revived, "{revived}: {caught:?}");
    assert!(caught.contains(&Kind::Revived), "{caught:?}");
}

#[test]
fn a_store_that_answers_late_is_caught() {
    let (late, caught) = caught(How::AnswersLate(1_000), 20_000);
    assert!(late > 0 && caught.len() >= late, "{late}: {caught:?}");
    assert!(caught.iter().all(|kind| *kind == Kind::Late), "{caught:?}");
}

#[test]
fn a_store_that_never_answers_is_caught() {
    let (hung, caught) = caught(How::NeverAnswers(5_000), 10_000);
    assert!(hung > 0 && caught.len() >= hung, "{hung}: {caught:?}");
    assert!(caught.iter().all(|kind| *kind == Kind::Stuck), "{caught:?}");
}

#[test]
fn a_store_that_reads_from_the_past_is_caught() {
    // Many of these reads are the first step of a conditional write, which notices them.
    let (stale, caught) = caught(How::ReadsThePast(50), 20_000);
    assert!(stale > 0 && !caught.is_empty(), "{stale}: {caught:?}");
    assert!(caught.contains(&Kind::StaleRead), "{caught:?}");
}

#[test]
fn a_store_that_does_what_it_refused_is_caught() {
    let (done, caught) = caught(How::DoesWhatItRefuses(500), 20_000);
    assert!(done > 0 && caught.len() * 3 > done, "{done}: {caught:?}");
    assert!(caught.contains(&Kind::FailedHappened), "{caught:?}");
}

/// Every call of this one is right, even where its outcome is unknown.
#[test]
fn a_correct_store_is_not_blamed_in_a_hundred_thousand_operations() {
    for seed in 0..4 {
        let store = Broken::new(How::LosesAnswers(40));
        let findings = simulate(store, seed, 25_000, true);
        assert!(findings.violations.is_empty(), "seed {seed}: {:#?}", findings.violations[0]);
        assert_eq!(findings.undecided, 0, "seed {seed}");
        assert!(findings.sessions > 100, "seed {seed}");
    }
}
