//! Sessions that go back and forth between the real connect-redis and `RedisStore`, in one Redis.

use std::collections::BTreeSet;

use cloakroom::{SessionData, open};
use cloakroom_test_backends::RawRedis;
use cloakroom_test_support::{NodeProgram, RedisServer};
use futures::TryStreamExt;
use serde_json::{Value, json};

use crate::cases::{self, NodeTouch, Sides};

/// The versions of connect-redis, each with the client that it was made for.
const VERSIONS: [&str; 3] = ["6", "7", "10"];

/// A server, and connect-redis on it.
fn start(version: &str) -> (RedisServer, NodeProgram) {
    let server = RedisServer::start().unwrap();
    let arguments = ["--store", &format!("redis-{version}"), "--url", &server.url()];
    let node = NodeProgram::start("store.mjs", &arguments, &[]).unwrap();
    (server, node)
}

fn all_versions() -> impl Iterator<Item = Sides> {
    VERSIONS.into_iter().map(|version| {
        let (server, node) = start(version);
        Sides {
            label: format!("connect-redis {version}"),
            node,
            rust: open(&server.url()).unwrap(),
            backend: Box::new(RawRedis::new(server.addr(), "sess:")),
            _servers: Box::new(server),
            node_touch: NodeTouch::Moves,
        }
    })
}

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn sessions_go_back_and_forth() {
    all_versions().for_each(cases::sessions_go_back_and_forth);
}

/// connect-redis deletes it, which logs a user out over a date.
#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn a_session_whose_expires_is_not_a_date_is_kept_for_a_day() {
    for mut sides in all_versions() {
        let text = r#"{"cookie":{"expires":"garbage"},"user":"ann"}"#;
        let session = SessionData::from_json(text).unwrap();
        for step in 0..2 {
            sides.rust.set("a", &session).await.unwrap();
            assert_eq!(sides.record("a").await, text, "{}", sides.label);
            let lives_ms = sides.lives_ms("a").await;
            assert!((80_000_000..=86_400_000).contains(&lives_ms), "{}: {lives_ms}", sides.label);
            assert!(sides.rust.get("a").await.unwrap().is_some());
            if step == 0 {
                let answer = sides.ask(json!({ "op": "set", "sid": "a", "session": text }));
                assert_eq!(answer, json!({}), "{}", sides.label);
                assert_eq!(
                    sides.backend.record("a").await.unwrap(),
                    None,
                    "{} has learned to keep it",
                    sides.label
                );
            }
        }
        // One that was read is kept, too.
        let change = |session: &mut SessionData| session.insert("views", 1);
        assert!(sides.rust.modify("a", change).await.unwrap().is_some());
        assert!(sides.lives_ms("a").await > 80_000_000, "{}", sides.label);
    }
}

#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn both_sides_list_the_same_sessions() {
    for mut sides in all_versions() {
        for number in 0..30 {
            let session = json!({ "n": number }).to_string();
            sides.node_set(&format!("node{number}"), &session, json!({}));
            sides.rust.set(&format!("rust{number}"), &SessionData::new()).await.unwrap();
        }
        let mut ours: Vec<String> = sides.rust.ids().try_collect().await.unwrap();
        let text = sides.ask(json!({ "op": "ids" }))["value"].as_str().unwrap().to_owned();
        let mut theirs: Vec<String> = serde_json::from_str(&text).unwrap();
        ours.sort();
        ours.dedup();
        theirs.sort();
        assert_eq!(ours, theirs, "{}", sides.label);
        assert_eq!(sides.rust.length().await.unwrap(), 60);
        sides.rust.clear().await.unwrap();
        let empty = json!({ "value": "0" });
        assert_eq!(sides.ask(json!({ "op": "length" })), empty, "{}", sides.label);
    }
}

/// Express writes the same keys and knows nothing of the lists, which it must neither see nor suffer from.
#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn what_express_writes_is_missing_from_the_lists_until_they_are_filled() {
    for label in VERSIONS {
        let (server, mut node) = start(label);
        let mut ask = |request: Value| -> Value {
            let answer: Value = node.call(request).unwrap();
            assert_eq!(answer.get("error"), None, "{label}");
            answer
        };
        let rust = open(&format!("{}?userPath=passport.user", server.url())).unwrap();
        let of_user = |user: &str| format!(r#"{{"cookie":{{}},"passport":{{"user":"{user}"}}}}"#);
        let session = |user: &str| SessionData::from_json(of_user(user)).unwrap();
        for (sid, user) in [
            ("here", "ann"),
            ("visited", "ann"),
            ("changes", "ann"),
            ("ends", "ann"),
            ("comes", "bob"),
        ] {
            rust.set(sid, &session(user)).await.unwrap();
        }
        for (sid, user) in [("there", "ann"), ("changes", "bob"), ("comes", "ann")] {
            ask(json!({ "op": "set", "sid": sid, "session": of_user(user) }));
        }
        ask(json!({ "op": "touch", "sid": "visited", "session": of_user("ann") }));
        ask(json!({ "op": "destroy", "sid": "ends" }));

        let ids = async |known: bool| -> BTreeSet<String> {
            let listed = if known { rust.of_known("ann") } else { rust.of("ann") };
            listed.map_ok(|listed| listed.id).try_collect().await.unwrap()
        };
        let set = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<BTreeSet<_>>();
        let whole = set(&["here", "visited", "there", "comes"]);
        assert_eq!(ids(false).await, whole, "{label}");
        assert_eq!(ids(true).await, set(&["here", "visited"]), "{label}: and nothing of bob's");
        rust.index_users().await.unwrap();
        assert_eq!(ids(true).await, whole, "{label}: now they are filled");

        // The npm package lists and counts sessions only.
        let mut theirs: Vec<String> =
            serde_json::from_str(ask(json!({ "op": "ids" }))["value"].as_str().unwrap()).unwrap();
        theirs.sort();
        assert_eq!(theirs, ["changes", "comes", "here", "there", "visited"], "{label}");
        assert_eq!(ask(json!({ "op": "length" }))["value"], "5", "{label}");

        ask(json!({ "op": "set", "sid": "new", "session": of_user("ann") }));
        assert_eq!(rust.end_all_known("ann", Some("here")).await.unwrap(), 3, "{label}");
        assert_eq!(ids(false).await, set(&["here", "new"]), "{label}: Express has written another");
        assert_eq!(rust.end_all("ann", Some("here")).await.unwrap(), 1, "{label}");
        assert_eq!(ids(false).await, set(&["here"]), "{label}");
        assert!(rust.get("changes").await.unwrap().is_some(), "{label}: bob is still there");
        ask(json!({ "op": "clear" }));
        assert_eq!(ids(true).await, set(&[]), "{label}");
    }
}
