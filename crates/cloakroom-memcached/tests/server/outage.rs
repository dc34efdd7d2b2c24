//! Servers that die, freeze and come back.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use cloakroom_core::{ErrorKind, Revision, Store};
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_support::{Memcached, Stopwatch, Wait};
use futures::FutureExt;

use crate::{
    atomic,
    fake::{Fake, Then},
    listing, options, session,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn it_is_back_as_soon_as_the_server_is() {
    let mut server = Memcached::start().unwrap();
    let store = MemcachedStore::open(&server.url()).unwrap();
    store.set("a", &session()).await.unwrap();
    server.stop();
    // In this time, the runtime notices the end of the connection.
    tokio::time::sleep(Duration::from_millis(20)).await;

    let watch = Stopwatch::start();
    let mut slowest = Duration::ZERO;
    while watch.elapsed() < Duration::from_millis(500) {
        let call = Instant::now();
        let error = store.set("a", &session()).await.unwrap_err();
        slowest = slowest.max(call.elapsed());
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.is_retryable() && !error.outcome_unknown());
    }
    // An outage is told at once.
    watch.check(slowest, Duration::from_millis(500));

    let addr = server.addr();
    let listening = thread::spawn(move || {
        let wait = Wait::until("the server listens");
        while TcpStream::connect(&addr).is_err() {
            wait.check();
            thread::sleep(Duration::from_micros(200));
        }
        Instant::now()
    });
    let restart = thread::spawn(move || server.restart().map(|()| server));
    let wait = Wait::until("the store works again");
    while store.set("a", &session()).await.is_err() {
        wait.check();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let late = Instant::now().saturating_duration_since(listening.join().unwrap());
    println!(
        "slowest call of the outage {slowest:?}, first success {late:?} after the server listens"
    );
    watch.check(late, Duration::from_millis(100));
    restart.join().unwrap().unwrap();
}

#[tokio::test]
async fn a_machine_that_does_not_answer_is_a_timeout_within_a_second_or_so() {
    // A test network of RFC 5737 leads nowhere; where a router says so at once, that is an answer too.
    let store = MemcachedStore::open("memcached://192.0.2.1").unwrap();
    let watch = Stopwatch::start();
    let error = store.set("a", &session()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
    assert!(!error.outcome_unknown(), "nothing was sent");
    watch.check(watch.elapsed(), Duration::from_secs(2));
}

#[tokio::test]
async fn a_name_that_is_unknown_is_unavailable() {
    let store = MemcachedStore::open("memcached://no-such-host.invalid").unwrap();
    let error = store.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("no-such-host.invalid cannot be reached"), "{error}");
}

/// A server whose first connection ends with its second command.
fn hangs_up_once() -> Fake {
    let seen = std::sync::atomic::AtomicUsize::new(0);
    Fake::start(move |connection, command| match command.split(' ').next() {
        Some("mn") => Then::Answer("MN\r\n"),
        _ if connection == 0 => {
            seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Then::Close
        }
        Some("mg") => Then::Answer("EN\r\n"),
        Some("md") => Then::Answer("NF\r\n"),
        _ => Then::Answer("HD c9\r\n"),
    })
}

#[tokio::test]
async fn what_can_be_repeated_is_when_the_answer_is_lost() {
    let read = session();
    for operation in 0..4 {
        let fake = hangs_up_once();
        let store = MemcachedStore::open(&fake.url).unwrap();
        store.ping().await.unwrap();
        match operation {
            0 => store.get("a").await.map(drop),
            1 => store.destroy("a").await,
            2 => store.touch("a", &read).await.map(drop),
            _ => atomic(&store).get_and_touch("a", None).await.map(drop),
        }
        .unwrap();
        let commands = fake.commands();
        assert_eq!(commands.len(), 3, "{commands:?}");
        assert_eq!(commands[1], commands[2]);
    }
}

#[tokio::test]
async fn what_cannot_be_repeated_is_not_and_its_outcome_is_unknown() {
    let read = session().with_revision(Revision::from_number(7));
    for operation in 0..3 {
        let fake = hangs_up_once();
        let store = MemcachedStore::open(&fake.url).unwrap();
        store.ping().await.unwrap();
        let error = match operation {
            0 => store.set("a", &read).await,
            1 => atomic(&store).create("a", &read).await.map(drop),
            _ => atomic(&store).update("a", &read).await.map(drop),
        }
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.outcome_unknown() && error.is_retryable(), "{error}");
        assert_eq!(fake.commands(), ["mn", "ms"]);
        store.set("a", &read).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_always_hangs_up_is_tried_twice_and_no_more() {
    let fake = Fake::start(|_, _| Then::Close);
    let store = MemcachedStore::open(&fake.url).unwrap();
    let error = store.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(fake.commands(), ["mg", "mg"]);
}

#[tokio::test]
async fn a_write_that_was_lost_stays_unknown_when_the_server_is_gone_too() {
    let fake =
        Fake::start(|connection, _| if connection == 0 { Then::Close } else { Then::Silence });
    let options = options(|options| options.deadline = Duration::from_millis(100));
    let store = MemcachedStore::open_with(&fake.url, options).unwrap();
    let error = store.destroy("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.outcome_unknown());
}

#[test]
fn without_a_runtime_it_is_an_error_and_no_panic() {
    let store = MemcachedStore::open("memcached://127.0.0.1:1").unwrap();
    let (listing, large) = (listing(&store), crate::large(5_000));
    futures::executor::block_on(async {
        for error in [
            store.get("a").await.unwrap_err(),
            store.set("a", &session()).await.unwrap_err(),
            store.set("a", &large).await.unwrap_err(),
            listing.length().await.unwrap_err(),
            store.ping().await.unwrap_err(),
            store.flush_servers().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().ends_with("must be called from within a tokio runtime"));
        }
    });
}

/// A task can begin a call and then do something else first.
#[tokio::test]
#[ignore = "needs memcached"]
async fn a_call_that_nobody_polls_holds_up_no_other() {
    let mut server = Memcached::start().unwrap();
    let options = options(|options| {
        (options.deadline, options.timeout) = (Duration::from_secs(60), Duration::from_millis(500));
    });
    let store = MemcachedStore::open_with(&server.url(), options).unwrap();
    store.get("a").await.unwrap();
    server.stop();
    for _ in 0..3 {
        store.get("a").await.unwrap_err();
    }
    // One of them has the turn to connect, and the other waits for it.
    let mut calls = [Box::pin(store.get("b")), Box::pin(store.get("c"))];
    for call in &mut calls {
        assert!(call.as_mut().now_or_never().is_none());
    }
    server.restart().unwrap();
    let wait = Wait::until("another call succeeds");
    while let Err(error) = store.get("a").await {
        assert_ne!(error.to_string(), "memcached: get: no answer within 60s");
        wait.check();
    }
    for call in calls {
        let _ = call.await;
    }
}
