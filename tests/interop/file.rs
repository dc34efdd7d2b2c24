//! Sessions that go back and forth between the real session-file-store and `FileStore`, plain and encrypted.

use std::{fs, path::PathBuf, sync::Arc};

use cloakroom::{ExpressSession, SessionData};
use cloakroom_encryption::{Counterpart, EncodeAs, Encryption, Kruptein, KrupteinOptions};
use cloakroom_file::FileStore;
use cloakroom_test_backends::RawFiles;
use cloakroom_test_support::NodeProgram;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cases::{self, CASES, EXPIRY, NodeTouch, Sides, loaded};

const SECRET: &str = "S3cre+_Squ1rr3l";

fn kruptein() -> Kruptein {
    let mut options = KrupteinOptions::of(Counterpart::ConnectMongo4 { stringify: true });
    options.use_scrypt = true;
    options.encode_as = EncodeAs::Binary;
    Kruptein::new(SECRET, options).unwrap()
}

/// Both sides in one folder, with these options of session-file-store.
fn start(options: &Value, query: &str) -> (Sides, PathBuf) {
    let guard = tempfile::tempdir().unwrap();
    let folder = guard.path().join("sessions");
    let url = format!("file://{}", folder.display());
    let options = options.to_string();
    let arguments = ["--store", "file-1", "--url", &url, "--options", &options];
    let mut raw = RawFiles::new(&folder);
    if query.contains("secret") {
        let kruptein = Arc::new(kruptein());
        let encrypts = Arc::clone(&kruptein);
        raw = raw.with_encryption(
            move |text| Ok(encrypts.encrypt(text)?),
            move |text| Ok(kruptein.decrypt(text)?),
        );
    }
    let sides = Sides {
        label: format!("session-file-store 1.5{query}"),
        node: NodeProgram::start("store.mjs", &arguments, &[]).unwrap(),
        rust: ExpressSession::new(FileStore::open(&format!("{url}{query}")).unwrap()),
        backend: Box::new(raw),
        _servers: Box::<TempDir>::new(guard),
        node_touch: NodeTouch::Rewrites,
    };
    (sides, folder)
}

fn plain() -> (Sides, PathBuf) {
    start(&json!({}), "")
}

#[test]
#[ignore = "needs the npm packages"]
fn sessions_go_back_and_forth() {
    cases::sessions_go_back_and_forth(plain().0);
}

/// Without the random sessions: both sides derive a key with scrypt for each record of the other.
mod encrypted {
    use super::*;

    fn encrypted() -> (Sides, PathBuf) {
        start(&json!({ "secret": SECRET }), "?secret=S3cre%2B_Squ1rr3l")
    }

    #[test]
    #[ignore = "needs the npm packages"]
    fn sessions_go_back_and_forth() {
        let (mut sides, _) = encrypted();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        cases::go_back_and_forth(&runtime, &mut sides, CASES);
        cases::go_back_and_forth(&runtime, &mut sides, EXPIRY);
    }

