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
