//! What the npm packages encrypted is replayed without a failure, and a changed fixture is not.

use std::{fs, path::PathBuf};

use cloakroom_tests::{
    json::{Json, Text},
    mutants::{changed, changed_members},
    replay::{Report, replay, replay_text},
};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn load(name: &str) -> Json {
    Json::parse(&fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

fn counts(report: &Report) -> (usize, usize, usize) {
    (report.failed(), report.passed(), report.not_applicable())
}

#[test]
fn kruptein_holds() {
    let report = replay("kruptein", &fixture("kruptein.json")).unwrap();
    assert_eq!(counts(&report), (0, 417, 0));
}

/// From 2.0.8 on, kruptein encrypts the text that it was given.
#[test]
fn kruptein_2_0_8_and_later_hold() {
    let report = replay("kruptein", &fixture("kruptein-2.0.json")).unwrap();
    assert_eq!(counts(&report), (0, 12, 0));
    let file = load("kruptein-2.0.json");
    let rows: Vec<&Json> = file.get("vectors").unwrap().items().iter().collect();
    every_change_fails(
        "kruptein",
        "vectors",
        &rows[..2],
        &["set", "get", "plaintext", "random_calls"],
    );
}

#[test]
#[ignore = "needs mongod"]
fn mongo_crypto_holds() {
    let report = replay("mongo-crypto", &fixture("mongo-crypto.json")).unwrap();
    assert_eq!(counts(&report), (0, 26, 1));
}

/// The sections that need no server, as far as they need none.
fn without_a_server(file: &Json) -> Vec<(&'static str, Json)> {
    let needs = ["reads_plain_object_stringify_false", "both_options"];
    let store = file.get("webcrypto_store").unwrap().members().iter();
    let store = store.filter(|(name, _)| !needs.iter().any(|known| name == *known)).cloned();
    let section = |name: &'static str| (name, file.get(name).unwrap().clone());
    let store = ("webcrypto_store", Json::object(store.collect()));
    vec![section("webcrypto"), section("cm3_crypto"), store]
}

#[test]
fn mongo_crypto_holds_as_far_as_no_server_is_needed() {
    let report = alone("mongo-crypto", without_a_server(&load("mongo-crypto.json")));
    assert_eq!(counts(&report), (0, 20, 0));
}

#[test]
#[ignore = "needs mongod"]
fn every_changed_index_fails() {
    let file = load("mongo-crypto.json");
    for row in file.get("index_conflict").unwrap().items() {
        // An error that no longer is one, or has become one; an index that no longer conflicts, or does so now.
        let text = row.stringify();
        let changes = [
            ("\"code\":85", "\"code\":86"),
            ("\"IndexOptionsConflict\"", ""),
            ("\"set\":[{\"t\":\"null\"}]", "\"set\":[]"),
            ("without background", "expireAfterSeconds 5"),
            ("descending key", "same key"),
            ("no TTL", "without background"),
            ("expireAfterSeconds 60\",\"get", "expireAfterSeconds 0\",\"get"),
        ];
        for (from, to) in changes.into_iter().filter(|(from, _)| text.contains(from)) {
            let changed = Json::parse(&text.replace(from, to)).unwrap();
            let rows = Json::Array(vec![changed]);
            let report = alone("mongo-crypto", vec![("index_conflict", rows)]);
            assert_eq!(counts(&report), (1, 0, 0), "{from} {to} {text}");
        }
    }
}

/// The report on a file of these sections alone.
fn alone(kind: &str, sections: Vec<(&str, Json)>) -> Report {
    let sections = sections.into_iter().map(|(name, value)| (Text::from(name), value));
    replay_text(kind, &Json::object(sections.collect()).stringify()).unwrap()
}

/// Changes the answers of all rows at once, in each way in which the rows can be changed, and each must fail.
fn every_change_fails(kind: &str, section: &str, rows: &[&Json], answers: &[&str]) {
    let changes: Vec<Vec<Json>> = rows
        .iter()
        .map(|row| changed_members(row, |name| answers.iter().any(|answer| name == *answer)))
        .collect();
    let most = changes.iter().map(Vec::len).max().unwrap();
    assert!(most > 1);
    for way in 0..most {
        let rows: Vec<Json> = changes.iter().filter_map(|row| row.get(way).cloned()).collect();
        let (failed, count) = (rows.len(), rows.len());
        let report = alone(kind, vec![(section, Json::Array(rows.clone()))]);
        assert_eq!(counts(&report), (failed, 0, 0), "{count} rows, {rows:?}");
    }
}

fn is(row: &Json, name: &str, value: &str) -> bool {
    row.get(name).and_then(Json::text).as_deref() == Some(value)
}

#[test]
fn every_changed_ciphertext_fails() {
    let file = load("kruptein.json");
    let versions = ["2.0.7", "2.2.3", "3.1.7", "3.4.0"];
    let rows: Vec<&Json> = versions
        .iter()
        .map(|version| {
            let mut rows = file.get("vectors").unwrap().items().iter();
            rows.find(|row| is(row, "version", version)).unwrap()
        })
        .collect();
    every_change_fails("kruptein", "vectors", &rows, &["set"]);
    // What 2.0 read of the text that it had damaged itself is nothing that can be compared.
    every_change_fails("kruptein", "vectors", &rows[1..], &["get", "plaintext", "random_calls"]);
    // Whether the callback of an error is called once more is nothing to us.
    let accepted = |row: &&Json| Json::parse(&row.stringify().replace("\"err\":\"", "\"err\":\"x"));
    let accepted = Json::Array(rows.iter().map(accepted).collect::<Result<_, _>>().unwrap());
    assert_eq!(counts(&alone("kruptein", vec![("vectors", accepted)])), (rows.len(), 0, 0));
}

#[test]
fn every_changed_web_crypto_text_fails() {
    let file = load("mongo-crypto.json");
    let rows = |section| file.get(section).unwrap().items();
    let cheap = |row: &&Json| row.get("options").unwrap().get("iterations").is_some();
    let web: Vec<&Json> = rows("webcrypto").iter().filter(cheap).collect();
    every_change_fails("mongo-crypto", "webcrypto", &web, &["plaintext", "stored", "decrypts_to"]);
    let refused: Vec<&Json> =
        web.into_iter().filter(|row| row.get("wrong_secret").is_some()).collect();
    let changed = |row: &&Json| changed_members(row, |name| name == "wrong_secret").pop().unwrap();
    let rows_refused = Json::Array(refused.iter().map(changed).collect());
    assert_eq!(alone("mongo-crypto", vec![("webcrypto", rows_refused)]).passed(), 0);
    let own: Vec<&Json> = rows("cm3_crypto").iter().collect();
    let answers = ["session", "ciphertext", "stored_field_stringify_true", "get"];
    every_change_fails("mongo-crypto", "cm3_crypto", &own, &answers);
}

#[test]
fn every_changed_answer_of_a_store_fails() {
    let file = load("mongo-crypto.json");
    let rows = file.get("webcrypto").unwrap();
    let first = Json::Array(vec![rows.items()[0].clone()]);
    let (_, store) = without_a_server(&file).pop().unwrap();
    let changed = changed_members(&store, |_| true);
    assert!(changed.len() > 40, "{}", changed.len());
    // Each derives a key several times over, so a few must do.
    for changed in changed.into_iter().step_by(12) {
        let text = changed.stringify();
        let report =
            alone("mongo-crypto", vec![("webcrypto", first.clone()), ("webcrypto_store", changed)]);
        assert!(report.failed() >= 1, "{text}");
    }
}

#[test]
fn every_changed_result_fails() {
    let file = load("kruptein.json");
    let vectors = file.get("vectors").unwrap().items();
    let first = |version| vectors.iter().find(|row| is(row, "version", version)).unwrap().clone();
    let vectors = Json::Array(vec![first("3.1.7"), first("3.0.8")]);
    let with = |section, value| {
        let report = alone("kruptein", vec![("vectors", vectors.clone()), (section, value)]);
        (report.failed(), report.passed() - 2)
    };

    let reader = file.get("cross").unwrap().get("3.1.7").unwrap();
    let cell = |name| (Text::from(name), changed(reader.get(name).unwrap()).pop().unwrap());
    let cells = Json::object(vec![cell("3.1.7"), cell("3.0.8")]);
    assert_eq!(with("cross", Json::object(vec![("3.1.7".into(), cells)])), (2, 0));

    let rows = file.get("complexity").unwrap().items();
    let other = |row: &Json| {
        let [version, secret, result] = row.items() else { panic!("{row:?}") };
        Json::Array(vec![version.clone(), secret.clone(), changed(result).pop().unwrap()])
    };
    let rows = Json::Array(rows.iter().map(other).collect());
    assert_eq!(with("complexity", rows), (24, 0));

    let rows = file.get("tamper").unwrap().items();
    let rows = rows.iter().filter(|row| is(row, "version", "3.1.7") || is(row, "version", "3.4.0"));
    let changed = rows.flat_map(|row| changed_members(row, |name| name == "result"));
    // What was encrypted is given by the answer, so that another one is right as well, if it is JSON.
    let changed = changed.filter(|row| !row.stringify().contains("x\"}"));
    let changed: Vec<Json> = changed.collect();
    assert!(changed.len() > 10);
    assert_eq!(with("tamper", Json::Array(changed.clone())), (changed.len(), 0));
}
