//! Sessions that go back and forth between the real connect-redis and `RedisStore`, in one Redis.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::time::{Duration, Instant};

use cloakroom::{ExpressSession, Session, Touched, open};
use cloakroom_test_support::{NodeProgram, RedisServer};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use redis::{Commands, Connection};
use serde_json::{Value, json};

/// The versions of connect-redis, each with the client that it was made for.
const VERSIONS: [&str; 3] = ["6", "7", "10"];

/// One Redis with both sides on it, and a plain client to look at the bytes.
struct Sides {
    node: NodeProgram,
    rust: ExpressSession,
    raw: Connection,
    _server: RedisServer,
}

impl Sides {
    fn start(version: &str) -> Self {
        let server = RedisServer::start().unwrap();
        let node =
            NodeProgram::start("store.mjs", &["--store", version, "--url", &server.url()], &[])
                .unwrap();
        let raw = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        Self { node, rust: open(&server.url()).unwrap(), raw, _server: server }
    }

    fn ask(&mut self, request: Value) -> Value {
        let answer: Value = self.node.call(request).unwrap();
        assert_eq!(answer.get("error"), None, "connect-redis called back with an error");
        answer
    }

    fn node_set(&mut self, sid: &str, session: &str, cookie: Value) {
        self.ask(json!({ "op": "set", "sid": sid, "session": session, "cookie": cookie }));
    }

    /// What `JSON.stringify` prints of the session that connect-redis found.
    fn node_get(&mut self, sid: &str) -> Option<String> {
        self.ask(json!({ "op": "get", "sid": sid }))["value"].as_str().map(str::to_owned)
    }

    fn bytes(&mut self, sid: &str) -> String {
        self.raw.get(format!("sess:{sid}")).unwrap()
    }

    fn lives_ms(&mut self, sid: &str) -> i64 {
        self.raw.pttl(format!("sess:{sid}")).unwrap()
    }
}

