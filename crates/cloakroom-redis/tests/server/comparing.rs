//! Updates on servers that compare the value themselves, by `SET … IFEQ`.

use std::sync::{Arc, Mutex};

use cloakroom_core::{ErrorKind, SessionData, Store, Updated};
use cloakroom_redis::RedisStore;

use crate::{
    atomic,
    fake::{Fake, Then},
};

const RECORD: &str = r#"{"cookie":{},"a":1}"#;

/// A server of this version with one record, which answers `SET` and then `GETEX` like this. It returns the words of
/// all commands after the login.
fn server(
    version: &'static str,
    set: &'static str,
    getex: &'static str,
) -> (Fake, Arc<Mutex<Vec<Vec<String>>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&log);
    let fake = Fake::start(move |_, words| {
        if words[0] == "HELLO" {
            return Then::Answer(version);
        }
        seen.lock().unwrap().push(words.to_vec());
        Then::Answer(match &*words[0] {
            "GET" => "$19\r\n{\"cookie\":{},\"a\":1}\r\n",
            "SET" => set,
            "GETEX" => getex,
            _ => ":1\r\n",
        })
    });
    (fake, log)
}

const VALKEY: &str = "%2\r\n+server\r\n+valkey\r\n+version\r\n+8.1.0\r\n";
const REDIS: &str = "%2\r\n+server\r\n+redis\r\n+version\r\n+8.4.0\r\n";
const OLD: &str = "%2\r\n+server\r\n+redis\r\n+version\r\n+8.2.0\r\n";

async fn update(fake: &Fake) -> Result<Updated, cloakroom_core::Error> {
    let store = RedisStore::open(&fake.url).unwrap();
    let mut read = store.get("x").await.unwrap().unwrap();
    read.insert("a", 2).unwrap();
    atomic(&store).update("x", &read).await
}

#[tokio::test]
async fn such_a_server_compares_the_whole_value_in_one_command() {
    for version in [VALKEY, REDIS] {
        let (fake, log) = server(version, "+OK\r\n", "");
        assert!(matches!(update(&fake).await.unwrap(), Updated::Stored(_)));
        let new = r#"{"cookie":{},"a":2}"#;
        let commands = log.lock().unwrap().split_off(1);
        assert_eq!(commands, [["SET", "sess:x", new, "IFEQ", RECORD, "EX", "86400"]]);
    }
    let (fake, log) = server(OLD, "+OK\r\n", "");
    assert!(matches!(update(&fake).await.unwrap(), Updated::Stored(_)));
    assert_eq!(log.lock().unwrap()[1][0], "EVALSHA");
}

#[tokio::test]
async fn a_value_that_differs_is_asked_for() {
    let (fake, log) = server(VALKEY, "$-1\r\n", "$15\r\n{\"cookie\":null}\r\n");
    let updated = update(&fake).await.unwrap();
    let Updated::Conflict(current) = updated else { panic!("{updated:?}") };
    assert_eq!(current.loaded_json(), r#"{"cookie":null}"#);
    assert_eq!(log.lock().unwrap()[2], ["GETEX", "sess:x"]);
    for gone in ["$-1\r\n", "$0\r\n\r\n", "$9\r\nTOMBSTONE\r\n"] {
        let (fake, _) = server(VALKEY, "$-1\r\n", gone);
        assert!(matches!(update(&fake).await.unwrap(), Updated::Gone), "{gone}");
    }
}

#[tokio::test]
async fn after_a_value_that_differs_nothing_is_unknown() {
    for refusal in ["-READONLY You can't write\r\n", "-LOADING\r\n"] {
        let (fake, _) = server(VALKEY, "$-1\r\n", refusal);
        let error = update(&fake).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(!error.outcome_unknown());
    }
}

#[tokio::test]
async fn a_server_that_has_no_such_option_after_all_runs_the_script() {
    let (fake, log) = server(VALKEY, "-ERR syntax error\r\n", "");
    assert!(matches!(update(&fake).await.unwrap(), Updated::Stored(_)));
    assert_eq!(log.lock().unwrap()[2][0], "EVALSHA");
    let (fake, log) = server(VALKEY, "$-1\r\n", "-ERR unknown command 'GETEX'\r\n");
    assert!(matches!(update(&fake).await.unwrap(), Updated::Stored(_)));
    assert_eq!(log.lock().unwrap()[3][0], "EVALSHA");
    let (fake, _) = server(VALKEY, "-OOM command not allowed\r\n", "");
    assert_eq!(update(&fake).await.unwrap_err().kind(), ErrorKind::Full);
}

#[tokio::test]
async fn a_session_whose_expiry_has_passed_is_deleted_by_the_script() {
    let (fake, log) = server(VALKEY, "+OK\r\n", "");
    let store = RedisStore::open(&fake.url).unwrap();
    let mut read: SessionData = store.get("x").await.unwrap().unwrap();
    read.cookie_mut().set_max_age_ms(Some(-1), 0).unwrap();
    assert!(matches!(atomic(&store).update("x", &read).await.unwrap(), Updated::Stored(_)));
    assert_eq!(log.lock().unwrap()[1][0], "EVALSHA");
}
