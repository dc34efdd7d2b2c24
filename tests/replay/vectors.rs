//! The fixtures are replayed without a failure, and a changed fixture is not.

use std::{fs, path::PathBuf, process::Command};

use cloakroom_tests::{
    json::{Json, Text},
    mutants::{changed, changed_members},
    replay::{Outcome, replay, replay_text, vectors},
};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn load(name: &str) -> Json {
    Json::parse(&fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// The vectors without those that run JavaScript code, or these alone, which needs Node.js.
fn vectors_file(with_code: bool) -> Json {
    let has_code = |row: &&Json| row.get("handler").is_some() == with_code;
    let section =
        |rows: &Json| Json::Array(rows.items().iter().filter(has_code).cloned().collect());
    let members = load("express-vectors.json").members().to_vec();
    let members = members.into_iter().map(|(name, value)| match value {
        rows @ Json::Array(_) => (name, section(&rows)),
        other => (name, other),
    });
    Json::object(members.collect())
}

/// What stands in a vector of each section that express-session or npm's cookie answered.
const ANSWERS: [(&str, &[&str]); 8] = [
    ("sign", &["signed", "cookieValue"]),
    ("unsign", &["result"]),
    ("set_cookie", &["expect"]),
    ("read_cookie", &["expect"]),
    ("parse", &["expect"]),
    ("serialize", &["expect"]),
    ("record", &["expect"]),
    ("genid", &["id"]),
];

#[test]
fn express_vectors_hold() {
    let report = replay_text("vectors", &vectors_file(false).stringify()).unwrap();
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 311, 2));
}

#[test]
#[ignore = "needs Node.js and the npm packages"]
fn express_vectors_with_code_hold() {
    let report = replay_text("vectors", &vectors_file(true).stringify()).unwrap();
    // Names what failed.
    report.print(&mut std::io::stderr()).unwrap();
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 24, 0));
}

/// Records over which Express throws or cannot send a cookie, names with escapes, and code that does other things.
#[test]
#[ignore = "needs Node.js and the npm packages"]
fn more_records_hold() {
    let report = replay("vectors", &fixture("express-records.json")).unwrap();
    let mut printed = Vec::new();
    report.print(&mut printed).unwrap();
    println!("{}", String::from_utf8_lossy(&printed));
    assert_eq!((report.failed(), report.not_applicable()), (0, 0));
    every_changed_answer_fails(&load("express-records.json"), 300);
}

#[test]
fn cookie_json_holds() {
    let report = replay("cookie-json", &fixture("cookie-json.json")).unwrap();
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 2318, 0));
}

#[test]
fn every_changed_answer_of_a_vector_fails() {
    every_changed_answer_fails(&vectors_file(false), 1_000);
}

#[test]
#[ignore = "needs Node.js and the npm packages"]
fn every_changed_answer_of_a_vector_with_code_fails() {
    every_changed_answer_fails(&vectors_file(true), 200);
}

fn every_changed_answer_fails(file: &Json, at_least: usize) {
    let mut mutants = 0;
    for (section, answers) in ANSWERS {
        for row in file.get(section).map_or(&[][..], Json::items) {
            if matches!(vectors::check(section, row), Outcome::NotApplicable(_)) {
                continue;
            }
            for changed in changed_members(row, |name| answers.iter().any(|answer| name == *answer))
            {
                mutants += 1;
                let outcome = vectors::check(section, &changed);
                assert!(
                    matches!(outcome, Outcome::Failed(_)),
                    "{section}: {changed:?} gives {outcome:?}"
                );
            }
        }
    }
    assert!(mutants > at_least, "{mutants}");
}

#[test]
fn every_changed_answer_of_a_cookie_fails() {
    let file = load("cookie-json.json");
    for list in ["rows", "order"] {
        for row in file.get(list).unwrap().items() {
            let Json::Array(pair) = row else { panic!("{row:?}") };
            for answer in changed(&pair[1]) {
                let alone = Json::Array(vec![Json::Array(vec![pair[0].clone(), answer])]);
                let members =
                    file.members().iter().filter(|(name, _)| name != "rows" && name != "order");
                let mut members: Vec<(Text, Json)> = members.cloned().collect();
                members.push((list.into(), alone));
                let report =
                    replay_text("cookie-json", &Json::object(members).stringify()).unwrap();
                assert_eq!(report.failed() + report.not_applicable(), 1, "{row:?}");
                assert_eq!(report.passed(), 0, "{row:?}");
            }
        }
    }
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_replay")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_counts_and_exits_0() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vectors.json");
    fs::write(&file, vectors_file(false).stringify()).unwrap();
    let (code, out, err) = run(&["vectors", file.to_str().unwrap()]);
    assert_eq!((code, &*err), (Some(0), ""));
    assert_eq!(out.lines().last(), Some("311 passed, 0 failed"));
    assert!(out.contains("\n2 not applicable: "), "{out}");
}

#[test]
fn the_command_names_a_failure_and_exits_1() {
    let folder = tempfile::tempdir().unwrap();
    let changed = folder.path().join("changed.json");
    let text = vectors_file(false).stringify();
    fs::write(&changed, text.replace("Path=/t;", "Path=/u;")).unwrap();
    let (code, out, _) = run(&["vectors", changed.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(out.contains("FAILED set_cookie S55: setCookie\n  expected [\"connect.sid="), "{out}");
    assert!(out.contains("Path=/u;") && out.contains("  came     [\"connect.sid="), "{out}");
    assert_eq!(out.lines().last(), Some("310 passed, 1 failed"));
}

#[test]
fn wrong_use_and_unusable_files_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.json");
    fs::write(&empty, "{}").unwrap();
    let cut = folder.path().join("cut.json");
    fs::write(&cut, "{\"sign\":[").unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    for (arguments, message) in [
        (vec![], "usage: replay <kind> <file>"),
        (vec!["vectors".to_owned()], "usage: replay <kind> <file>"),
        (vec!["nonsense".to_owned(), path(&empty)], "unknown kind \"nonsense\""),
        (vec!["vectors".to_owned(), path(&empty)], "holds nothing of this kind"),
        (vec!["vectors".to_owned(), path(&cut)], "is not JSON from byte 9 on"),
        (
            vec!["vectors".to_owned(), path(&folder.path().join("none.json"))],
            "cannot be read: No such file",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, out, err) = run(&arguments);
        assert_eq!((code, &*out), (Some(2), ""), "{arguments:?}");
        assert!(err.contains(message), "{err}");
    }
}