async fn loaded(rust: &ExpressSession, sid: &str) -> Session {
    rust.get(sid).await.unwrap().expect("the session is there")
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn what_node_writes_rust_reads() {
    for version in VERSIONS {
        let mut sides = Sides::start(version);
        sides.node_set(
            "a",
            r#"{"user":{"name":"Zoë","roles":["admin"]},"n":1e21,"half":"\ud83d"}"#,
            json!({ "maxAge": 3_600_000 }),
        );
        let session = loaded(&sides.rust, "a").await;
        assert_eq!(session.loaded_json(), sides.bytes("a"), "{version}");
        assert_eq!(
            session.get::<Value>("user").unwrap().unwrap(),
            json!({ "name": "Zoë", "roles": ["admin"] })
        );
        assert_eq!(session.get::<f64>("n").unwrap(), Some(1e21));
        assert_eq!(session.get_json("half"), Some(r#""\ud83d""#));
        assert_eq!(session.cookie().original_max_age_ms(), Some(3_600_000));
        assert_eq!(sides.rust.get("b").await.unwrap(), None);
    }
}

#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn what_rust_writes_node_reads() {
    for version in VERSIONS {
        let mut sides = Sides::start(version);
        let mut session = Session::new();
        let now_ms = sides.rust.options().clock.now_ms();
        session.cookie_mut().set_max_age(Some(HOUR), now_ms).unwrap();
        session.insert("user", json!({ "name": "Zoë" })).unwrap();
        session.insert("price", 1e-7).unwrap();
        session.insert("count", 1.0).unwrap();
        sides.rust.set("a", &session).await.unwrap();
        let text = session.to_json().into_owned();
        assert!(text.ends_with(r#""user":{"name":"Zoë"},"price":1e-7,"count":1}"#), "{text}");
        assert_eq!(
            sides.node_get("a").as_deref(),
            Some(&*text),
            "{version}: Node.js prints it as we wrote it"
        );

        let started = Instant::now();
        sides.rust.set("b", &session).await.unwrap();
        sides.node_set("c", "{}", json!({ "maxAge": 3_600_000 }));
        let (ours, theirs) = (sides.lives_ms("b"), sides.lives_ms("c"));
        let apart = i64::try_from(started.elapsed().as_millis()).unwrap() + 1_000;
        assert!(
            (ours - theirs).abs() <= apart,
            "{version}: ours lives {ours} ms, theirs {theirs} ms"
        );
    }
}

#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn rust_changes_one_key_and_every_other_byte_stays() {
    for version in VERSIONS {
        let mut sides = Sides::start(version);
        sides.node_set(
            "a",
            r#"{"b":"\ud83d","n":9007199254740993,"views":1,"z":{"2":1,"1":2}}"#,
            json!({ "maxAge": 3_600_000 }),
        );
        let before = sides.bytes("a");
        let change = |session: &mut Session| {
            session.insert("views", session.get::<u32>("views")?.unwrap_or_default() + 1)
        };
        sides.rust.modify("a", change).await.unwrap().expect("it is there");
        let after = sides.bytes("a");
        assert_eq!(after, before.replace(r#""views":1"#, r#""views":2"#), "{version}");
        assert_ne!(after, before);
        assert_eq!(sides.node_get("a"), Some(after), "{version}: Node.js prints it as it stands");
    }
}

#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn touch_of_either_side_keeps_the_others_session_alive_past_its_first_expiry() {
    for version in VERSIONS {
        let mut sides = Sides::start(version);
        let second = json!({ "maxAge": 1_000 });

        sides.node_set("by node", r#"{"user":"ann"}"#, second.clone());
        let before = sides.bytes("by node");
        let mut session = loaded(&sides.rust, "by node").await;
        session.cookie_mut().set_max_age(Some(HOUR), sides.rust.options().clock.now_ms()).unwrap();
        assert_eq!(sides.rust.touch("by node", &session).await.unwrap(), Touched::Extended);

        let mut session = Session::new();
        session.insert("user", "bob").unwrap();
        session
            .cookie_mut()
            .set_max_age_ms(Some(1_000), sides.rust.options().clock.now_ms())
            .unwrap();
        sides.rust.set("by rust", &session).await.unwrap();
        sides.ask(json!({ "op": "touch", "sid": "by rust", "cookie": { "maxAge": 3_600_000 } }));

        // A third one that nobody touches tells when the first expiry has passed.
        sides.node_set("untouched", "{}", second);
        while sides.node_get("untouched").is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(
            sides.bytes("by node"),
            before,
            "{version}: touch leaves the data, and the stale cookie, alone"
        );
        assert_eq!(sides.node_get("by node"), Some(before));
        assert_eq!(
            loaded(&sides.rust, "by rust").await.get::<String>("user").unwrap().as_deref(),
            Some("bob")
        );
        for sid in ["by node", "by rust"] {
            assert!(sides.lives_ms(sid) > 3_500_000, "{version}: {sid}");
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn what_either_side_destroys_is_gone_for_the_other() {
    for version in VERSIONS {
        let mut sides = Sides::start(version);
        for sid in ["a", "b"] {
            sides.node_set(sid, r#"{"user":"ann"}"#, json!({}));
        }
        let session = loaded(&sides.rust, "b").await;
        sides.rust.destroy("a").await.unwrap();
        assert_eq!(sides.node_get("a"), None, "{version}");
        sides.ask(json!({ "op": "destroy", "sid": "b" }));
        assert_eq!(sides.rust.get("b").await.unwrap(), None, "{version}");
        let answer = sides.rust.update("b", &session).await.unwrap();
        assert!(matches!(answer, cloakroom::Updated::Gone), "{version}: {answer:?}");
        assert_eq!(sides.node_get("b"), None, "{version}: nothing came back");
    }
}

#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn update_notices_what_node_wrote_in_between() {
    for version in VERSIONS {
        let mut sides = Sides::start(version);
        sides.node_set("a", r#"{"cart":["tea"]}"#, json!({}));
        let mut ours = loaded(&sides.rust, "a").await;
        ours.insert("theme", "dark").unwrap();
        sides.node_set("a", r#"{"cart":["tea","milk"]}"#, json!({}));
        let cloakroom::Updated::Conflict(mut current) =
            sides.rust.update("a", &ours).await.unwrap()
        else {
            panic!("{version}: the write of Node.js was overlooked")
        };
        current.merge(&ours);
        let answer = sides.rust.update("a", &current).await.unwrap();
        assert!(matches!(answer, cloakroom::Updated::Stored(_)), "{version}: {answer:?}");
        let text = sides.node_get("a").unwrap();
        assert!(
            text.ends_with(r#""cart":["tea","milk"],"theme":"dark"}"#)
                || text.contains(r#""theme":"dark""#),
            "{text}"
        );
        assert!(text.contains(r#""cart":["tea","milk"]"#), "{version}: {text}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server and the npm packages"]
async fn both_sides_list_the_same_sessions() {
    use futures::TryStreamExt;

    for version in VERSIONS {
        let mut sides = Sides::start(version);
        for number in 0..30 {
            sides.node_set(
                &format!("node{number}"),
                &json!({ "n": number }).to_string(),
                json!({}),
            );
            sides.rust.set(&format!("rust{number}"), &Session::new()).await.unwrap();
        }
        let mut ours: Vec<String> = sides.rust.ids().try_collect().await.unwrap();
        let text = sides.ask(json!({ "op": "ids" }))["value"].as_str().unwrap().to_owned();
        let mut theirs: Vec<String> = serde_json::from_str(&text).unwrap();
        ours.sort();
        ours.dedup();
        theirs.sort();
        assert_eq!(ours, theirs, "{version}");
        assert_eq!(sides.rust.length().await.unwrap(), 60);
        sides.rust.clear().await.unwrap();
        assert_eq!(sides.ask(json!({ "op": "length" })), json!({ "value": "0" }), "{version}");
    }
}

/// The text of a JavaScript value: odd numbers, half surrogate pairs, integer-like names, unicode.
fn value() -> impl Strategy<Value = String> {
    let unicode = vec(
        prop_oneof![
            "\\PC".prop_map(|text| text),
            select(vec![
                "\\ud83d",
                "\\ude00",
                "\\ud83d\\ude00",
                "\\u0000",
                "\\u001f",
                "\u{2028}",
                "\u{feff}",
                "\\\"",
                "\\\\",
                "\\/"
            ])
            .prop_map(str::to_owned),
        ],
        0..6,
    )
    .prop_map(|parts| {
        let escape =
            |part: String| if part == "\"" || part == "\\" { format!("\\{part}") } else { part };
        format!("\"{}\"", parts.into_iter().map(escape).collect::<String>())
    });
    let leaf = prop_oneof![
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.0",
            "1e21",
            "1e20",
            "-1e-7",
            "0.000001",
            "5e-324",
            "9007199254740993",
            "18446744073709551616",
            "1.7976931348623157e308",
            "4.35",
            "[]",
            "{}",
        ])
        .prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no others", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        unicode,
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((name(), inner), 0..4).prop_map(|members| object(&members)),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            "10",
            "2",
            "01",
            "a.b",
            "$set",
            "\\ud83d",
            "toJSON",
            "length",
            "quoted \\\" name"
        ])
        .prop_map(str::to_owned),
        "[a-zA-Zа-я\u{1f600}-\u{1f64f}]{1,6}",
    ]
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn random_sessions_survive_node_rust_node() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sides = std::cell::RefCell::new(Sides::start("10"));
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let answer = TestRunner::new(config).run(&vec((name(), value()), 0..8), |members| {
        let mut sides = sides.borrow_mut();
        sides.node_set("a", &object(&members), json!({ "maxAge": 3_600_000 }));
        let written = sides.bytes("a");
        let session = runtime.block_on(loaded(&sides.rust, "a"));
        prop_assert_eq!(session.loaded_json(), &written);
        runtime.block_on(sides.rust.set("a", &session)).unwrap();
        prop_assert_eq!(&sides.bytes("a"), &written);
        prop_assert_eq!(sides.node_get("a"), Some(written.clone()));

        // And around a change: taken out again, it leaves no trace.
        let changed = runtime
            .block_on(sides.rust.modify("a", |session| session.insert("of rust", [1.0, 0.5])));
        prop_assert!(changed.unwrap().is_some());
        prop_assert!(sides.node_get("a").unwrap().contains(r#""of rust":[1,0.5]"#));
        runtime
            .block_on(sides.rust.modify("a", |session| {
                assert!(session.remove("of rust"));
                Ok(())
            }))
            .unwrap();
        prop_assert_eq!(&sides.bytes("a"), &written);
        Ok(())
    });
    answer.unwrap_or_else(|error| panic!("{error}"));
}
