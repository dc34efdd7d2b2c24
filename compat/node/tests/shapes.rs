//! The shapes that npm's stores have, and what a store is given.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod common;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use cloakroom_compat::{CallbackStore, CopyOptions, copy, promisify};
use cloakroom_core::{
    Clock, Cookie, Enumerate, ErrorKind, Listed, MemoryStore, SessionData, Store, Touched,
};
use cloakroom_node::{NodeEvent, NodeStore, NodeStyle};
use cloakroom_test_support::node_folder;
use futures::{StreamExt, TryStreamExt};

use common::{PATIENCE, eventually, file, folder, promisified, session};

/// Stores, reads and destroys a session.
async fn works(store: &NodeStore, shape: &str) {
    let store = promisified(store);
    let written = session("ann");
    store.set("a", &written).await.unwrap_or_else(|error| panic!("{shape}: {error}"));
    assert_eq!(store.get("a").await.unwrap(), Some(written.clone()), "{shape}");
    store.destroy("a").await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), None, "{shape}");
    // None of them has it.
    assert_eq!(store.touch("a", &written).await.unwrap(), Touched::NotOffered, "{shape}");
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn classes_factories_objects_and_modules_of_both_kinds_work() {
    let builder =
        || NodeStore::builder().folder(folder()).deadline(PATIENCE).start_deadline(PATIENCE);
    let shapes = || builder().module("./shapes.cjs");
    for (shape, builder) in [
        ("a class, the only export that ends in Store", shapes()),
        ("a class by its name", shapes().export("ClassStore")),
        ("a function that makes a class", shapes().export("connect")),
        ("an object", shapes().export("object")),
        ("promises in an ES module", builder().module("./lasting.mjs")),
        ("promises, as told", builder().module("./lasting.mjs").style(NodeStyle::Promises)),
        ("an expression that is a function", shapes().factory("({ module }) => new module.ClassStore()")),
        (
            "an expression with a line of its own",
            shapes().factory("async ({ module, session }) => {\n  return new (module.connect(session))();\n} // the end"),
        ),
        ("a class whose methods are fields", shapes().export("Fields")),
        ("an expression that is such a class", shapes().factory("class { map = new Map(); get = async (sid) => this.map.get(sid); set = async (sid, value) => void this.map.set(sid, value); destroy = async (sid) => void this.map.delete(sid) }")),
        ("a file by its default export", builder().factory("lasting.mjs")),
        ("a callback that is a default parameter", builder().factory("both.cjs")),
        ("a callback in the rest", builder().module("./both.cjs").factory("({ module }) => module.default('rest')")),
        ("promises with default parameters", builder().module("./both.cjs").factory("({ module }) => module.default('none')")),
        ("what answers without callbacks", builder().factory("() => new (class { constructor() { this.map = new Map() } get(sid) { return this.map.get(sid) } set(sid, value) { this.map.set(sid, value) } destroy(sid) { this.map.delete(sid) } })()").style(NodeStyle::Promises)),
    ] {
        works(&builder.build().unwrap(), shape).await;
    }
    let url = format!("node:{}", folder().join("lasting.mjs").display());
    let store = NodeStore::open(&url).unwrap();
    works(&store, "a file by its URL").await;
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn events_of_the_store_are_passed_on() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let store = NodeStore::builder()
        .folder(folder())
        .module("./shapes.cjs")
        .name("x")
        .options(serde_json::json!({ "emits": ["disconnect", "connect", "error"] }))
        .on_event(move |event| {
            hears.lock().unwrap().push(match event {
                NodeEvent::Failed(error) => error.to_string(),
                other => format!("{other:?}"),
            });
            // A handler that panics harms nobody.
            assert!(hears.lock().unwrap().len() < 3, "the third event");
        });
    let store = store.build().unwrap();
    store.ready().await.unwrap();
    eventually("the events", || told.lock().unwrap().len() == 4);
    assert_eq!(
        *told.lock().unwrap(),
        ["Started", "Disconnect", "Connect", "x: start: the store emitted an error: RangeError"]
    );
    works(&store, "after the events").await;
}

/// A store that calls back and fulfills a promise with the same value lists each session once, also if there are very
/// many of them.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_listing_that_is_answered_by_both_ways_has_each_session_once() {
    let count = 150_000;
    let store = promisified(&file("both.cjs").options(count).build().unwrap());
    let mut ids = HashSet::new();
    let mut listed = store.all();
    while let Some(one) = listed.next().await {
        assert!(ids.insert(one.unwrap().id));
    }
    assert_eq!(ids.len(), count);
}

