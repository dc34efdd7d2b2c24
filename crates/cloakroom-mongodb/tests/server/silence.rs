//! Connections that stay open and answer nothing, and servers that hang up.

use std::time::Duration;

use cloakroom_backend::{Idempotency, within};
use cloakroom_core::{ErrorKind, Store};
use cloakroom_mongodb::MongoStore;
use cloakroom_test_support::{Mongod, Proxy, Wait, unique};
use futures::future::join_all;
use tokio::time::{Instant, timeout};

use crate::{SERVER, atomic, session};

/// A store behind a proxy, with this many connections that have been used.
async fn behind(proxy: &Proxy, query: &str, connections: usize) -> MongoStore {
    let mut url =
        format!("mongodb://{}/silence?collectionName={}{query}", proxy.addr(), unique("s"));
    if !query.contains("heartbeat") {
        // The driver's monitors notice nothing in the time of a test.
        url += "&heartbeatFrequencyMS=600000";
    }
    let store = MongoStore::open(&url).unwrap();
    // On a slow machine a call can meet its deadline and is made again.
    let wait = Wait::until("all connections are made");
    while store.set("a", &session()).await.is_err() {
        wait.check();
    }
    loop {
        wait.check();
        let count = proxy.connections();
        // The driver makes two at a time, and as many as are asked for at once.
        let warm = (0..connections * 2).map(|_| store.get("a"));
        let have_all_answered = join_all(warm).await.iter().all(Result::is_ok);
        if have_all_answered && count >= connections {
            return store;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn connections_that_answer_nothing_are_left_after_one_deadline() {
    let proxy = Proxy::start(&SERVER.addr()).unwrap();
    for encrypted in [false, true] {
        if encrypted && !cfg!(feature = "encryption") {
            continue;
        }
        let query = if encrypted { "&secret=squirrel" } else { "" };
        let store = behind(&proxy, query, proxy.connections() + 8).await;
        proxy.silence();
        proxy.pass();
        let error = store.set("a", &session()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.outcome_unknown());
        // Each of them has the deadline, and none waits for a connection that is lost.
        assert_eq!(store.get("a").await.unwrap(), Some(session()));
        let written = session();
        let answers = join_all((0..16).map(|_| store.set("a", &written))).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert!(atomic(&store).get_and_touch("a", None).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn the_first_call_after_a_silence_works() {
    let proxy = Proxy::start(&SERVER.addr()).unwrap();
    let store = behind(&proxy, "&deadline=3000", 8).await;
    proxy.silence();
    let first = store.set("a", &session()).await.unwrap_err();
    assert_eq!((first.kind(), first.outcome_unknown()), (ErrorKind::Timeout, true));
    for _ in 0..2 {
        // Nothing answers on the new connections either, so that nothing is sent.
        let error = store.set("a", &session()).await.unwrap_err();
        assert!(error.is_retryable() && !error.outcome_unknown(), "{error:?}");
    }
    proxy.pass();
    store.set("a", &session()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn calls_that_nobody_waits_for_leave_them_too() {
    let proxy = Proxy::start(&SERVER.addr()).unwrap();
    let store = behind(&proxy, "&deadline=2000&maxPoolSize=4", 4).await;
    proxy.silence();
    proxy.pass();
    let since = Instant::now();
    // Each is dropped long before its deadline.
    while !matches!(timeout(Duration::from_millis(300), store.get("a")).await, Ok(Ok(Some(_)))) {
        assert!(since.elapsed() < Duration::from_secs(60));
    }
}

/// A call of somebody who waits less than the store does, such as a health check. Returns whether it was answered.
async fn hurried(store: &MongoStore) -> bool {
    let limit = Duration::from_millis(300);
    within(Some(limit), "check", "ping", Idempotency::Read, store.get("a")).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn a_caller_in_a_hurry_costs_the_others_no_client() {
    let mut server = Mongod::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let store = behind(&proxy, "&deadline=60000&maxPoolSize=4", 5).await;
    server.pause().unwrap();
    let other = tokio::spawn({
        let store = store.clone();
        async move { store.get("a").await }
    });
    for _ in 0..2 {
        assert!(!hurried(&store).await);
    }
    server.resume().unwrap();
    other.await.unwrap().unwrap();
    store.get("a").await.unwrap();
    // The pool's four and the monitors' two: another client would have made more.
    assert!(proxy.connections() <= 6, "{} connections", proxy.connections());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn calls_that_are_all_in_a_hurry_leave_them_too() {
    let proxy = Proxy::start(&SERVER.addr()).unwrap();
    let store = behind(&proxy, "&deadline=2000&maxPoolSize=4", 4).await;
    proxy.silence();
    proxy.pass();
    let since = Instant::now();
    while !hurried(&store).await {
        assert!(since.elapsed() < Duration::from_secs(60));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn what_was_left_is_closed() {
    let proxy = Proxy::start(&SERVER.addr()).unwrap();
    let store = behind(&proxy, "&deadline=1000&heartbeatFrequencyMS=500", 8).await;
    proxy.silence();
    proxy.pass();
    let answers = join_all((0..8).map(|_| store.get("a"))).await;
    assert!(answers.iter().any(Result::is_err), "{answers:?}");
    let since = Instant::now();
    while store.get("a").await.is_err() {
        assert!(since.elapsed() < Duration::from_secs(60));
    }
    // The monitors' connections and a few of those that were made since.
    while proxy.open() > 4 {
        assert!(since.elapsed() < Duration::from_secs(60), "{} are open", proxy.open());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The connections that 40 tasks make in five seconds, while each tries again as soon as it has failed.
async fn connections_of_40_tasks(proxy: &Proxy, store: &MongoStore) -> usize {
    let before = proxy.connections();
    let until = Instant::now() + Duration::from_secs(5);
    let tasks = (0..40).map(|_| async {
        while Instant::now() < until {
            let _ = store.get("a").await;
        }
    });
    join_all(tasks).await;
    proxy.connections() - before
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn a_server_that_hangs_up_or_is_silent_gets_no_storm() {
    let proxy = Proxy::start(&SERVER.addr()).unwrap();
    let store = behind(&proxy, "&deadline=500", 8).await;
    proxy.cut();
    let hung_up = connections_of_40_tasks(&proxy, &store).await;
    assert!(hung_up < 300, "{hung_up} connections while it hung up");
    proxy.silence();
    let silent = connections_of_40_tasks(&proxy, &store).await;
    assert!(silent < 300, "{silent} connections while it was silent");
    proxy.pass();
    let since = Instant::now();
    while store.get("a").await.is_err() {
        assert!(since.elapsed() < Duration::from_secs(60));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn calls_that_wait_their_turn_on_a_silent_server_share_a_few_clients() {
    const LIMIT: Duration = Duration::from_secs(2);
    let proxy = Proxy::start(&SERVER.addr()).unwrap();
    let store = behind(&proxy, "&deadline=2000&maxPoolSize=4", 4).await;
    proxy.silence();
    let (before, since) = (proxy.connections(), Instant::now());
    let mut calls = Vec::new();
    // Each meets its deadline a little later than the one before it, and most of them have hardly begun by then.
    for _ in 0..200 {
        let store = store.clone();
        calls.push(tokio::spawn(async move { store.get("a").await.unwrap_err() }));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for call in calls {
        call.await.unwrap();
    }
    // A client is left after three quarters of a deadline at the earliest. Nothing answers on a new one, which makes
    // few connections: a monitor's, again when that is given up, and one to ask how long a round trip takes.
    let clients = 2 + (since.elapsed().as_millis() / (LIMIT / 4 * 3).as_millis()) as usize;
    let made = proxy.connections() - before;
    assert!(made <= 4 * clients, "{made} connections of {clients} clients");
}
