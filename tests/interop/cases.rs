//! What sessions do that go back and forth between a real npm store and ours: the same cases for all backends.
//!
//! A backend says how both sides are started in each of its settings, and gives them to [`sessions_go_back_and_forth`].

pub(crate) mod session;

use std::{
    any::Any,
    time::{Duration, Instant},
};

use cloakroom::{ExpressSession, SessionData, Touched, Updated};
use cloakroom_conformance::RawAccess;
use cloakroom_test_support::{NodeProgram, Wait};
use futures::future::LocalBoxFuture;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Both sides on one backend, and a plain client that looks at it.
pub(crate) struct Sides {
    /// The npm store, its version and settings, for messages.
    pub(crate) label: String,
    pub(crate) node: NodeProgram,
    pub(crate) rust: ExpressSession,
    /// What is stored, by a client that is neither side's.
    pub(crate) backend: Box<dyn RawAccess>,
    /// The servers that end with the test.
    pub(crate) _servers: Box<dyn Any + Send>,
    /// How the npm store's `touch` treats the record.
    pub(crate) node_touch: NodeTouch,
}

/// How an npm store's `touch` treats the record.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum NodeTouch {
    /// It leaves it alone.
    Moves,
    /// It writes the session that it is given.
    Rewrites,
}

impl Sides {
    pub(crate) fn ask(&mut self, request: Value) -> Value {
        let answer: Value = self.node.call(request).unwrap();
        assert_eq!(answer.get("error"), None, "{} called back with an error", self.label);
        answer
    }

    pub(crate) fn node_set(&mut self, sid: &str, session: &str, cookie: Value) {
        self.ask(json!({ "op": "set", "sid": sid, "session": session, "cookie": cookie }));
    }

    /// What `JSON.stringify` prints of the session that the npm store found.
    pub(crate) fn node_get(&mut self, sid: &str) -> Option<String> {
        self.ask(json!({ "op": "get", "sid": sid }))["value"].as_str().map(str::to_owned)
    }

    pub(crate) async fn record(&mut self, sid: &str) -> String {
        self.backend.record(sid).await.unwrap().expect("the record is there")
    }

    pub(crate) async fn lives_ms(&mut self, sid: &str) -> i64 {
        let left = self.backend.time_left(sid).await.unwrap().expect("it is there, and expires");
        left.as_millis().try_into().unwrap()
    }

    fn now_ms(&self) -> i64 {
        self.rust.options().clock.now_ms()
    }
}

pub(crate) async fn loaded(rust: &ExpressSession, sid: &str) -> SessionData {
    rust.get(sid).await.unwrap().expect("the session is there")
}

/// express-session reads the clock twice, and can find a millisecond gone.
pub(crate) fn is_an_hour(session: &SessionData) -> bool {
    let max_age_ms = session.cookie().original_max_age_ms();
    max_age_ms.is_some_and(|max_age_ms| (3_590_000..=3_600_000).contains(&max_age_ms))
}

