//! Servers that die, freeze and come back.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use cloakroom_core::{Error, ErrorKind, Revision, Store};
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_support::{Memcached, Stopwatch};
use futures::TryStreamExt;

use crate::{
    Bench, Raw, atomic,
    fake::{Fake, Then},
    listing, options, session,
};

/// Every operation once: its name, whether it writes, and what came of it.
async fn all_operations(store: &MemcachedStore) -> Vec<(&'static str, bool, Result<(), Error>)> {
    let read = session().with_revision(Revision::from_number(7));
    let (atomic, listing) = (atomic(store), listing(store));
    vec![
        ("get", false, store.get("a").await.map(drop)),
        ("set", true, store.set("a", &read).await),
        ("destroy", true, store.destroy("a").await),
        ("touch", true, store.touch("a", &read).await.map(drop)),
        ("create", true, atomic.create("a", &read).await.map(drop)),
        ("update", true, atomic.update("a", &read).await.map(drop)),
        ("get_and_touch", true, atomic.get_and_touch("a", None).await.map(drop)),
        ("ids", false, listing.ids().try_collect::<Vec<_>>().await.map(drop)),
        ("all", false, listing.all().try_collect::<Vec<_>>().await.map(drop)),
        ("length", false, listing.length().await.map(drop)),
        ("clear", false, listing.clear().await),
    ]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn it_is_back_as_soon_as_the_server_is() {
    let mut server = Memcached::start().unwrap();
    let store = MemcachedStore::open(&server.url()).unwrap();
    store.set("a", &session()).await.unwrap();
    server.stop();
    // The runtime sees the end of the connection meanwhile.
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
        while TcpStream::connect(&addr).is_err() {
            thread::sleep(Duration::from_micros(200));
        }
        Instant::now()
    });
    let restart = thread::spawn(move || server.restart().map(|()| server));
    while store.set("a", &session()).await.is_err() {
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
#[ignore = "needs memcached"]
async fn after_a_quiet_outage_the_first_call_works_whatever_it_is() {
    for first in 0..4 {
        let mut server = Memcached::start().unwrap();
        let store = MemcachedStore::open(&server.url()).unwrap();
        store.ping().await.unwrap();
        server.stop();
        if first == 3 {
            store.get("a").await.unwrap_err();
        }
        server.restart().unwrap();
        // The runtime has to see the end of the old connection, as it would between two requests.
        tokio::time::sleep(Duration::from_millis(20)).await;
        match first {
            0 => drop(store.get("a").await.unwrap()),
            1 => drop(atomic(&store).create("a", &session()).await.unwrap()),
            _ => store.set("a", &session()).await.unwrap(),
        }
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_frozen_server_is_a_timeout_by_the_deadline() {
    const DEADLINE: Duration = Duration::from_millis(150);
    let options = options(|options| options.deadline = DEADLINE);
    let mut bench = Bench::with(options.clone());
    bench.store.ping().await.unwrap();
    let mut fresh = options;
    fresh.prefix = "s:".to_owned();
    let fresh = MemcachedStore::open_with(&bench.server.url(), fresh).unwrap();
    bench.server.pause().unwrap();
    for store in [&bench.store, &fresh] {
        let watch = Stopwatch::start();
        let calls = all_operations(store).await;
        let average = watch.elapsed() / u32::try_from(calls.len()).unwrap();
        for (name, writes, outcome) in calls {
            let error = outcome.expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
            assert_eq!(error.operation(), name);
            assert_eq!(error.outcome_unknown(), writes, "{name}: {error}");
            assert!(error.is_retryable());
        }
        watch.check(average, DEADLINE + Duration::from_millis(50));
        let watch = Stopwatch::start();
        // More than there are connections.
        futures::future::join_all((0..200).map(|_| store.get("a"))).await;
        watch.check(watch.elapsed(), DEADLINE + Duration::from_millis(150));
    }
    bench.server.resume().unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    for store in [&bench.store, &fresh] {
        for (name, _, outcome) in all_operations(store).await {
            outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
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

#[tokio::test]
#[ignore = "needs memcached"]
async fn of_many_connections_that_died_one_call_notices_at_most() {
    let mut bench = Bench::start();
    let calls = (0..30).map(|_| bench.store.get("a"));
    futures::future::join_all(calls).await;
    assert!(Raw::connect(&bench.server).stat("curr_connections") >= 10);
    bench.server.restart().unwrap();
    // Without a pause, the runtime has not seen their end: the first call writes into one of them.
    let first = bench.store.set("a", &session()).await;
    if let Err(error) = first {
        assert!(error.outcome_unknown() && error.is_retryable(), "{error}");
    }
    for _ in 0..30 {
        bench.store.set("a", &session()).await.unwrap();
    }
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

#[test]
#[ignore = "needs memcached"]
fn a_store_outlives_the_runtime_of_its_connections() {
    let bench = Bench::start();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            bench.store.set("a", &session()).await.unwrap();
            assert!(bench.store.get("a").await.unwrap().is_some());
        });
    }
}
