//! What NextAuth 4, Auth.js 5 and their adapters gave is replayed without a failure, and a changed recording is not.

use std::{fs, path::PathBuf};

use cloakroom_tests::{
    json::{Json, Text},
    mutants::{changed, changed_members},
    replay::{Report, replay, replay_text},
};

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("logins-authjs.json")
}

#[test]
fn authjs_logins_hold() {
    let report = replay("logins", &fixture()).unwrap();
    assert_eq!(
        (report.failed(), report.passed(), report.not_applicable()),
        (0, 286, 16),
        "{}",
        text(&report)
    );
}

fn text(report: &Report) -> String {
    let mut printed = Vec::new();
    report.print(&mut printed).unwrap();
    String::from_utf8(printed).unwrap()
}

fn alone(row: Json) -> Report {
    let file = Json::object(vec![(Text::from("vectors"), Json::Array(vec![row]))]);
    replay_text("logins", &file.stringify()).unwrap()
}

/// The members of `output` that are compared as a whole, by the end of the kind.
const COMPARED: [(&str, &[&str]); 9] = [
    ("jwt", &["jwe", "payload_text", "decoded"]),
    ("maxage", &["ok", "value"]),
    ("verdict", &["ok", "value"]),
    ("secret", &["ok", "value"]),
    ("gettoken", &["ok", "value"]),
    ("cookies", &["sessionToken"]),
    ("session", &["body", "body_text", "set_cookies", "reissued_payload", "adapter_calls"]),
    ("lifetime", &["sign_in", "renewal"]),
    ("signin", &["payload_text", "cookie"]),
];

/// The adapters whose rows and keys are tried, by the end of the kind.
const ADAPTERS: [&str; 2] = ["drizzle", "upstash"];

/// Where the compared parts of their answers are; each of several steps counts.
const COMPARED_OF_ADAPTERS: [&[&str]; 4] = [
    &["output", "steps", "stored", "session"],
    &["output", "steps", "returns", "value", "session", "expires"],
    &["output", "steps", "returns", "value", "user", "name"],
    &["output", "first_session_reads"],
];

/// The value with what is at a path changed in turn. An array counts as each of its items.
fn changed_at(value: &Json, path: &[&str]) -> Vec<Json> {
    let Some((first, rest)) = path.split_first() else { return changed(value) };
    match value {
        Json::Array(items) => {
            let of_item = |(at, item): (usize, &Json)| {
                let changed = changed_at(item, path).into_iter();
                changed.map(move |item| (at, item)).collect::<Vec<_>>()
            };
            let changed = items.iter().enumerate().flat_map(of_item);
            let with = |(at, item): (usize, Json)| {
                let mut items = items.clone();
                items[at] = item;
                Json::Array(items)
            };
            changed.map(with).collect()
        }
        _ => value.get(first).map_or_else(Vec::new, |member| {
            let with = |member: Json| {
                let members = value.members().iter().map(|(name, old)| {
                    (name.clone(), if name == *first { member.clone() } else { old.clone() })
                });
                Json::object(members.collect())
            };
            changed_at(member, rest).into_iter().map(with).collect()
        }),
    }
}

/// The row with each compared part of its answer changed in turn.
fn mutants(row: &Json) -> Vec<Json> {
    let kind = row.get("kind").and_then(Json::text).unwrap();
    let kind = kind.split_once('.').unwrap().1;
    let Some(output) = row.get("output") else { return Vec::new() };
    if ADAPTERS.contains(&kind) {
        return COMPARED_OF_ADAPTERS.iter().flat_map(|path| changed_at(row, path)).collect();
    }
    let with = |output: Json| {
        let members = row.members().iter();
        let members = members.map(|(name, old)| {
            (name.clone(), if name == "output" { output.clone() } else { old.clone() })
        });
        Json::object(members.collect())
    };
    let outputs = match COMPARED.iter().find(|(known, _)| *known == kind) {
        Some((_, names)) => changed_members(output, |name| names.iter().any(|one| name == *one)),
        None if kind == "chunk" => changed(output),
        None => changed_members(output, |name| name == "value"),
    };
    let mut mutants: Vec<Json> = outputs.into_iter().map(with).collect();
    if ["maxage", "verdict", "gettoken", "session"].contains(&kind) {
        mutants.extend(changed_members(row, |name| name == "verdict"));
    }
    mutants
}

#[test]
fn every_changed_answer_of_a_login_fails() {
    let file = Json::parse(&fs::read_to_string(fixture()).unwrap()).unwrap();
    let (mut count, mut passed) = (0, Vec::new());
    for row in file.get("vectors").unwrap().items() {
        let report = alone(row.clone());
        // What is better on purpose is compared with a promise of ours, not with the recording.
        if report.passed() == 0 || !text(&report).starts_with("0 better") {
            continue;
        }
        // A number can be so large that one more changes nothing.
        for mutant in mutants(row).into_iter().filter(|mutant| mutant != row) {
            count += 1;
            let shown = mutant.stringify();
            if alone(mutant).failed() != 1 {
                passed.push(shown);
            }
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
    assert!(count > 1_000, "{count}");
}
