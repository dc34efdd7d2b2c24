//! What connect-redis stored is replayed without a failure, and what it did not store is not.

use std::{fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use cloakroom_tests::{json::Json, mutants::rewritten, replay::replay_text};

fn fixture() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("redis.json");
    fs::read_to_string(file).unwrap()
}

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn redis_holds() {
    let report = replay_text("redis", &fixture()).unwrap();
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 343, 5));
}

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn a_changed_answer_fails() {
    let text = Json::parse(&fixture()).unwrap().stringify();
    let changes = [
        // The time to live of one version.
        (r#""ttl_sent":3600,"#, r#""ttl_sent":3601,"#),
        // A key that another prefix would give.
        (r#""key":"sess:gold-empty""#, r#""key":"sess2:gold-empty""#),
        // A record that nobody can have written.
        (r#""value_b64":"eyJ"#, r#""value_b64":"fyJ"#),
    ];
    for (from, to) in changes {
        let changed = text.replacen(from, to, 1);
        assert!(changed != text, "{from} is not in the fixture");
        let report = replay_text("redis", &changed).unwrap();
        assert!(report.failed() >= 1, "{to} passed");
    }
}

/// A record of other bytes can be read and written again; that it is another session, its code tells.
#[test]
#[ignore = "needs redis-server and the npm packages"]
fn a_changed_record_that_is_well_formed_fails() {
    let file = Json::parse(&fixture()).unwrap();
    for (from, to) in
        [(r#""path":"/""#, r#""path":"x""#), ("true", "null"), ("2100-01-01", "2100-01-02")]
    {
        let changed = rewritten(&file, "value_b64", |value| {
            let text = String::from_utf8(BASE64_STANDARD.decode(value).unwrap()).unwrap();
            text.contains(from).then(|| BASE64_STANDARD.encode(text.replacen(from, to, 1)))
        });
        assert!(changed.count > 20, "{from}");
        let report = replay_text("redis", &changed.json.stringify()).unwrap();
        // Each of the four versions stored it.
        assert!(report.failed() >= 4 * changed.count - 4, "{from}: {}", report.failed());
    }
}

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn other_options_and_versions_hold() {
    let row = |js: &str, command: &str, ttl: &str, text: &str| {
        let value = BASE64_STANDARD.encode(text);
        format!(
            r#"{{"name":"x","sid":"x","key":"app:x","js":"{js}","set":{{"err":null}},"command":["{command}"],"ttl_sent":{ttl},"stored":true,"value_b64":"{value}"}}"#
        )
    };
    let browser = r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"a":"\\ud800","\ud800":1}"#.replace("\\\\", "\\");
    let js = r"(s) => ({ cookie: new s.Cookie(), a: '\\ud800', '\ud800': 1 })";
    let file = |store: &str, options: &str, row: &str| {
        format!(
            r#"{{"now_ms":4102444800000,"stores":[{{"store":"connect-redis {store}","prefix":"app:"{options},"sessions":[{row}]}}]}}"#
        )
    };
    let set = |seconds: &str| format!("SET app:x <value> EX {seconds}");
    for (text, failed) in [
        (file("8.1.0", r#","ttl":60"#, &row(js, &set("60"), "60", &browser)), 0),
        (file("8.1.0", r#","options":{"ttl":60}"#, &row(js, &set("61"), "61", &browser)), 1),
        (
            file(
                "4.0.4",
                r#","ttl":"60""#,
                &row(js, &set("60").to_lowercase().replace("ex", "EX"), "60", &browser),
            ),
            0,
        ),
        (
            file("9.0.0", r#","disableTTL":true"#, &row(js, "SET app:x <value>", "null", &browser)),
            0,
        ),
        (file("9.0.0", "", &row(js, "SET app:x <value>", "null", &browser)), 1),
        (file("9.0.0", r#","unknown":true"#, &row(js, &set("86400"), "86400", &browser)), 1),
    ] {
        assert_eq!(replay_text("redis", &text).unwrap().failed(), failed, "{text}");
    }
}
