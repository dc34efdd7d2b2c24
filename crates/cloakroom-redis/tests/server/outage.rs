//! Servers that die, freeze and come back.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use cloakroom_core::{Error, ErrorKind, Revision, Store};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{RedisServer, Stopwatch};
use futures::TryStreamExt;

use crate::{
    Bench, atomic,
    fake::{Fake, HELLO, Then},
    listing, options, session,
};

/// Waits until the server answers on a socket of its own.
fn answers_since(addr: &str) -> Instant {
    loop {
        let answer = TcpStream::connect(addr).and_then(|mut stream| {
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 7];
            stream.read_exact(&mut answer).map(|()| answer)
        });
        if answer.is_ok_and(|answer| &answer == b"+PONG\r\n") {
            return Instant::now();
        }
        thread::sleep(Duration::from_micros(200));
    }
}

/// An operation's name, whether it writes, and what came of it.
pub(crate) type Outcome = (&'static str, bool, Result<(), Error>);

/// How many operations there are.
pub(crate) const OPERATIONS: usize = 11;

pub(crate) async fn operation(store: &RedisStore, number: usize) -> Outcome {
    let read = session().with_revision(Revision::of_text());
    let (atomic, listing) = (atomic(store), listing(store));
    match number {
        0 => ("get", false, store.get("a").await.map(drop)),
        1 => ("set", true, store.set("a", &read).await),
        2 => ("destroy", true, store.destroy("a").await),
        3 => ("touch", true, store.touch("a", &read).await.map(drop)),
        4 => ("create", true, atomic.create("a", &read).await.map(drop)),
        5 => ("update", true, atomic.update("a", &read).await.map(drop)),
        6 => ("get_and_touch", true, atomic.get_and_touch("a", None).await.map(drop)),
        7 => ("ids", false, listing.ids().try_collect::<Vec<_>>().await.map(drop)),
        8 => ("all", false, listing.all().try_collect::<Vec<_>>().await.map(drop)),
        9 => ("length", false, listing.length().await.map(drop)),
        _ => ("clear", false, listing.clear().await),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn it_is_back_within_100_ms_of_the_server() {
    for query in ["", "?protocol=resp2"] {
        let mut server = RedisServer::start().unwrap();
        let store = RedisStore::open(&format!("{}{query}", server.url())).unwrap();
        store.set("a", &session()).await.unwrap();
        server.stop();

        let watch = Stopwatch::start();
        let mut slowest = Duration::ZERO;
        while watch.elapsed() < Duration::from_secs(1) {
            let call = Instant::now();
            let error = store.set("a", &session()).await.unwrap_err();
            slowest = slowest.max(call.elapsed());
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.is_retryable());
        }
        // An outage is told at once.
        watch.check(slowest, Duration::from_millis(500));

        let addr = server.addr();
        let ping = thread::spawn(move || answers_since(&addr));
        let restart = thread::spawn(move || server.restart().map(|()| server));
        while store.set("a", &session()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let success = Instant::now();
        let late = success.saturating_duration_since(ping.join().unwrap());
        println!(
            "slowest call of the outage {slowest:?}, first success {late:?} after the server's PONG"
        );
        watch.check(late, Duration::from_millis(100));
        restart.join().unwrap().unwrap();
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn after_a_quiet_outage_the_first_call_works_whatever_it_is() {
    for query in ["", "?protocol=resp2"] {
        for first in 0..4 {
            let mut server = RedisServer::start().unwrap();
            let store = RedisStore::open(&format!("{}{query}", server.url())).unwrap();
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
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_frozen_server_is_a_timeout_by_the_deadline() {
    const DEADLINE: Duration = Duration::from_millis(150);
    let mut bench = Bench::with(options(|options| options.deadline = DEADLINE));
    let open = || {
        let options = options(|options| options.deadline = DEADLINE);
        RedisStore::open_with(&bench.server.url(), options).unwrap()
    };
    let fresh = open();
    // A connection that answers nothing is left, so each operation has one of its own.
    let mut connected = Vec::new();
    for _ in 0..OPERATIONS {
        let store = open();
        store.ping().await.unwrap();
        connected.push(store);
    }
    bench.server.pause().unwrap();
    let watch = Stopwatch::start();
    for (number, store) in connected.iter().enumerate() {
        check_late(operation(store, number).await, true);
    }
    for number in 0..OPERATIONS {
        check_late(operation(&fresh, number).await, false);
    }
    let calls = u32::try_from(2 * OPERATIONS).unwrap();
    watch.check(watch.elapsed(), (DEADLINE + Duration::from_millis(50)) * calls);
    for store in [&connected[0], &fresh] {
        let watch = Stopwatch::start();
        futures::future::join_all((0..100).map(|_| store.get("a"))).await;
        watch.check(watch.elapsed(), DEADLINE + Duration::from_millis(100));
    }
    bench.server.resume().unwrap();
    for store in [&bench.store, &fresh].into_iter().chain(&connected) {
        for number in 0..OPERATIONS {
            // A busy machine can be slower than this deadline; it is not so for ever.
            let watch = Stopwatch::start();
            while let (name, _, Err(error)) = operation(store, number).await {
                assert!(error.is_retryable(), "{name}: {error}");
                watch.check(watch.elapsed(), Duration::from_secs(60));
            }
        }
    }
}

fn check_late((name, writes, outcome): Outcome, sent: bool) {
    let error = outcome.expect_err(name);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
    assert_eq!(error.operation(), name);
    assert_eq!(error.outcome_unknown(), writes && sent, "{name}: {error}");
    assert!(error.is_retryable());
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_accepts_and_is_silent_is_a_timeout_within_seconds() {
    let mut bench = Bench::start();
    bench.server.pause().unwrap();
    let watch = Stopwatch::start();
    let error = bench.store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(!error.outcome_unknown(), "nothing was sent");
    // Not the whole deadline.
    watch.check(watch.elapsed(), Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn the_calls_under_way_end_with_the_server() {
    let mut bench = Bench::start();
    bench.store.ping().await.unwrap();
    bench.server.pause().unwrap();
    let calls = (0..50).map(|number| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            match number % 3 {
                0 => (false, store.get("a").await.map(drop)),
                1 => (true, store.set("a", &session()).await),
                _ => (true, store.destroy("a").await),
            }
        })
    });
    let calls: Vec<_> = calls.collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.server.stop();
    let watch = Stopwatch::start();
    for call in calls {
        let (writes, outcome) = call.await.unwrap();
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(error.outcome_unknown(), writes, "{error}");
    }
    watch.check(watch.elapsed(), Duration::from_secs(1));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_connection_that_the_server_closed_while_idle_is_replaced() {
    let bench = Bench::start();
    for query in ["", "?protocol=resp2"] {
        let store = RedisStore::open(&format!("{}{query}", bench.server.url())).unwrap();
        for _ in 0..10 {
            store.set("a", &session()).await.unwrap();
            bench.raw::<()>(redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A server whose first connection ends with the first command that is not part of the login.
fn hangs_up_once() -> Fake {
    Fake::start(|connection, words| match (&*words[0], connection) {
        ("HELLO", _) => Then::Answer(HELLO),
        (_, 0) => Then::Close,
        ("GET" | "GETEX", _) => Then::Answer("$-1\r\n"),
        ("DEL" | "EXPIRE", _) => Then::Answer(":0\r\n"),
        ("SCAN", _) => Then::Answer("*2\r\n$1\r\n0\r\n*0\r\n"),
        _ => Then::Answer("+OK\r\n"),
    })
}

#[tokio::test]
async fn what_can_be_repeated_is_when_the_answer_is_lost() {
    let read = session().with_revision(Revision::of_text());
    for operation in 0..5 {
        let fake = hangs_up_once();
        let store = RedisStore::open(&fake.url).unwrap();
        match operation {
            0 => store.get("a").await.map(drop),
            1 => store.destroy("a").await,
            2 => store.touch("a", &read).await.map(drop),
            3 => atomic(&store).get_and_touch("a", None).await.map(drop),
            _ => listing(&store).length().await.map(drop),
        }
        .unwrap();
        let commands = fake.commands();
        assert_eq!(commands.len(), 4, "{commands:?}");
        assert_eq!(commands[1], commands[3]);
    }
}

#[tokio::test]
async fn what_cannot_be_repeated_is_not_and_its_outcome_is_unknown() {
    let read = session().with_revision(Revision::of_text());
    for operation in 0..3 {
        let fake = hangs_up_once();
        let store = RedisStore::open(&fake.url).unwrap();
        let error = match operation {
            0 => store.set("a", &read).await,
            1 => atomic(&store).create("a", &read).await.map(drop),
            _ => atomic(&store).update("a", &read).await.map(drop),
        }
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.outcome_unknown() && error.is_retryable(), "{error}");
        assert_eq!(fake.commands().len(), 2, "{:?}", fake.commands());
        store.set("a", &read).await.unwrap();
    }
}

#[tokio::test]
async fn a_repeated_write_that_fails_otherwise_has_an_unknown_outcome_too() {
    let fake = Fake::start(|connection, words| match (&*words[0], connection) {
        ("HELLO", _) => Then::Answer(HELLO),
        (_, 0) => Then::Close,
        _ => Then::Answer("-LOADING Redis is loading the dataset in memory\r\n"),
    });
    let store = RedisStore::open(&fake.url).unwrap();
    let error = store.destroy("a").await.unwrap_err();
    assert!(error.to_string().contains("loading"), "{error}");
    assert!(error.outcome_unknown(), "the first one can have worked");
    let error = store.destroy("a").await.unwrap_err();
    assert!(!error.outcome_unknown(), "this one was refused");
}

#[tokio::test]
async fn a_server_that_always_hangs_up_is_tried_twice_and_no_more() {
    let fake = Fake::start(|_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        _ => Then::Close,
    });
    let store = RedisStore::open(&fake.url).unwrap();
    let error = store.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(fake.commands(), ["HELLO", "GET", "HELLO", "GET"]);
}

#[tokio::test]
async fn a_proxy_without_a_server_behind_it_loses_nothing() {
    let fake = Fake::start(|_, _| Then::Close);
    let store = RedisStore::open(&fake.url).unwrap();
    let error = store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.outcome_unknown(), "it hung up during the login: {error}");
}

#[tokio::test]
async fn one_slow_answer_does_not_end_the_connection() {
    let fake = Fake::start(|_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "GET" if words[1] == "sess:slow" => {
            thread::sleep(Duration::from_millis(300));
            Then::Answer("$19\r\n{\"cookie\":{},\"s\":1}\r\n")
        }
        _ => Then::Answer("$-1\r\n"),
    });
    let options = options(|options| options.deadline = Duration::from_millis(100));
    let store = RedisStore::open_with(&fake.url, options).unwrap();
    assert_eq!(store.get("slow").await.unwrap_err().kind(), ErrorKind::Timeout);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(store.get("quick").await.unwrap(), None, "its own answer, not the late one");
    assert_eq!(fake.commands(), ["HELLO", "GET", "GET"], "on the same connection");
}

#[tokio::test]
async fn silence_on_one_command_is_that_commands_timeout() {
    let fake = Fake::start(|_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        _ => Then::Silence,
    });
    let options = options(|options| options.deadline = Duration::from_millis(100));
    let store = RedisStore::open_with(&fake.url, options).unwrap();
    let watch = Stopwatch::start();
    let error = store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.to_string(), "redis: set: no answer within 100ms");
    assert!(error.outcome_unknown());
    watch.check(watch.elapsed(), Duration::from_millis(200));
}
