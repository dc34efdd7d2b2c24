//! Connections that stay open and answer nothing.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use cloakroom_backend::{Idempotency, within};
use cloakroom_core::{ErrorKind, Store};
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_support::{Memcached, Proxy, Wait};
use futures::future::join_all;

use crate::{
    fake::{Fake, Then},
    options,
};

/// So long that a test fails by it rather than waits for it.
const FAR: Duration = Duration::from_secs(60);

struct Silent {
    _server: Memcached,
    proxy: Proxy,
    store: MemcachedStore,
}

/// A store behind a proxy, with many connections that nobody uses.
async fn behind(proxy: &Proxy, deadline: Duration, timeout: Duration) -> MemcachedStore {
    let options = options(|options| (options.deadline, options.timeout) = (deadline, timeout));
    let url = format!("memcached://{}", proxy.addr());
    let store = MemcachedStore::open_with(&url, options).unwrap();
    for outcome in join_all((0..30).map(|_| store.get("a"))).await {
        outcome.unwrap();
    }
    assert!(proxy.open() >= 10, "{}", proxy.open());
    store
}

/// The same, and none of the connections answers any more.
async fn silent(deadline: Duration, timeout: Duration) -> Silent {
    let server = Memcached::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let store = behind(&proxy, deadline, timeout).await;
    proxy.silence();
    Silent { _server: server, proxy, store }
}

/// A web server drops calls whose client is gone, or that take longer than it allows: the deadline is never met.
#[tokio::test]
#[ignore = "needs memcached"]
async fn a_silent_connection_is_left_by_a_call_that_is_dropped_late() {
    let silent = silent(FAR, Duration::from_millis(50)).await;
    let dropped = tokio::time::timeout(Duration::from_millis(500), silent.store.get("a")).await;
    assert!(dropped.is_err());
    silent.proxy.pass();
    for _ in 0..40 {
        let call = tokio::time::timeout(FAR / 2, silent.store.get("a")).await;
        call.expect("it is on a silent connection").unwrap();
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_call_that_waits_in_silence_holds_up_no_other_for_long() {
    let silent = silent(FAR, Duration::from_millis(50)).await;
    let dropped = tokio::time::timeout(Duration::from_millis(500), silent.store.get("a")).await;
    assert!(dropped.is_err());
    let closed = async {
        while silent.proxy.open() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(FAR / 2, closed).await.expect("the other connections are left, too");
    let store = silent.store.clone();
    let stuck = tokio::spawn(async move { store.get("a").await });
    let wait = Wait::until("the call has connected");
    while silent.proxy.open() == 0 {
        wait.check();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    silent.proxy.pass();
    let call = tokio::time::timeout(FAR / 2, silent.store.get("a")).await;
    call.expect("it waits for the one that is stuck").unwrap();
    assert!(!stuck.is_finished());
    stuck.abort();
}

/// A call of somebody who waits less than the store does, such as a health check. Returns whether it was answered.
async fn hurried(store: &MemcachedStore) -> bool {
    let limit = Duration::from_millis(50);
    within(Some(limit), "check", "ping", Idempotency::Read, store.get("a")).await.is_ok()
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_caller_in_a_hurry_costs_the_others_no_connection() {
    let mut server = Memcached::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let store = behind(&proxy, FAR, FAR).await;
    let before = proxy.connections();
    server.pause().unwrap();
    let other = tokio::spawn({
        let store = store.clone();
        async move { store.get("a").await }
    });
    assert!(!hurried(&store).await);
    server.resume().unwrap();
    other.await.unwrap().unwrap();
    for outcome in join_all((0..5).map(|_| store.get("a"))).await {
        outcome.unwrap();
    }
    assert_eq!(proxy.connections(), before, "there are enough of them");
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_silent_connection_is_left_by_calls_that_are_all_in_a_hurry() {
    let limit = Duration::from_millis(200);
    let silent = silent(limit, limit).await;
    silent.proxy.pass();
    let since = Instant::now();
    while !hurried(&silent.store).await {
        assert!(since.elapsed() < FAR);
    }
}

#[tokio::test]
async fn one_slow_answer_costs_one_connection() {
    let fake = Fake::start(|_, command| match command {
        "mg slow v f c" => Then::Silence,
        _ => Then::Answer("EN\r\n"),
    });
    let options = options(|options| options.deadline = Duration::from_millis(500));
    let store = MemcachedStore::open_with(&fake.url, options).unwrap();
    store.get("a").await.unwrap();
    let ended = AtomicBool::new(false);
    let slow = async {
        let error = store.get("slow").await.unwrap_err();
        ended.store(true, Ordering::SeqCst);
        error
    };
    let others = async {
        while !ended.load(Ordering::SeqCst) {
            store.get("a").await.unwrap();
        }
    };
    let (error, ()) = futures::future::join(slow, others).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    for _ in 0..10 {
        store.get("a").await.unwrap();
    }
    assert_eq!(fake.connections(), 2, "the one that has answered is still in use");
}
