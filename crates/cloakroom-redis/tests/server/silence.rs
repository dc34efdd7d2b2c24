//! Connections that stay open and answer nothing, and servers that hang up on everybody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_backend::{Idempotency, within};
use cloakroom_core::{ErrorKind, Store};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{Proxy, RedisServer};
use tokio::time::timeout;

use crate::{
    fake::{Fake, HELLO, Then},
    options, session,
};

/// So long that a test fails by it rather than waits for it.
const FAR: Duration = Duration::from_secs(60);

fn behind(proxy: &Proxy, deadline: Duration) -> RedisStore {
    let options = options(|options| options.deadline = deadline);
    RedisStore::open_with(&format!("redis://{}", proxy.addr()), options).unwrap()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_is_under_way_on_a_silent_connection_and_can_be_repeated_is() {
    const DEADLINE: Duration = Duration::from_secs(2);
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let store = behind(&proxy, DEADLINE);
    store.set("a", &session()).await.unwrap();
    proxy.silence();
    proxy.pass();
    let first = tokio::spawn({
        let store = store.clone();
        async move { store.get("a").await }
    });
    tokio::time::sleep(DEADLINE / 2).await;
    let (read, touched, set) = futures::future::join3(
        store.get("a"),
        store.touch("a", &session()),
        store.set("a", &session()),
    )
    .await;
    assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(read.unwrap(), Some(session()));
    touched.unwrap();
    let error = set.unwrap_err();
    assert!(error.outcome_unknown(), "it must not be sent twice: {error}");
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_login_that_nobody_answers_is_left_too() {
    // Shorter than the time that a login has.
    const DEADLINE: Duration = Duration::from_millis(500);
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let store = behind(&proxy, DEADLINE);
    proxy.silence();
    let error = store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(!error.outcome_unknown(), "nothing was sent: {error}");
    proxy.pass();
    store.set("a", &session()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_silent_connection_costs_all_tasks_one_deadline_and_one_connection() {
    const DEADLINE: Duration = Duration::from_secs(1);
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let store = behind(&proxy, DEADLINE);
    store.set("a", &session()).await.unwrap();
    proxy.silence();
    proxy.pass();
    let tasks = (0..50).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            // At most one of a task's calls was under way when the connection went silent.
            let failures = [store.get("a").await, store.get("a").await];
            failures.iter().filter(|outcome| outcome.is_err()).count()
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert!(task.await.unwrap() <= 1);
    }
    assert_eq!(proxy.connections(), 2);
}

/// A call of somebody who waits less than the store does, such as a health check. Returns whether it was answered.
async fn hurried(store: &RedisStore) -> bool {
    let limit = Duration::from_millis(50);
    within(Some(limit), "check", "ping", Idempotency::Read, store.get("a")).await.is_ok()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_caller_in_a_hurry_costs_the_others_no_connection() {
    for is_connected in [true, false] {
        let mut server = RedisServer::start().unwrap();
        let proxy = Proxy::start(&server.addr()).unwrap();
        let store = behind(&proxy, FAR);
        if is_connected {
            store.get("a").await.unwrap();
        }
        server.pause().unwrap();
        let other = tokio::spawn({
            let store = store.clone();
            async move { store.get("a").await }
        });
        assert!(!hurried(&store).await);
        server.resume().unwrap();
        other.await.unwrap().unwrap();
        store.get("a").await.unwrap();
        assert_eq!(proxy.connections(), 1, "connected before: {is_connected}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_silent_connection_is_left_by_calls_that_are_all_in_a_hurry() {
    for are_dropped in [false, true] {
        let server = RedisServer::start().unwrap();
        let proxy = Proxy::start(&server.addr()).unwrap();
        let store = behind(&proxy, Duration::from_millis(400));
        store.get("a").await.unwrap();
        proxy.silence();
        proxy.pass();
        let since = Instant::now();
        let mut is_answered = false;
        while !is_answered {
            assert!(since.elapsed() < FAR, "dropped: {are_dropped}");
            is_answered = if are_dropped {
                let call = timeout(Duration::from_millis(50), store.get("a"));
                call.await.is_ok_and(|outcome| outcome.is_ok())
            } else {
                hurried(&store).await
            };
        }
    }
}

/// Whatever a server does, tasks share the attempts to connect, and these pause.
#[tokio::test(flavor = "multi_thread")]
async fn forty_tasks_on_a_bad_server_make_few_connections_and_are_back_at_once() {
    type Bad = fn(&[String]) -> Then;
    let bad: [(&str, Bad); 5] = [
        ("hangs up", |_| Then::Close),
        ("hangs up after the login", |words| match &*words[0] {
            "HELLO" => Then::Answer(HELLO),
            _ => Then::Close,
        }),
        ("answers garbage", |_| Then::Answer("HTTP/1.1 400 Bad Request\r\n\r\n")),
        ("answers garbage after the login", |words| match &*words[0] {
            "HELLO" => Then::Answer(HELLO),
            _ => Then::Answer("HTTP/1.1 400 Bad Request\r\n\r\n"),
        }),
        ("is a replica", |words| match &*words[0] {
            "HELLO" => Then::Answer(HELLO),
            _ => Then::Answer("-READONLY You can't write against a read only replica.\r\n"),
        }),
    ];
    for (name, bad) in bad {
        let is_bad = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&is_bad);
        let fake = Fake::start(move |_, words| match &*words[0] {
            _ if still.load(Ordering::SeqCst) => bad(words),
            "HELLO" => Then::Answer(HELLO),
            _ => Then::Answer("+OK\r\n"),
        });
        let store = RedisStore::open(&fake.url).unwrap();
        let since = Instant::now();
        let tasks = (0..40).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                while since.elapsed() < Duration::from_secs(1) {
                    store.set("a", &session()).await.unwrap_err();
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        // A pause is 40 to 50 ms long, the first two are shorter.
        let most = since.elapsed().as_millis() / 40 + 5;
        let connections = fake.connections();
        println!("{name}: {connections} connections in {:?}", since.elapsed());
        assert!(connections as u128 <= most, "{name}: {connections} connections");
        is_bad.store(false, Ordering::SeqCst);
        while let Err(error) = store.set("a", &session()).await {
            assert!(error.is_retryable(), "{name}: {error}");
            assert!(fake.connections() <= connections + 2, "{name}: {error}");
        }
    }
}
