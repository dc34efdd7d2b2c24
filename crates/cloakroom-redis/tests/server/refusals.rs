//! What a server refuses, and what the store makes of it.

use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind, Store};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::RedisServer;

use crate::{
    Bench, atomic,
    fake::{Fake, HELLO, Then},
    session,
};

fn check(error: &Error, kind: ErrorKind) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(!error.outcome_unknown(), "it was refused, not lost: {error}");
}

#[tokio::test]
async fn a_loading_server_is_unavailable_and_then_works() {
    let loading = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&loading);
    let fake = Fake::start(move |_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        _ if still.load(Ordering::SeqCst) => {
            Then::Answer("-LOADING Redis is loading the dataset in memory\r\n")
        }
        _ => Then::Answer("+OK\r\n"),
    });
    let store = RedisStore::open(&fake.url).unwrap();
    let error = store.set("a", &session()).await.unwrap_err();
    check(&error, ErrorKind::Unavailable);
    assert!(error.is_retryable());
    loading.store(false, Ordering::SeqCst);
    store.set("a", &session()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_is_unavailable_for_writes_until_it_is_the_master() {
    let master = RedisServer::start().unwrap();
    let server =
        RedisServer::start_with(&["--replicaof", "127.0.0.1", &master.port().to_string()]).unwrap();
    let bench = Bench::on(server, Default::default());
    let read = session().with_revision(cloakroom_core::Revision::of_text());
    check(&bench.store.set("a", &session()).await.unwrap_err(), ErrorKind::Unavailable);
    check(&bench.store.destroy("a").await.unwrap_err(), ErrorKind::Unavailable);
    check(&atomic(&bench.store).create("a", &read).await.unwrap_err(), ErrorKind::Unavailable);
    bench.raw::<()>(redis::cmd("REPLICAOF").arg("NO").arg("ONE"));
    bench.store.set("a", &session()).await.unwrap();
}

#[tokio::test]
async fn after_a_failover_the_next_call_connects_anew() {
    let fake = Fake::start(|connection, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        _ if connection == 0 => {
            Then::Answer("-READONLY You can't write against a read only replica.\r\n")
        }
        _ => Then::Answer("+OK\r\n"),
    });
    let store = RedisStore::open(&fake.url).unwrap();
    check(&store.set("a", &session()).await.unwrap_err(), ErrorKind::Unavailable);
    store.set("a", &session()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_without_room_is_unavailable_and_then_works() {
    let server = RedisServer::start_with(&["--maxclients", "1"]).unwrap();
    let store = RedisStore::open(&server.url()).unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let other = client.get_connection().unwrap();
    for _ in 0..3 {
        check(&store.set("a", &session()).await.unwrap_err(), ErrorKind::Unavailable);
    }
    drop(other);
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.set("a", &session()).await.unwrap();
}

#[tokio::test]
async fn a_server_without_room_is_unavailable_in_both_protocols() {
    let fake = Fake::start(|_, _| Then::AnswerAndClose("-ERR max number of clients reached\r\n"));
    for protocol in ["resp2", "resp3"] {
        for database in ["", "/1"] {
            let store =
                RedisStore::open(&format!("{}{database}?protocol={protocol}", fake.url)).unwrap();
            check(&store.set("a", &session()).await.unwrap_err(), ErrorKind::Unavailable);
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_full_server_still_reads_and_destroys() {
    let bench = Bench::start();
    bench.store.set("a", &session()).await.unwrap();
    bench.raw::<()>(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1));
    let error = bench.store.set("b", &session()).await.unwrap_err();
    check(&error, ErrorKind::Full);
    assert!(error.to_string().contains("out of memory"), "{error}");
    check(&atomic(&bench.store).create("b", &session()).await.unwrap_err(), ErrorKind::Full);
    let read = bench.store.get("a").await.unwrap().unwrap();
    check(&atomic(&bench.store).update("a", &read).await.unwrap_err(), ErrorKind::Full);
    bench.store.touch("a", &session()).await.unwrap();
    bench.store.destroy("a").await.unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_record_beyond_the_servers_limit_is_too_large() {
    let server = RedisServer::start_with(&["--proto-max-bulk-len", "1mb"]).unwrap();
    let store = RedisStore::open(&server.url()).unwrap();
    let mut large = session();
    large.insert("large", "x".repeat(2 << 20)).unwrap();
    for _ in 0..20 {
        check(&store.set("a", &large).await.unwrap_err(), ErrorKind::TooLarge);
        check(&atomic(&store).create("a", &large).await.unwrap_err(), ErrorKind::TooLarge);
        store.set("b", &session()).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_cannot_save_is_unavailable() {
    let server =
        RedisServer::start_with(&["--save", "3600 1", "--enable-protected-configs", "yes"])
            .unwrap();
    let bench = Bench::on(server, Default::default());
    bench.store.set("a", &session()).await.unwrap();
    bench.raw::<()>(redis::cmd("CONFIG").arg("SET").arg("dir").arg("/proc"));
    bench.raw::<String>(&mut redis::cmd("BGSAVE"));
    for _ in 0..100 {
        if let Err(error) = bench.store.set("a", &session()).await {
            check(&error, ErrorKind::Unavailable);
            assert!(bench.store.get("a").await.unwrap().is_some());
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it saves to /proc");
}

#[tokio::test]
async fn what_the_server_says_is_not_passed_on() {
    for said in [
        "-ERR unknown command 'SET', with args beginning with: 'sess:secret-id' '{secret-data'\r\n",
        "-secret-id secret-data\r\n",
        "*2\r\n$9\r\nsecret-id\r\n$11\r\nsecret-data\r\n",
        "?secret-data\r\n",
    ] {
        let fake = Fake::start(move |_, words| {
            Then::Answer(if words[0] == "HELLO" { HELLO } else { said })
        });
        let store = RedisStore::open(&fake.url).unwrap();
        for error in [
            store.set("secret-id", &session()).await.unwrap_err(),
            store.get("secret-id").await.unwrap_err(),
            atomic(&store).get_and_touch("secret-id", None).await.unwrap_err(),
        ] {
            let mut text = format!("{error} {error:?}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                text += &format!("{error} {error:?}");
                cause = error.source();
            }
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
