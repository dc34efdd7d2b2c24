//! Whether a write that failed may have been carried out.

use std::{
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use cloakroom_core::{Error, ErrorKind, Revision, Store};
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_support::{Memcached, Wait};
use futures::future::join_all;

use crate::{
    Bench, atomic,
    fake::{Fake, Then},
    large, listing, options, session,
};

/// Every operation that writes, once.
async fn all_writes(store: &MemcachedStore) -> Vec<Error> {
    let read = session().with_revision(Revision::from_number(7));
    vec![
        store.set("a", &session()).await.unwrap_err(),
        store.set("a", &large(5_000)).await.unwrap_err(),
        store.touch("a", &session()).await.unwrap_err(),
        store.destroy("a").await.unwrap_err(),
        atomic(store).create("a", &session()).await.unwrap_err(),
        atomic(store).update("a", &read).await.unwrap_err(),
        atomic(store).get_and_touch("a", None).await.unwrap_err(),
        store.flush_servers().await.unwrap_err(),
    ]
}

/// An address where no connection is accepted and none refused, as long as the listener and its queue are kept.
fn full_queue() -> (SocketAddr, tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, Duration::from_millis(500)) {
        queue.push(stream);
    }
    (addr, listener, queue)
}

#[tokio::test]
async fn what_had_no_connection_at_the_deadline_was_not_sent() {
    let (addr, _listener, _queue) = full_queue();
    let options = options(|options| options.deadline = Duration::from_millis(200));
    let store = MemcachedStore::open_with(&format!("memcached://{addr}"), options).unwrap();
    for error in all_writes(&store).await {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(!error.outcome_unknown(), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn what_was_sent_in_part_does_not_happen() {
    let server = Memcached::start_with(&["-I", "64m", "-m", "256"]).unwrap();
    let options = options(|options| {
        options.max_value = Some(60 << 20);
        options.max_record = 60 << 20;
        options.deadline = Duration::from_secs(2);
    });
    let mut bench = Bench::on(server, options);
    bench.store.set("a", &session()).await.unwrap();
    bench.server.pause().unwrap();
    // More than the system takes for a reader that does not read.
    let error = bench.store.set("a", &large(50 << 20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(!error.outcome_unknown(), "{error}");
    // This one fits, and is done when the server goes on.
    let error = bench.store.set("b", &session()).await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    bench.server.resume().unwrap();
    let wait = Wait::until("the write that fitted happens");
    while bench.store.get("b").await.ok().flatten().is_none() {
        wait.check();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bench.store.get("a").await.unwrap(), Some(session()));
}

#[tokio::test]
async fn of_calls_that_share_an_attempt_only_the_one_that_sent_can_have_written() {
    let fake = Fake::start(|_, _| Then::Close);
    let store = MemcachedStore::open(&fake.url).unwrap();
    let session = session();
    let outcomes = join_all((0..200).map(|_| store.set("a", &session))).await;
    let unknown = outcomes.iter().filter(|outcome| outcome.as_ref().unwrap_err().outcome_unknown());
    assert_eq!(unknown.count(), fake.commands().len());
}

#[tokio::test]
async fn of_calls_that_wait_for_a_connection_only_the_one_that_sent_can_have_written() {
    let fake = Fake::start(|_, _| Then::Silence);
    let options = options(|options| {
        options.deadline = Duration::from_millis(300);
        options.pool_size = 1;
    });
    let store = MemcachedStore::open_with(&fake.url, options).unwrap();
    let outcomes = join_all((0..10).map(|_| store.destroy("a"))).await;
    let unknown =
        outcomes.iter().filter(|outcome| outcome.as_ref().unwrap_err().outcome_unknown()).count();
    // On a slow machine the deadline of the first call passes before that of another, which then has its turn. What was
    // sent arrives when the server gets round to it.
    let since = Instant::now();
    while fake.commands().len() < unknown && since.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(unknown, fake.commands().len());
}

#[tokio::test]
async fn of_two_servers_the_one_that_was_not_reached_was_not_emptied() {
    let fake = Fake::start(|_, _| Then::Answer("OK\r\n"));
    let store = MemcachedStore::open(&format!("{},127.0.0.1:1", fake.url)).unwrap();
    let error = store.flush_servers().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!error.outcome_unknown(), "{error}");
    let fake = Fake::start(|_, _| Then::Close);
    let store = MemcachedStore::open(&fake.url).unwrap();
    assert!(store.flush_servers().await.unwrap_err().outcome_unknown());
    let fake = Fake::start(|_, _| Then::Answer("CLIENT_ERROR flush_all not allowed\r\n"));
    let store = MemcachedStore::open(&fake.url).unwrap();
    assert!(!store.flush_servers().await.unwrap_err().outcome_unknown());
}

/// A server with two sessions, and its answer to the removal of the second.
fn two_sessions(second: &'static str) -> Fake {
    Fake::start(move |_, line| match line.split(' ').next().unwrap() {
        "stats" => Then::Answer("STAT time 1\r\nEND\r\n"),
        "lru_crawler" => Then::Answer("key=s:a exp=-1 la=1\r\nkey=s:b exp=-1 la=1\r\nEND\r\n"),
        "md" if line.contains("s:a") => Then::Answer("HD O0\r\n"),
        "md" => Then::Answer(second),
        _ => Then::Answer("OK\r\n"),
    })
}

#[tokio::test]
async fn a_clear_of_one_server_of_two_may_have_happened() {
    let up = two_sessions("HD O1\r\n");
    let down = cloakroom_test_support::free_port();
    let both = |first: &str, second: &str| {
        MemcachedStore::open(&format!("memcached://{first},{second}?prefix=s:")).unwrap()
    };
    let up = up.url.strip_prefix("memcached://").unwrap();
    let down = format!("127.0.0.1:{down}");
    for (store, is_unknown) in [(both(up, &down), true), (both(&down, up), false)] {
        let error = listing(&store).clear().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(error.outcome_unknown(), is_unknown, "{error}");
    }
}

#[tokio::test]
async fn a_clear_that_removed_some_of_a_page_may_have_happened() {
    let fake = two_sessions("SERVER_ERROR out of memory\r\n");
    let store = MemcachedStore::open(&format!("{}?prefix=s:", fake.url)).unwrap();
    let error = listing(&store).clear().await.unwrap_err();
    assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Full, true), "{error}");
}
