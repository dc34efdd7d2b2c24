//! What connect-redis stored is replayed without a failure, and what it did not store is not.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{fs, path::PathBuf};

use cloakroom_tests::{json::Json, replay::replay_text};

fn fixture() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("redis.json");
    fs::read_to_string(file).unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn redis_holds() {
    let report = replay_text("redis", &fixture()).unwrap();
    assert_eq!((report.failed(), report.passed(), report.not_applicable()), (0, 312, 36));
}

#[test]
#[ignore = "needs redis-server"]
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
