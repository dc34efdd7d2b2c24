//! The life cycle of express-session is replayed without a failure, and a changed recording is not.

use std::{fs, path::PathBuf};

use cloakroom_tests::{
    json::Json,
    mutants::changed_members,
    replay::{
        Outcome,
        lifecycle::{Bench, compare},
        replay,
    },
};

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/express-lifecycle.json")
}

#[test]
fn express_lifecycle_holds() {
    let report = replay("lifecycle", &fixture()).unwrap();
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 2_686, 0));
}

/// The session of a middleware that is not ours is beyond what a request of actix-web holds.
#[test]
fn express_lifecycle_holds_in_actix_web() {
    let file = Json::parse(&fs::read_to_string(fixture()).unwrap()).unwrap();
    let mut bench = Bench::start_actix_web(&file).unwrap();
    let (mut passed, mut left_out) = (0, 0);
    for case in file.get("cases").unwrap().items() {
        if case.get("state").and_then(Json::text).as_deref() == Some("session_exists") {
            left_out += 1;
            continue;
        }
        let outcome = bench.check(case);
        assert_eq!(outcome, Outcome::Passed, "{}", case.stringify());
        passed += 1;
    }
    assert_eq!((passed + left_out, left_out > 0), (2_686, true));
    println!("{passed} passed, {left_out} left out");
}

#[test]
fn every_changed_answer_of_the_life_cycle_fails() {
    let answers = ["seen", "events", "calls", "status", "setCookie", "body", "nextErrors"];
    let file = Json::parse(&fs::read_to_string(fixture()).unwrap()).unwrap();
    let mut bench = Bench::start(&file).unwrap();
    let mut mutants = 0;
    // The cases differ by options; one in nine has every state, action and failure many times over.
    for case in file.get("cases").unwrap().items().iter().step_by(9) {
        let observed = bench.observe(case).unwrap();
        assert_eq!(compare(case, &observed), Outcome::Passed);
        for changed in changed_members(case, |name| answers.iter().any(|answer| name == *answer)) {
            mutants += 1;
            let outcome = compare(&changed, &observed);
            assert!(matches!(outcome, Outcome::Failed(_)), "{changed:?} gives {outcome:?}");
        }
    }
    assert!(mutants > 5_000, "{mutants}");
}