    #[tokio::test]
    #[ignore = "needs the npm packages"]
    async fn a_record_of_another_secret_ends_node_and_is_corrupt_in_rust() {
        let (mut sides, folder) = encrypted();
        let other = json!({ "secret": "0ther+_Squ1rr3l" });
        let (mut others, theirs) = start(&other, "?secret=0ther%2B_Squ1rr3l");
        others.node_set("a", r#"{"user":"ann"}"#, json!({}));
        fs::copy(theirs.join("a.json"), folder.join("a.json")).unwrap();
        let error = sides.rust.get("a").await.unwrap_err();
        assert_eq!(error.kind(), cloakroom::ErrorKind::Corrupt);
        let answer = sides.node.call::<Value>(json!({ "op": "get", "sid": "a" }));
        let error = answer.expect_err("session-file-store has learned to call back");
        assert!(error.to_string().contains("has ended"), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs the npm packages"]
async fn both_sides_list_the_same_files() {
    let (mut sides, folder) = plain();
    for number in 0..20 {
        sides.node_set(&format!("node{number}"), "{}", json!({}));
        sides.rust.set(&format!("rust{number}"), &SessionData::new()).await.unwrap();
    }
    assert_eq!(sides.rust.length().await.unwrap(), 40);
    // It sees neither the locks nor the records that are not in their place yet.
    let listed = sides.ask(json!({ "op": "ids" }))["value"].clone();
    let listed: Vec<String> = serde_json::from_str(listed.as_str().unwrap()).unwrap();
    assert_eq!(listed.len(), 40, "{listed:?}");
    assert_eq!(sides.ask(json!({ "op": "length" }))["value"], "40");
    sides.rust.clear().await.unwrap();
    assert_eq!(sides.ask(json!({ "op": "length" }))["value"], "0");
    assert!(folder.join(".cloakroom").exists());
}

#[tokio::test]
#[ignore = "needs the npm packages"]
async fn node_reads_and_writes_outside_of_the_folder_and_rust_refuses() {
    let (mut sides, folder) = plain();
    let outside = folder.parent().unwrap().join("x.json");
    sides.node_set("../x", r#"{"by":"node"}"#, json!({}));
    assert!(outside.exists(), "session-file-store has learned to stay inside");
    let error = sides.rust.get("../x").await.unwrap_err();
    assert_eq!(error.kind(), cloakroom::ErrorKind::InvalidId);
    assert!(sides.rust.destroy("../x").await.is_err());
    assert!(outside.exists());
}

#[tokio::test]
#[ignore = "needs the npm packages"]
async fn a_broken_file_is_deleted_by_node_and_kept_by_rust() {
    let (mut sides, folder) = plain();
    let path = folder.join("a.json");
    fs::write(&path, r#"{"cookie":{},"half"#).unwrap();
    assert!(sides.rust.get("a").await.is_err() && path.exists());
    let answer: Value = sides.node.call(json!({ "op": "get", "sid": "a" })).unwrap();
    assert!(answer.get("error").is_some(), "{answer}");
    assert!(!path.exists(), "session-file-store has learned to keep it");
}

#[tokio::test]
#[ignore = "needs the npm packages"]
async fn a_touch_of_an_expired_session_empties_it_in_node_and_is_missing_in_rust() {
    let (mut sides, folder) = plain();
    let path = folder.join("a.json");
    let expired = r#"{"cookie":{"originalMaxAge":null},"user":"ann","__lastAccess":1}"#;
    fs::write(&path, expired).unwrap();
    let session = SessionData::new();
    let touched = sides.rust.touch("a", &session).await.unwrap();
    assert_eq!(touched, cloakroom::Touched::Missing);
    assert_eq!(fs::read_to_string(&path).unwrap(), expired);
    sides.ask(json!({ "op": "touch", "sid": "a", "session": "{}", "cookie": {} }));
    let revived = loaded(&sides.rust, "a").await;
    assert!(!revived.contains("user"), "session-file-store has learned to let it end");
}

#[tokio::test]
#[ignore = "needs the npm packages"]
async fn a_cookie_with_a_date_alone_ends_in_node_when_rust_says() {
    let (mut sides, folder) = plain();
    let now_ms = sides.rust.options().clock.now_ms();
    let mut session = SessionData::new();
    session.cookie_mut().set_expires_ms(Some(now_ms + 86_400_000), now_ms).unwrap();
    let text =
        session.to_json().replace(r#""originalMaxAge":86400000"#, r#""originalMaxAge":null"#);
    let session = SessionData::from_json(text).unwrap();
    sides.rust.set("a", &session).await.unwrap();
    assert!(sides.node_get("a").is_some());
    assert!(sides.lives_ms("a").await > 86_300_000);
    // What node gives to the same cookie is its `ttl`, an hour.
    sides.node_set("b", &session.to_json(), Value::Null);
    assert!(sides.lives_ms("b").await <= 3_600_000, "session-file-store has learned of expires");
    assert!(folder.join("a.json").exists());
}
