//! Servers that die, freeze and come back.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use cloakroom_core::{ErrorKind, Revision, Store};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{RedisServer, Stopwatch, Wait};

use crate::{
    Bench, atomic,
    fake::{Fake, HELLO, Then},
    listing, options, session,
};

/// Waits until the server answers on a socket of its own.
fn answers_since(addr: &str) -> Instant {
    let wait = Wait::until("the server answers");
    loop {
        wait.check();
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
        let wait = Wait::until("the store works again");
        while store.set("a", &session()).await.is_err() {
            wait.check();
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
            thread::sleep(Duration::from_millis(1_500));
            Then::Answer("$19\r\n{\"cookie\":{},\"s\":1}\r\n")
        }
        _ => Then::Answer("$-1\r\n"),
    });
    let options = options(|options| options.deadline = Duration::from_secs(1));
    let store = RedisStore::open_with(&fake.url, options).unwrap();
    assert_eq!(store.get("slow").await.unwrap_err().kind(), ErrorKind::Timeout);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(store.get("quick").await.unwrap(), None, "its own answer, not the late one");
    assert_eq!(fake.commands(), ["HELLO", "GET", "GET"], "on the same connection");
}

#[tokio::test]
async fn silence_on_one_command_is_that_commands_timeout() {
    let fake = Fake::start(|_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        _ => Then::Silence,
    });
    let options = options(|options| options.deadline = Duration::from_secs(1));
    let store = RedisStore::open_with(&fake.url, options).unwrap();
    let watch = Stopwatch::start();
    let error = store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.to_string(), "redis: set: no answer within 1s");
    assert!(error.outcome_unknown());
    watch.check(watch.elapsed(), Duration::from_secs(2));
}
