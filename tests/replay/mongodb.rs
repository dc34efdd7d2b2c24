//! What connect-mongo stored is replayed without a failure, and what it did not store is not.

use std::{fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use cloakroom_tests::{json::Json, mutants::rewritten, replay::replay_text};

fn fixture() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("mongo.json");
    fs::read_to_string(file).unwrap()
}

#[test]
#[ignore = "needs mongod and the npm packages"]
fn mongo_holds() {
    let report = replay_text("mongo", &fixture()).unwrap();
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 625, 2));
}

/// The fixture with one set and one session of it.
fn alone(set: usize, name: &str, change: impl FnOnce(String) -> String) -> String {
    let file = Json::parse(&fixture()).unwrap();
    let store = &file.get("stores").unwrap().items()[set];
    let text = |name: &str| store.get(name).unwrap().stringify();
    let named = |row: &&Json| row.get("name").and_then(Json::text).as_deref() == Some(name);
    let row = store.get("sessions").unwrap().items().iter().find(named).unwrap();
    format!(
        r#"{{"now_ms":{},"stores":[{{"store":{},"options":{},"sessions":[{}]}}]}}"#,
        file.get("now_ms").unwrap().stringify(),
        text("store"),
        text("options"),
        change(row.stringify()),
    )
}

#[test]
#[ignore = "needs mongod and the npm packages"]
fn a_changed_answer_fails() {
    let changes = [
        (r#""expires_ms":4102448400000"#, r#""expires_ms":4102448400001"#),
        (r#""doc_keys":["_id","expires","session"]"#, r#""doc_keys":["_id","session"]"#),
        (r#""sid":"gold-maxage-1h""#, r#""sid":"gold-maxage-2h""#),
        (
            r#""get_json":"{\"cookie\":{\"originalMaxAge\":3600000"#,
            r#""get_json":"{\"cookie\":{\"originalMaxAge\":3600001"#,
        ),
    ];
    for set in [0, 1] {
        let same = alone(set, "maxage-1h", |row| row);
        assert_eq!(replay_text("mongo", &same).unwrap().failed(), 0);
        for (from, to) in &changes[..if set == 0 { 3 } else { 4 }] {
            let changed = alone(set, "maxage-1h", |row| {
                assert!(row.contains(from), "{from} is not in {row}");
                row.replacen(from, to, 1)
            });
            assert_eq!(replay_text("mongo", &changed).unwrap().failed(), 1, "{to} passed");
        }
    }
}

/// What was stored is held against what was returned, and against the expiry.
#[test]
#[ignore = "needs mongod and the npm packages"]
fn a_changed_document_fails() {
    for (set, from, to) in [
        (1, "originalMaxAge", "originalMaxAgf"),
        (1, "httpOnly", "httpOnlx"),
        (0, "2100-01-01T01:00", "2100-01-01T02:00"),
    ] {
        let changed = alone(set, "maxage-1h", |row| {
            let encoded = Json::parse(&row).unwrap().get("doc_bson_b64").unwrap().text().unwrap();
            let mut bytes = BASE64_STANDARD.decode(&encoded).unwrap();
            let mut windows = bytes.windows(from.len());
            let place = windows.position(|window| window == from.as_bytes()).unwrap();
            bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
            row.replace(&encoded, &BASE64_STANDARD.encode(bytes))
        });
        assert_eq!(replay_text("mongo", &changed).unwrap().failed(), 1, "set {set}: {to} passed");
    }
}

/// A document of other bytes can be read and written again; that it is another session, its code tells.
#[test]
#[ignore = "needs mongod and the npm packages"]
fn a_changed_document_that_is_well_formed_fails() {
    let file = Json::parse(&fixture()).unwrap();
    for (from, to) in
        [("httpOnly\":true", "httpOnly\":null"), ("\u{8}httpOnly\0\u{1}", "\u{8}httpOnly\0\0")]
    {
        let changed = rewritten(&file, "doc_bson_b64", |value| {
            let mut bytes = BASE64_STANDARD.decode(value).unwrap();
            let place = bytes.windows(from.len()).position(|window| window == from.as_bytes())?;
            bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
            Some(BASE64_STANDARD.encode(bytes))
        });
        assert!(changed.count > 70, "{from:?}");
        let report = replay_text("mongo", &changed.json.stringify()).unwrap();
        // Others in the file had the same document, and are not told so again.
        assert!(report.failed() >= changed.count, "{from:?}: {}", report.failed());
    }
}
