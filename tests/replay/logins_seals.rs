//! The sealed and signed cookies of other logins are replayed without a failure, and a changed recording is not.

use std::{collections::BTreeSet, fs, path::PathBuf};

use cloakroom_tests::{
    json::{Json, Text},
    mutants::changed_members,
    replay::{replay, replay_text},
};

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/logins-seals.json")
}

#[test]
fn logins_seals_hold() {
    let report = replay("logins-seals", &fixture()).unwrap();
    assert_eq!(
        (report.failed(), report.passed(), report.not_applicable()),
        (0, 386, 28),
        "{report:?}"
    );
}

/// What a package answered is compared: another answer of one vector of each kind is noticed.
#[test]
fn a_changed_answer_fails() {
    let file = Json::parse(&fs::read_to_string(fixture()).unwrap()).unwrap();
    let mut kinds = BTreeSet::new();
    for vector in file.get("vectors").unwrap().items() {
        let kind = vector.get("kind").unwrap().text().unwrap();
        // What counts of the others stands in steps, of which most changes are of no consequence.
        let counts = kind.ends_with("verdict") || kind.ends_with("seal") || kind.ends_with("write");
        if !counts || !kinds.insert(kind) {
            continue;
        }
        let changed = changed_members(vector, |name| name == "output" || name == "verdict");
        assert!(!changed.is_empty());
        for changed in changed {
            let text = changed.stringify();
            let one = Json::object(vec![(Text::from("vectors"), Json::Array(vec![changed]))]);
            let report = replay_text("logins-seals", &one.stringify()).unwrap();
            assert_eq!(report.failed(), 1, "{text}");
        }
    }
    assert_eq!(kinds.len(), 7, "{kinds:?}");
}
