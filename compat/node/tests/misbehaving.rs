//! Stores that break Connect's rules: each call ends with an error that names the store and the call, and has nothing of
//! what was said or stored.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cloakroom_compat::promisify_store;
use cloakroom_core::{Enumerate, Error, ErrorKind, Store};
use cloakroom_node::NodeEvent;
use futures::{FutureExt, StreamExt, future::join_all};

use common::{PATIENCE, eventually, file, odd, pid, promisified, runs, session};

/// Checks that nothing of an error has the secret.
#[track_caller]
fn is_hushed(error: &Error, secret: &str) {
    assert!(!format!("{error} {error:?}").contains(secret));
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn every_way_to_misbehave_is_an_error_that_names_store_and_call() {
    let (builder, secret) = odd();
    let store = promisified(&builder.build().unwrap());
    for (way, kind, message) in [
        ("twice", ErrorKind::Other, "the store called its callback a second time"),
        ("throws", ErrorKind::Other, "the store threw TypeError (E_BROKEN)"),
        ("throws a text", ErrorKind::Other, "the store threw a value of type string"),
        (
            "rejects",
            ErrorKind::Unavailable,
            "the store rejected its promise with TypeError (ECONNREFUSED)",
        ),
        // The code is not an identifier, so it may be anything.
        ("calls back with an error", ErrorKind::Other, "the store called back with TypeError"),
    ] {
        let error = store.get(way).await.unwrap_err();
        assert_eq!(error.to_string(), format!("odd: get: {message}"), "{way}");
        assert_eq!((error.kind(), error.outcome_unknown()), (kind, false), "{way}");
        is_hushed(&error, &secret);
        let error = store.set(way, &session("ann")).await.unwrap_err();
        assert_eq!(error.to_string(), format!("odd: set: {message}"), "{way}");
        // Nobody knows what the store did before.
        assert_eq!((error.kind(), error.outcome_unknown()), (kind, true), "{way}");
        is_hushed(&error, &secret);
    }
    for (way, what) in [
        ("a string", "a value of type string"),
        ("a number", "a value of type number"),
        ("a function", "a value of type function"),
        ("an array", "an array"),
        ("a cycle", "TypeError"),
    ] {
        let error = store.get(way).await.unwrap_err();
        let message = format!("odd: get: the store answered with {what}, not a session");
        assert_eq!((error.to_string(), error.kind()), (message, ErrorKind::Corrupt), "{way}");
        is_hushed(&error, &secret);
    }
    // What express-session takes for no session.
    for way in ["an empty string", "calls back with ENOENT", "an id that is not there"] {
        assert_eq!(store.get(way).await.unwrap(), None, "{way}");
    }
    let error = store.length().await.unwrap_err();
    let message = "odd: length: the store answered with an array, not the number of sessions";
    assert_eq!(error.to_string(), message);
    let error = store.all().next().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "odd: all: the store lists its sessions without their ids");
    let error = store.clear().await.unwrap_err();
    assert_eq!(error.to_string(), "odd: clear: the store has no method `clear`");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_second_answer_that_comes_later_is_an_event() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (builder, secret) = odd();
    let hears = Arc::clone(&told);
    let builder = builder.on_event(move |event| {
        if let NodeEvent::Failed(error) = event {
            hears.lock().unwrap().push(format!("{error} {error:?}"));
        }
    });
    let store = builder.build().unwrap();
    assert!(promisified(&store).get("twice, later").await.unwrap().is_some());
    eventually("the second answer", || !told.lock().unwrap().is_empty());
    let told = told.lock().unwrap()[0].clone();
    assert!(told.starts_with("odd: get: the store called its callback a second time"), "{told}");
    assert!(!told.contains(&secret));
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_callback_that_never_fires_ends_at_the_deadline_and_nothing_else_does() {
    let (builder, _) = odd();
    let store = builder.deadline(Duration::from_secs(6)).build().unwrap();
    store.ready().await.unwrap();
    let before = pid(&store).await;
    let never = promisified(&store);
    let error = never.set("never", &session("ann")).await.unwrap_err();
    assert_eq!(error.to_string(), "odd: set: the store did not call back in time");
    assert!(error.kind() == ErrorKind::Timeout && error.outcome_unknown());
    // The caller's deadline counts if it is earlier, with the more precise error if there is the time for it.
    let caller = promisify_store(store.clone()).with_deadline(Duration::from_millis(100));
    assert_eq!(caller.get("never").await.unwrap_err().kind(), ErrorKind::Timeout);
    // The process has answered the question whether it runs, so it was not ended.
    assert_eq!(pid(&store).await, before);
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn what_the_store_prints_disturbs_nothing_and_is_not_shown() {
    let (builder, _) = odd();
    let store = promisified(&builder.build().unwrap());
    for _ in 0..20 {
        assert!(store.get("prints").await.unwrap().is_some());
    }
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn two_megabytes_come_back_and_more_than_the_limit_is_too_large() {
    let (builder, _) = odd();
    let store = promisified(&builder.max_record(3 << 20).build().unwrap());
    let large = session(&"é".repeat(1 << 20));
    store.set("large", &large).await.unwrap();
    let found = store.get("large").await.unwrap().unwrap();
    assert!(found.get::<String>("user").unwrap() == large.get::<String>("user").unwrap());
    let error = store.set("large", &session(&"x".repeat(3 << 20))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().ends_with("the limit is 3145728 (max_record)"), "{error}");

    let (builder, _) = odd();
    let store = promisified(&builder.max_record(1 << 20).build().unwrap());
    let error = store.get("big").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    // The process goes on.
    assert_eq!(store.get("small").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node.js"]
async fn a_thousand_calls_are_under_way_at_once_and_each_gets_its_answer() {
    let (builder, _) = odd();
    let store = promisified(&builder.build().unwrap());
    let writes = (0..1_000).map(|number| {
        let (store, sid) = (&store, format!("{number}"));
        async move { store.set(&sid, &session(&format!("user {number}"))).await }
    });
    assert!(join_all(writes).await.into_iter().all(|written| written.is_ok()));
    let reads = (0..1_000).map(|number| {
        let (store, sid) = (&store, format!("{number}"));
        async move { store.get(&sid).await.unwrap().unwrap().get::<String>("user").unwrap() }
    });
    for (number, user) in join_all(reads).await.into_iter().enumerate() {
        assert_eq!(user, Some(format!("user {number}")));
    }
}

/// What cannot be blamed on a call ends the process, as in Express: all calls fail, and the next ones work.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn what_is_thrown_outside_of_a_call_fails_the_calls_at_once() {
    let (builder, secret) = odd();
    let store = builder.build().unwrap();
    let async_store = promisified(&store);
    for (way, message) in [
        (
            "throws later",
            "the store threw outside of a call and ended its process: TypeError (E_LATER)",
        ),
        (
            "rejects later",
            "the store left a rejection unhandled and ended its process: TypeError (E_LATER)",
        ),
    ] {
        let before = pid(&store).await;
        let (never, written) = (async_store.get("never"), session("ann"));
        let (first, second) = tokio::join!(never, async_store.set(way, &written));
        for (operation, error) in [("get", first.unwrap_err()), ("set", second.unwrap_err())] {
            assert_eq!(error.to_string(), format!("odd: {operation}: {message}"), "{way}");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{way}");
            assert_eq!(error.outcome_unknown(), operation == "set", "{way}");
            is_hushed(&error, &secret);
        }
        assert_ne!(pid(&store).await, before);
        assert!(!runs(before));
    }
}

#[tokio::test]
#[ignore = "needs Node.js"]
async fn debug_shows_neither_options_nor_environment() {
    let (builder, secret) = odd();
    let builder = builder.env("PASSWORD", &secret);
    assert!(!format!("{builder:?}").contains(&secret));
    let store = builder.build().unwrap();
    assert_eq!(format!("{store:?}"), r#"NodeStore { name: "odd", .. }"#);
    assert_eq!(format!("{:?}", promisified(&store)), r#"Promisified { store: "odd", .. }"#);
}

/// What waits is bounded: beyond it a call fails at once, and nothing was sent.
#[tokio::test]
#[ignore = "needs Node.js"]
async fn a_queue_that_is_full_is_an_error_at_once() {
    // The factory waits for ever, so nothing is sent.
    let builder = file("odd.cjs").name("odd").factory("() => new Promise(() => {})");
    let store = builder.queue(3, 5 << 18).deadline(PATIENCE).build().unwrap();
    let store = promisified(&store);
    let large = session(&"x".repeat(1 << 19));
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(store.set("a", &large))).collect();
    for call in &mut waiting {
        assert!(call.as_mut().now_or_never().is_none());
    }
    let error = store.set("a", &large).await.unwrap_err();
    assert_eq!(error.to_string(), "odd: set: too many calls wait for the Node.js process");
    assert!(error.kind() == ErrorKind::Unavailable && !error.outcome_unknown());
}
