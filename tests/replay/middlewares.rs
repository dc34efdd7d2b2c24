//! What the middlewares of Express left in a session.

use std::{fs, path::PathBuf};

use cloakroom_tests::{
    json::Json,
    mutants::changed,
    replay::{Report, replay_text},
};

const KIND: &str = "express-middlewares";

fn load() -> Json {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/express-middlewares.json");
    Json::parse(&fs::read_to_string(path).unwrap()).unwrap()
}

fn of(vectors: Vec<Json>) -> Report {
    let file = Json::object(vec![("vectors".into(), Json::Array(vectors))]);
    replay_text(KIND, &file.stringify()).unwrap()
}

#[test]
fn express_middlewares_hold() {
    let report = replay_text(KIND, &load().stringify()).unwrap();
    let mut printed = Vec::new();
    report.print(&mut printed).unwrap();
    println!("{}", String::from_utf8_lossy(&printed));
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 222, 4));
}

/// The answers on which the verdict depends. A login and a logout show theirs by what is stored.
const ANSWERS: &[&str] =
    &["isAuthenticated", "verify", "value", "package_accepts", "returned", "auth", "token"];

/// The value with each of the answers in it changed in turn.
fn with_other_answers(value: &Json) -> Vec<Json> {
    let is_other_step = |request: &Json| !request.text().unwrap().starts_with("GET /me");
    if value.get("request").is_some_and(is_other_step) {
        return Vec::new();
    }
    let mut all = Vec::new();
    for (place, item) in value.items().iter().enumerate() {
        all.extend(with_other_answers(item).into_iter().map(|item| {
            let mut items = value.items().to_vec();
            items[place] = item;
            Json::Array(items)
        }));
    }
    for (place, (name, member)) in value.members().iter().enumerate() {
        let others = if ANSWERS.iter().any(|answer| name == *answer) && *member != Json::Null {
            changed(member)
        } else {
            with_other_answers(member)
        };
        all.extend(others.into_iter().map(|other| {
            let mut members = value.members().to_vec();
            members[place].1 = other;
            Json::object(members)
        }));
    }
    all
}

#[test]
fn every_changed_answer_of_a_middleware_fails() {
    let mut mutants = 0;
    for vector in load().get("vectors").unwrap().items() {
        let mut printed = Vec::new();
        let report = of(vec![vector.clone()]);
        report.print(&mut printed).unwrap();
        // Where Rust does better, its own promise decides, and not the answer.
        if report.passed() == 0 || !printed.starts_with(b"0 better") {
            continue;
        }
        for output in with_other_answers(vector.get("output").unwrap()) {
            let members = vector.members().iter().cloned();
            let changed = members.map(|(name, old)| {
                let value = if name == *"output" { output.clone() } else { old };
                (name, value)
            });
            let changed = Json::object(changed.collect());
            let text = changed.stringify();
            assert_eq!(of(vec![changed]).failed(), 1, "{text}");
            mutants += 1;
        }
    }
    assert!(mutants > 150, "{mutants}");
}