/// A record but for the expiry of its cookie, which `modify` moves, as Express does at the end of each request.
pub(crate) fn but_for_expiry(record: &str) -> String {
    let age = record.find(r#""originalMaxAge":"#).expect("a cookie");
    let (before, cookie) = record.split_at(age);
    let (attributes, expiry) = cookie.split_once(r#""expires":""#).expect("one that expires");
    let (_, rest) = expiry.split_once('"').expect("a date");
    [before, attributes, rest].concat()
}

const HOUR: Duration = Duration::from_secs(3_600);
/// A short life, of which a backend that counts in ticks of a second leaves at least one. On a slow machine it is several
/// times the work to do in it.
fn short_ms(needed: Duration) -> i64 {
    i64::try_from(needed.as_millis()).unwrap().saturating_mul(5).max(2_000)
}

/// How far the lives that both sides give to the same cookie are apart at most: one rounds down and the other up, and
/// a backend counts in seconds.
const APART_MS: i64 = 2_000;

/// The name of a case, and the case.
pub(crate) type Case = (&'static str, for<'a> fn(&'a mut Sides) -> LocalBoxFuture<'a, ()>);

macro_rules! case {
    ($name:ident) => {
        (stringify!($name), |sides| Box::pin($name(sides)))
    };
}
pub(crate) use case;

/// The cases that every backend has, but for those of the expiry.
pub(crate) const CASES: &[Case] = &[
    case!(what_node_writes_rust_reads),
    case!(what_rust_writes_node_reads),
    case!(rust_changes_one_key_and_every_other_byte_stays),
    case!(what_either_side_destroys_is_gone_for_the_other),
    case!(update_notices_what_node_wrote_in_between),
];

/// For npm stores whose `get` looks at the expiry.
pub(crate) const EXPIRY: &[Case] =
    &[case!(touch_of_either_side_keeps_the_others_session_alive_past_its_first_expiry)];

/// Runs the cases one after the other, and clears the store before each. Starting Node.js takes longer than a case.
pub(crate) fn go_back_and_forth(runtime: &Runtime, sides: &mut Sides, cases: &[Case]) {
    for (name, case) in cases {
        let _running = Running(format!("{}: {name}", sides.label));
        runtime.block_on(async {
            sides.rust.clear().await.unwrap();
            case(sides).await;
        });
    }
}

/// Runs every case, and random sessions.
pub(crate) fn sessions_go_back_and_forth(mut sides: Sides) {
    let runtime = Runtime::new().unwrap();
    go_back_and_forth(&runtime, &mut sides, CASES);
    go_back_and_forth(&runtime, &mut sides, EXPIRY);
    random_sessions_survive_node_rust_node(&runtime, &mut sides);
}

/// Says after a panic which case it was.
struct Running(String);

impl Drop for Running {
    #[allow(clippy::print_stdout, reason = "shown with the test that has failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("in {}", self.0);
        }
    }
}

pub(crate) async fn what_node_writes_rust_reads(sides: &mut Sides) {
    sides.node_set(
        "a",
        r#"{"user":{"name":"Zoë","roles":["admin"]},"n":1e21,"half":"\ud83d"}"#,
        json!({ "maxAge": 3_600_000 }),
    );
    let session = loaded(&sides.rust, "a").await;
    assert_eq!(session.loaded_json(), sides.record("a").await, "{}", sides.label);
    assert_eq!(
        session.get::<Value>("user").unwrap().unwrap(),
        json!({ "name": "Zoë", "roles": ["admin"] })
    );
    assert_eq!(session.get::<f64>("n").unwrap(), Some(1e21));
    assert_eq!(session.get_json("half"), Some(r#""\ud83d""#));
    assert!(is_an_hour(&session), "{}", sides.label);
    assert_eq!(sides.rust.get("b").await.unwrap(), None);
}

pub(crate) async fn what_rust_writes_node_reads(sides: &mut Sides) {
    let mut session = SessionData::new();
    session.cookie_mut().set_max_age(Some(HOUR), sides.now_ms()).unwrap();
    session.insert("user", json!({ "name": "Zoë" })).unwrap();
    session.insert("price", 1e-7).unwrap();
    session.insert("count", 1.0).unwrap();
    sides.rust.set("a", &session).await.unwrap();
    let text = session.to_json().into_owned();
    assert!(text.ends_with(r#""user":{"name":"Zoë"},"price":1e-7,"count":1}"#), "{text}");
    let printed = sides.node_get("a");
    assert_eq!(
        printed.as_deref(),
        Some(&*text),
        "{}: Node.js prints it as we wrote it",
        sides.label
    );

    let started = Instant::now();
    sides.rust.set("b", &session).await.unwrap();
    sides.node_set("c", "{}", json!({ "maxAge": 3_600_000 }));
    let (ours, theirs) = (sides.lives_ms("b").await, sides.lives_ms("c").await);
    let apart = i64::try_from(started.elapsed().as_millis()).unwrap() + APART_MS;
    assert!(
        (ours - theirs).abs() <= apart,
        "{}: ours lives {ours} ms, theirs {theirs} ms",
        sides.label
    );
}

pub(crate) async fn rust_changes_one_key_and_every_other_byte_stays(sides: &mut Sides) {
    sides.node_set(
        "a",
        r#"{"b":"\ud83d","n":9007199254740993,"views":1,"z":{"2":1,"1":2}}"#,
        json!({ "maxAge": 3_600_000 }),
    );
    let before = sides.record("a").await;
    let change = |session: &mut SessionData| {
        session.insert("views", session.get::<u32>("views")?.unwrap_or_default() + 1)
    };
    sides.rust.modify("a", change).await.unwrap().expect("it is there");
    let after = sides.record("a").await;
    let expected = before.replace(r#""views":1"#, r#""views":2"#);
    assert_eq!(but_for_expiry(&after), but_for_expiry(&expected), "{}", sides.label);
    assert_ne!(after, before);
    assert_eq!(sides.node_get("a"), Some(after), "{}: Node.js prints it as it stands", sides.label);
}

pub(crate) async fn touch_of_either_side_keeps_the_others_session_alive_past_its_first_expiry(
    sides: &mut Sides,
) {
    let started = Instant::now();
    touched_by_the_other(sides, 3_600_000, ["rehearsed-a", "rehearsed-b"]).await;
    let mut short_ms = short_ms(started.elapsed());
    let [before, ours] = loop {
        match touched_by_the_other(sides, short_ms, ["by-node", "by-rust"]).await {
            Some(records) => break records,
            // The machine was slower than in the rehearsal.
            None => short_ms *= 2,
        }
    };

    // A third one that nobody touches tells when the first expiry has passed.
    sides.node_set("untouched", "{}", json!({ "maxAge": short_ms }));
    let wait = Wait::until("the first expiry has passed");
    while sides.node_get("untouched").is_some() {
        wait.check();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let label = sides.label.clone();
    assert_eq!(
        sides.record("by-node").await,
        before,
        "{label}: touch leaves the data, and the stale cookie, alone"
    );
    assert_eq!(sides.node_get("by-node"), Some(before));
    if sides.node_touch == NodeTouch::Moves {
        assert_eq!(sides.record("by-rust").await, ours, "{label}");
    }
    let session = loaded(&sides.rust, "by-rust").await;
    assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("bob"), "{label}");
    for sid in ["by-node", "by-rust"] {
        assert!(sides.lives_ms(sid).await > 3_500_000, "{label}: {sid}");
    }
}

/// A session of each side that lives for `life_ms`, and an hour from when the other side touches it. Returns the
/// records as they were before, or `None` if a session may have expired before it was touched.
async fn touched_by_the_other(
    sides: &mut Sides,
    life_ms: i64,
    [by_node, by_rust]: [&str; 2],
) -> Option<[String; 2]> {
    let started = Instant::now();
    // A backend that counts in ticks of a second may take one off.
    let in_time = || {
        started.elapsed() + Duration::from_secs(1) < Duration::from_millis(life_ms.unsigned_abs())
    };
    sides.node_set(by_node, r#"{"user":"ann"}"#, json!({ "maxAge": life_ms }));
    let before = sides.backend.record(by_node).await.unwrap();
    let session = sides.rust.get(by_node).await.unwrap();
    let (Some(before), Some(mut session)) = (before, session) else {
        assert!(!in_time(), "{}: the session is gone", sides.label);
        return None;
    };
    session.cookie_mut().set_max_age(Some(HOUR), sides.now_ms()).unwrap();
    let touched = sides.rust.touch(by_node, &session).await.unwrap();
    if !in_time() {
        return None;
    }
    assert_eq!(touched, Touched::Extended);

    let mut session = SessionData::new();
    session.insert("user", "bob").unwrap();
    session.cookie_mut().set_max_age_ms(Some(life_ms), sides.now_ms()).unwrap();
    sides.rust.set(by_rust, &session).await.unwrap();
    let Some(ours) = sides.backend.record(by_rust).await.unwrap() else {
        assert!(!in_time(), "{}: the session is gone", sides.label);
        return None;
    };
    // As express-session calls it: with the session.
    let touched = json!({
        "op": "touch", "sid": by_rust, "session": &ours, "cookie": { "maxAge": 3_600_000 },
    });
    let answer: Value = sides.node.call(touched).unwrap();
    if !in_time() {
        return None;
    }
    assert_eq!(answer.get("error"), None, "{} called back with an error", sides.label);
    Some([before, ours])
}

pub(crate) async fn what_either_side_destroys_is_gone_for_the_other(sides: &mut Sides) {
    for sid in ["a", "b"] {
        sides.node_set(sid, r#"{"user":"ann"}"#, json!({}));
    }
    let session = loaded(&sides.rust, "b").await;
    sides.rust.destroy("a").await.unwrap();
    assert_eq!(sides.node_get("a"), None, "{}", sides.label);
    sides.ask(json!({ "op": "destroy", "sid": "b" }));
    assert_eq!(sides.rust.get("b").await.unwrap(), None, "{}", sides.label);
    let answer = sides.rust.update("b", &session).await.unwrap();
    assert!(matches!(answer, Updated::Gone), "{}: {answer:?}", sides.label);
    assert_eq!(sides.node_get("b"), None, "{}: nothing came back", sides.label);
}

pub(crate) async fn update_notices_what_node_wrote_in_between(sides: &mut Sides) {
    sides.node_set("a", r#"{"cart":["tea"]}"#, json!({}));
    let mut ours = loaded(&sides.rust, "a").await;
    ours.insert("theme", "dark").unwrap();
    sides.node_set("a", r#"{"cart":["tea","milk"]}"#, json!({}));
    let Updated::Conflict(mut current) = sides.rust.update("a", &ours).await.unwrap() else {
        panic!("{}: the write of Node.js was overlooked", sides.label)
    };
    current.merge(&ours);
    let answer = sides.rust.update("a", &current).await.unwrap();
    assert!(matches!(answer, Updated::Stored(_)), "{}: {answer:?}", sides.label);
    let text = sides.node_get("a").unwrap();
    assert!(text.contains(r#""theme":"dark""#), "{}: {text}", sides.label);
    assert!(text.contains(r#""cart":["tea","milk"]"#), "{}: {text}", sides.label);
}

pub(crate) fn random_sessions_survive_node_rust_node(runtime: &Runtime, sides: &mut Sides) {
    let _running = Running(format!("{}: random sessions", sides.label));
    let sides = std::cell::RefCell::new(sides);
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let sessions = vec((session::name(), session::value()), 0..8);
    let answer = TestRunner::new(config).run(&sessions, |members| {
        let mut sides = sides.borrow_mut();
        sides.node_set("a", &session::object(&members), json!({ "maxAge": 3_600_000 }));
        let written = runtime.block_on(sides.record("a"));
        let session = runtime.block_on(loaded(&sides.rust, "a"));
        prop_assert_eq!(session.loaded_json(), &written);
        runtime.block_on(sides.rust.set("a", &session)).unwrap();
        prop_assert_eq!(&runtime.block_on(sides.record("a")), &written);
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
        prop_assert_eq!(
            but_for_expiry(&runtime.block_on(sides.record("a"))),
            but_for_expiry(&written)
        );
        Ok(())
    });
    answer.unwrap_or_else(|error| panic!("{}: {error}", sides.borrow().label));
}
