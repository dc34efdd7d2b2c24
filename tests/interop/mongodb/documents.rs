//! Sessions that go back and forth between the real connect-mongo and `MongoStore` as documents (`stringify: false`).

use std::time::Duration;

use cloakroom::{SessionData, Touched, Updated};
use cloakroom_mongodb::mongodb::bson::{Bson, DateTime, Document, doc};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    cases::{Sides, but_for_expiry, is_an_hour, loaded, session},
    mongodb::server::{Raw, start_with_raw},
};

const VERSIONS: [&str; 3] = ["4", "5", "6"];

fn all_versions(types: bool) -> impl Iterator<Item = (Sides, Raw)> {
    VERSIONS
        .into_iter()
        .map(move |version| start_with_raw(version, json!({ "stringify": false, "types": types })))
}

/// What connect-mongo's `get` prints, without what is `null` in the cookie because it was not set.
fn without_unset(text: &str) -> String {
    let unset = ["partitioned", "priority", "secure", "domain"];
    let text = unset
        .iter()
        .fold(text.to_owned(), |text, name| text.replace(&format!("\"{name}\":null,"), ""));
    text.replace(r#","sameSite":null"#, "")
}

/// Types of MongoDB, as extended JSON.
const TYPES: &str = r#"{"user":{"_id":{"$oid":"5f1d7f3e2b5f1d7f3e2b5f1d"},"since":{"$date":{"$numberLong":"1234567890123"}}},"file":{"$binary":{"base64":"AP+ACg==","subType":"00"}},"price":{"$numberDecimal":"19.99"},"long":{"$numberLong":"9223372036854775807"},"double":{"$numberDouble":"1.0"},"int":{"$numberInt":"7"},"list":[{"$date":{"$numberLong":"0"}},{"$numberDouble":"-0.0"}],"views":{"$numberInt":"1"}}"#;

#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn what_node_writes_as_a_document_rust_reads_and_leaves() {
    for (mut sides, raw) in all_versions(true) {
        sides.node_set("a", TYPES, json!({ "maxAge": 3_600_000 }));
        let before = raw.session_bytes("a");
        let session = loaded(&sides.rust, "a").await;
        let user = session.get::<Value>("user").unwrap().unwrap();
        let expected =
            json!({ "_id": "5f1d7f3e2b5f1d7f3e2b5f1d", "since": "2009-02-13T23:31:30.123Z" });
        assert_eq!(user, expected, "{}", sides.label);
        assert_eq!(session.get::<i64>("long").unwrap(), Some(i64::MAX));
        assert_eq!(session.get_json("file"), Some(r#""AP+ACg==""#));
        assert!(is_an_hour(&session), "{}", sides.label);
        assert!(session.cookie().expires_ms().is_some());
        sides.rust.set("a", &session).await.unwrap();
        assert_eq!(raw.session_bytes("a"), before, "{}", sides.label);
    }
}

#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn rust_changes_one_key_of_a_document_and_every_other_value_stays() {
    for (mut sides, raw) in all_versions(true) {
        sides.node_set("a", TYPES, json!({ "maxAge": 3_600_000 }));
        let mut before = raw.document("a").unwrap();
        let printed = sides.node_get("a").unwrap();
        let change = |session: &mut SessionData| {
            session.insert("views", session.get::<u32>("views")?.unwrap_or_default() + 1)
        };
        sides.rust.modify("a", change).await.unwrap().expect("it is there");
        before.get_document_mut("session").unwrap().insert("views", 2);
        let mut after = raw.document("a").unwrap();
        for document in [&mut before, &mut after] {
            take_expiries(document);
        }
        assert_eq!(after, before, "{}", sides.label);
        let expected = printed.replace(r#""views":1"#, r#""views":2"#);
        let printed = sides.node_get("a").unwrap();
        assert_eq!(but_for_expiry(&printed), but_for_expiry(&expected), "{}", sides.label);
    }
}

/// Node.js and Rust make the same document of the same session.
#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn what_rust_writes_as_a_document_is_what_node_writes() {
    for (mut sides, raw) in all_versions(false) {
        let members =
            r#"{"user":{"name":"Zoë","roles":["admin"]},"n":2147483648,"i":7,"z":[1.5,null,true]}"#;
        sides.node_set("node", members, json!({ "maxAge": 3_600_000, "sameSite": "lax" }));
        // The members in the order in which connect-mongo has put them.
        let order = loaded(&sides.rust, "node").await;
        let mut session = SessionData::from_json(order.to_json().into_owned()).unwrap();
        let now_ms = sides.rust.options().clock.now_ms();
        session.cookie_mut().set_max_age(Some(Duration::from_secs(3_600)), now_ms).unwrap();
        assert!(session.revision().is_none(), "nothing of Node.js' document is copied");
        sides.rust.set("rust", &session).await.unwrap();

        let session_of = |sid| raw.document(sid).unwrap().get_document("session").unwrap().clone();
        let (theirs, mut ours) = (session_of("node"), session_of("rust"));
        // The one thing that is not the same is the time, which express-session reads twice.
        let expires = |session: &Document| {
            session
                .get_document("cookie")
                .unwrap()
                .get_datetime("expires")
                .unwrap()
                .timestamp_millis()
        };
        assert!((expires(&ours) - expires(&theirs)).abs() < 10_000);
        let age =
            |session: &Document| session.get_document("cookie").unwrap().get_i32("originalMaxAge");
        assert!((age(&ours).unwrap() - age(&theirs).unwrap()).abs() < 10_000);
        let cookie = ours.get_document_mut("cookie").unwrap();
        cookie.insert("expires", DateTime::from_millis(expires(&theirs)));
        cookie.insert("originalMaxAge", age(&theirs).unwrap());
        assert_eq!(ours.to_string(), theirs.to_string(), "{}", sides.label);
        let printed = without_unset(&sides.node_get("rust").unwrap());
        assert_eq!(printed, *session.to_json(), "{}", sides.label);
    }
}

#[tokio::test]
#[ignore = "needs mongod and the npm packages"]
async fn a_document_is_touched_destroyed_and_compared_on_both_sides() {
    for (mut sides, raw) in all_versions(false) {
        let label = sides.label.clone();
        sides.node_set("node", r#"{"user":"ann"}"#, json!({ "maxAge": 60_000 }));
        let mut session = loaded(&sides.rust, "node").await;
        let before = raw.session_bytes("node");
        session
            .cookie_mut()
            .set_max_age(Some(Duration::from_secs(7_200)), sides.rust.options().clock.now_ms())
            .unwrap();
        assert_eq!(sides.rust.touch("node", &session).await.unwrap(), Touched::Extended);
        assert!(sides.lives_ms("node").await > 7_000_000, "{label}");
        sides.rust.set("rust", &session).await.unwrap();
        sides.ask(json!({ "op": "touch", "sid": "rust", "cookie": { "maxAge": 60_000 } }));
        assert!(sides.lives_ms("rust").await <= 60_000, "{label}");
        assert_eq!(raw.session_bytes("node"), before, "{label}");

        // Node.js writes in between, the same members in the same form.
        let mut stale = loaded(&sides.rust, "node").await;
        stale.insert("late", true).unwrap();
        sides.node_set("node", r#"{"user":"bob"}"#, json!({}));
        let answer = sides.rust.update("node", &stale).await.unwrap();
        let Updated::Conflict(mut current) = answer else { panic!("{label}: {answer:?}") };
        current.merge(&stale);
        let answer = sides.rust.update("node", &current).await.unwrap();
        assert!(matches!(answer, Updated::Stored(_)), "{label}: {answer:?}");
        let printed = sides.node_get("node").unwrap();
        assert!(
            printed.contains(r#""user":"bob""#) && printed.contains(r#""late":true"#),
            "{printed}"
        );

        sides.rust.destroy("node").await.unwrap();
        assert_eq!(sides.node_get("node"), None, "{label}");
        sides.ask(json!({ "op": "destroy", "sid": "rust" }));
        assert_eq!(sides.rust.get("rust").await.unwrap(), None, "{label}");
    }
}

#[test]
#[ignore = "needs mongod and the npm packages"]
fn random_documents_survive_node_rust_node() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (sides, raw) in all_versions(false) {
        let sides = std::cell::RefCell::new(sides);
        let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
        let sessions = vec((session::name(), session::value()), 0..8);
        let answer = TestRunner::new(config).run(&sessions, |members| {
            let mut sides = sides.borrow_mut();
            sides.node_set("a", &session::object(&members), json!({ "maxAge": 3_600_000 }));
            let (written, printed) = (raw.session_bytes("a"), sides.node_get("a").unwrap());
            let session = runtime.block_on(loaded(&sides.rust, "a"));
            prop_assert_eq!(session.loaded_json(), without_unset(&printed));
            runtime.block_on(sides.rust.set("a", &session)).unwrap();
            prop_assert_eq!(&raw.session_bytes("a"), &written);

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
            let now = raw.session_bytes("a");
            prop_assert_eq!(bytes_but_for_expiry(&now), bytes_but_for_expiry(&written));
            let printed_now = sides.node_get("a").unwrap();
            prop_assert_eq!(but_for_expiry(&printed_now), but_for_expiry(&printed));
            let session = runtime.block_on(loaded(&sides.rust, "a"));

            // From the text alone, Rust makes the document that Node.js made of the same values.
            let text = SessionData::from_json(session.to_json().into_owned()).unwrap();
            runtime.block_on(sides.rust.set("b", &text)).unwrap();
            let (ours, theirs) = (raw.document("b").unwrap(), raw.document("a").unwrap());
            prop_assert_eq!(plain(ours.get("session")), plain(theirs.get("session")));
            Ok(())
        });
        answer.unwrap_or_else(|error| panic!("{}: {error}", sides.borrow().label));
    }
}

/// Takes out when the session ends, and what its cookie says of it: `modify` moves both.
fn take_expiries(document: &mut Document) {
    document.remove("expires");
    let session = document.get_document_mut("session").unwrap();
    session.get_document_mut("cookie").unwrap().remove("expires");
}

/// The bytes of a session but for the date of its cookie's expiry.
fn bytes_but_for_expiry(session: &[u8]) -> Vec<u8> {
    const AGE: &[u8] = b"originalMaxAge\0";
    const EXPIRES: &[u8] = b"\x09expires\0";
    let find = |bytes: &[u8], name: &[u8]| {
        bytes.windows(name.len()).position(|window| window == name).expect("a cookie that expires")
    };
    let cookie = find(session, AGE);
    let date = cookie + find(&session[cookie..], EXPIRES) + EXPIRES.len();
    [&session[..date], &session[date + 8..]].concat()
}

/// The printed value, with -0 as the 0 that it is in a text.
fn plain(value: Option<&Bson>) -> String {
    fn zero(value: &Bson) -> Bson {
        match value {
            Bson::Double(number) if *number == 0.0 => Bson::Int32(0),
            Bson::Array(items) => Bson::Array(items.iter().map(zero).collect()),
            Bson::Document(members) => {
                let members = members.iter().map(|(name, value)| (name.clone(), zero(value)));
                Bson::Document(members.collect())
            }
            other => other.clone(),
        }
    }
    value.map(zero).map(|value| doc! { "value": value }.to_string()).unwrap_or_default()
}