/// An answer that is taken for an object without sessions would sign nobody out, and say so to nobody.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_listing_has_the_sessions_whatever_holds_them() {
    let listing = async |all: &str| {
        let factory = format!(
            "({{ get() {{}}, set() {{}}, destroy() {{}}, all: (callback) => callback(null, {all}) }})"
        );
        let builder = NodeStore::builder().factory(factory).deadline(PATIENCE);
        let store = promisified(&builder.start_deadline(PATIENCE).build().unwrap());
        store.ids().try_collect::<Vec<_>>().await
    };
    for all in [
        "{ a: { cookie: {} } }",
        "[{ id: 'a', cookie: {} }]",
        "[{ sid: 'a', sess: '{\"cookie\":{}}' }]",
        "new Map([['a', { cookie: {} }]])",
        "new Set([{ id: 'a', cookie: {} }])",
        "new Map([['a', { id: 'a', cookie: {} }]]).values()",
    ] {
        assert_eq!(listing(all).await.unwrap(), ["a"], "{all}");
    }
    for all in ["new Map([[7, {}]])", "new Set([{}])", "(async function* () {})()"] {
        let error = listing(all).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{all}: {error}");
    }
}

/// A touch moves the expiry in the store and not the cookie in the record. A copy of the session must not be endless.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_session_with_a_stale_cookie_is_listed_with_its_max_age() {
    let all = r"{
        stale: { cookie: { originalMaxAge: 60000, expires: '2020-01-01T00:00:00.000Z' } },
        fresh: { cookie: { originalMaxAge: 60000, expires: new Date(Date.now() + 90000) } },
        ended: { cookie: { originalMaxAge: 60000, expires: null }, cloakroomEndsAt: 1 },
        endless: { cookie: { originalMaxAge: null, expires: null } },
    }";
    let factory = format!(
        "({{ get: (sid, callback) => callback(null, ({all})[sid]), set() {{}}, destroy() {{}}, all: (callback) => callback(null, {all}) }})"
    );
    let builder = NodeStore::builder().factory(factory).deadline(PATIENCE);
    let from = promisified(&builder.start_deadline(PATIENCE).build().unwrap());
    let left = async |store: &dyn Enumerate| {
        let listed = store.all().map(|one| one.unwrap());
        let seconds = |one: Listed| (one.id, one.time_left.map(|left| left.as_secs() / 30));
        listed.map(seconds).collect::<HashMap<_, _>>().await
    };
    let expected =
        [("stale", Some(2_u64)), ("fresh", Some(3)), ("ended", Some(0)), ("endless", None)];
    let told = left(&from).await;
    assert_eq!(told.len(), expected.len());
    for (sid, time) in expected {
        // The session has lived for a moment by now.
        let is_near = told[sid] == time || told[sid] == time.map(|time| time.saturating_sub(1));
        assert!(is_near, "{sid}: {:?}", told[sid]);
    }
    let to = MemoryStore::new();
    let done = copy(&from, &to, &CopyOptions::default(), |_| ()).await.unwrap();
    assert_eq!((done.copied, done.gone), (3, 1), "{done:?}");
    assert!(left(&to).await["stale"].unwrap() <= 2);
}

