//! What session-file-store stored is replayed without a failure, and a changed recording is not.

use std::{fs, path::PathBuf};

use cloakroom_tests::{
    json::{Json, Text},
    replay::{Report, replay_text},
};

fn fixture(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    fs::read_to_string(file).unwrap()
}

fn counts(report: &Report) -> (usize, usize, usize) {
    (report.failed(), report.passed(), report.not_applicable())
}

#[test]
#[ignore = "needs the npm packages"]
fn file_holds() {
    let report = replay_text("file", &fixture("file.json")).unwrap();
    assert_eq!(counts(&report), (0, 79, 2));
}

/// What session-file-store 1.5.0 encrypted with the option `secret`.
#[test]
#[ignore = "needs the npm packages"]
fn encrypted_files_hold() {
    let encrypted = fixture("file-encrypted.json");
    assert_eq!(counts(&replay_text("file", &encrypted).unwrap()), (0, 7, 0));
    let changed = encrypted.replace("S3cre+_Squ1rr3l", "0ther+_Squ1rr3l");
    assert_eq!(counts(&replay_text("file", &changed).unwrap()), (7, 0, 0));
}

/// The fixture with these members of the store, and the rows that are left after a change.
fn with(options: &str, change: impl Fn(&str, &str) -> Option<String>) -> Report {
    let file = Json::parse(&fixture("file.json")).unwrap();
    let store = &file.get("stores").unwrap().items()[0];
    let rows = store.get("sessions").unwrap().items().iter().filter_map(|row| {
        let name = row.get("name").unwrap().text().unwrap();
        Some(Json::parse(&change(&name, &row.stringify())?).unwrap())
    });
    let store = [
        (Text::from("store"), store.get("store").unwrap().clone()),
        (Text::from("options"), Json::parse(options).unwrap()),
        (Text::from("sessions"), Json::Array(rows.collect())),
    ];
    let file = [
        (Text::from("now_ms"), file.get("now_ms").unwrap().clone()),
        (Text::from("stores"), Json::Array(vec![Json::object(store.to_vec())])),
    ];
    replay_text("file", &Json::object(file.to_vec()).stringify()).unwrap()
}

#[test]
#[ignore = "needs the npm packages"]
fn every_changed_answer_fails() {
    for (name, from, to) in [
        ("maxage-1h", r#"\"httpOnly\":true"#, r#"\"httpOnly\":false"#),
        ("maxage-1h", r#"\"originalMaxAge\":3600000"#, r#"\"originalMaxAge\":3600001"#),
        ("maxage-1h", r#"\"__lastAccess\":"#, r#"\"__lastAccess\": "#),
        ("maxage-1h", "1795422625389}", "1795422625389"),
        ("counter", r#"\"views\":1"#, r#"\"views\":2"#),
        ("unicode", "emoji key", "another key"),
        (
            "store-field-names",
            r#"\"__lastAccess\":1795422625481,\"sess\":1"#,
            r#"\"sess\":1,\"__lastAccess\":1795422625481"#,
        ),
        ("tojson-session", r#"\"shown\":2"#, r#"\"shown\":3"#),
        ("circular", "Converting circular", "Converting a circular"),
        ("bigint", r#""raw":null"#, r#""raw":"{}""#),
        ("null-session", "of null", "of undefined"),
        ("maxage-1h", r#""err":null"#, r#""err":"ENOENT""#),
        ("maxage-1h", r#""name":"maxage-1h""#, r#""name":"../maxage-1h""#),
    ] {
        let report = with("{}", |known, row| {
            if known != name {
                return None;
            }
            assert!(row.contains(from), "{from} is not in {row}");
            Some(row.replacen(from, to, 1))
        });
        assert_eq!(report.failed(), 1, "{name}: {to} passed");
    }
}

/// The time to live of session-file-store is counted from the time in the file, whatever its value.
#[test]
#[ignore = "needs the npm packages"]
fn other_options_hold() {
    let some = |names: &'static [&str]| {
        move |name: &str, row: &str| names.contains(&name).then(|| row.to_owned())
    };
    let names = &["empty", "maxage-1h", "ttl-0ms", "plain-cookie-expires-number", "no-cookie"];
    let report = with(r#"{"ttl":86400,"fileExtension":".session","retries":0}"#, some(names));
    assert_eq!(counts(&report), (0, 5, 0));
    let report = with(r#"{"encoder":"x"}"#, some(names));
    assert_eq!(counts(&report), (1, 0, 0));
}