/// A store of npm takes the time to live from the cookie, which in a copy is as stale as in the original.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_copy_of_a_session_with_a_stale_cookie_is_stored_for_the_time_that_is_left() {
    let factory = "(() => {
        const records = new Map();
        return {
            get: (sid, callback) => callback(null, records.get(sid)),
            set(sid, session, callback) {
                const { expires } = session.cookie;
                if (!expires || expires > new Date()) records.set(sid, session);
                callback();
            },
            destroy() {},
        };
    })";
    let builder = NodeStore::builder().factory(factory).deadline(PATIENCE);
    let to = promisified(&builder.start_deadline(PATIENCE).build().unwrap());
    let from = MemoryStore::new();
    let records = [
        ("stale", r#""originalMaxAge":60000,"expires":"2020-01-01T00:00:00.000Z""#),
        ("far", r#""originalMaxAge":60000,"expires":"2100-01-01T00:00:00.000Z""#),
        ("browser", r#""originalMaxAge":null,"expires":null"#),
    ];
    let until_ms = Clock::system().now_ms() + 3_600_000;
    for (sid, cookie) in records {
        let session = SessionData::from_json(format!(r#"{{"cookie":{{{cookie}}}}}"#)).unwrap();
        from.set(sid, &session.with_store_expiry_ms(until_ms)).await.unwrap();
    }
    let done = copy(&from, &to, &CopyOptions::default(), |_| ()).await.unwrap();
    assert_eq!(done.copied, 3, "{done:?}");
    for (sid, cookie) in records {
        let copied = to.get(sid).await.unwrap().unwrap_or_else(|| panic!("{sid} is lost"));
        let cookie_of = |json: String| Cookie::from_json(&json).unwrap();
        let before = cookie_of(format!("{{{cookie}}}"));
        assert_eq!(copied.cookie().original_max_age_ms(), before.original_max_age_ms());
        match (before.expires_ms(), copied.cookie().expires_ms()) {
            (None, expires) => assert_eq!(expires, None),
            (_, expires) => assert!(expires.unwrap().abs_diff(until_ms) < 2_000, "{sid}"),
        }
    }
}

/// `promisify_store` refuses it, but a callback store may be called with it.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn an_empty_id_reaches_the_store() {
    let store = NodeStore::builder()
        .factory("({ get: (sid, callback) => callback(null, { sid }), set() {}, destroy() {} })")
        .deadline(PATIENCE);
    let store = store.build().unwrap();
    let found = promisify(|callback| store.get("", callback)).await.unwrap().unwrap();
    assert_eq!(found.get::<String>("sid").unwrap().as_deref(), Some(""));
}

/// What a store sees of a session, by our child and by express-session itself.
#[tokio::test]
#[ignore = "needs Node.js and the npm packages"]
async fn a_store_is_given_what_express_session_gives_it() {
    let text = r#"{"cookie":{"originalMaxAge":60000,"expires":"2100-01-01T00:00:00.000Z","secure":false,"httpOnly":true,"domain":"example.com","path":"/"},"user":"ann"}"#;
    let ours = promisified(&file("express.cjs").build().unwrap());
    ours.set("a", &SessionData::from_json(text).unwrap()).await.unwrap();
    let ours = ours.get("a").await.unwrap().unwrap();

    // A store that builds express-session's own session first.
    let theirs = format!(
        r"async ({{ load }}) => {{
            const session = (await load('express-session')).default;
            const inner = (await load({:?})).default;
            const set = (sid, value, callback) => {{
                const store = new session.MemoryStore();
                const req = {{ sessionID: sid, sessionStore: store }};
                inner.set(sid, store.createSession(req, JSON.parse(JSON.stringify(value))), callback);
            }};
            return {{ ...inner, set }};
        }}",
        folder().join("express.cjs")
    );
    let builder = NodeStore::builder().folder(node_folder()).factory(theirs);
    let theirs = promisified(&builder.deadline(PATIENCE).build().unwrap());
    theirs.set("a", &SessionData::from_json(text).unwrap()).await.unwrap();
    let theirs = theirs.get("a").await.unwrap().unwrap();

    for member in ["text", "expires", "maxAge", "originalMaxAge"] {
        let (ours, theirs) = (ours.get_json(member), theirs.get_json(member));
        assert!(ours.is_some() && ours == theirs, "{member}: {ours:?}, {theirs:?}");
    }
    // In another order, which JavaScript does not guarantee to a store either.
    let sorted = |session: &SessionData| {
        let mut keys = session.get::<Vec<String>>("keys").unwrap().unwrap();
        keys.sort();
        keys
    };
    assert_eq!(sorted(&ours), sorted(&theirs));
}

/// Express drops what it does not know from a cookie, and a date in another notation. A store here gets all of it.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn nothing_of_a_cookie_is_lost() {
    let store = promisified(&file("express.cjs").build().unwrap());
    for text in [
        r#"{"cookie":{"path":"/","maxAge":60,"expires":"2100-01-01T00:00:00Z","unknown":[1],"toJSON":"x"},"b":1}"#,
        r#"{"cookie":{"expires":null,"originalMaxAge":null},"a":null}"#,
        r#"{"cookie":{"expires":"soon","path":"/"}}"#,
        r#"{"cookie":{"expires":false,"_expires":1}}"#,
        r#"{"cookie":{"path":"/"}}"#,
    ] {
        let session = SessionData::from_json(text).unwrap();
        store.set("a", &session).await.unwrap();
        let seen = store.get("a").await.unwrap().unwrap();
        assert_eq!(seen.get::<String>("text").unwrap().as_deref(), Some(text));
    }
}
