//! Records that are too large for the server.

use cloakroom_core::{ErrorKind, Store};
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_support::{Memcached, MemcachedTap};

use crate::{
    Bench, atomic,
    fake::{Fake, Then},
    large, options, session,
};

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_record_over_the_limit_is_too_large_and_costs_no_connection() {
    let bench = Bench::start();
    bench.store.set("a", &large(1_000)).await.unwrap();
    let read = bench.store.get("a").await.unwrap().unwrap();
    let mut larger = read.clone();
    larger.insert("large", "x".repeat(2 << 20)).unwrap();
    let mut raw = bench.raw();
    let connections = raw.stat("total_connections");
    let sets = raw.stat("cmd_set");
    for _ in 0..4 {
        for error in [
            bench.store.set("a", &larger).await.unwrap_err(),
            atomic(&bench.store).create("b", &larger).await.unwrap_err(),
            atomic(&bench.store).update("a", &larger).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
            assert!(!error.outcome_unknown() && !error.is_retryable());
            let bytes = larger.to_json().len();
            // 1 MiB without 63 bytes of the item and 3 of the key.
            let sizes = format!("the record is {bytes} bytes long; the limit is 1048510");
            assert!(error.to_string().ends_with(&sizes), "{error}");
        }
    }
    assert_eq!(raw.stat("total_connections"), connections);
    assert_eq!(raw.stat("cmd_set"), sets, "nothing was sent");
    assert_eq!(bench.store.get("a").await.unwrap(), Some(read), "what was there stays");
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn the_limit_is_the_servers_own_to_the_byte() {
    for size in ["512k", "1m", "2m", "4m"] {
        let server = Memcached::start_with(&["-I", size]).unwrap();
        let bench = Bench::on(server, Default::default());
        let bytes = match size {
            "512k" => 512 << 10,
            "1m" => 1 << 20,
            "2m" => 2 << 20,
            _ => 4 << 20,
        };
        let empty = large(0).to_json().len();
        let most = bytes - 63 - "s:a".len() - empty;
        bench.store.set("a", &large(most)).await.unwrap_or_else(|error| panic!("{size}: {error}"));
        assert_eq!(bench.store.get("a").await.unwrap(), Some(large(most)));
        let error = bench.store.set("a", &large(most + 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{size}: {error}");
        assert!(error.to_string().contains("bytes"), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_write_that_is_too_large_for_the_server_may_have_removed_the_session() {
    // The option says more than the server takes: it is not asked, and has the last word.
    let bench = Bench::with(options(|options| options.max_value = Some(8 << 20)));
    for sid in ["a", "b", "c"] {
        bench.store.set(sid, &session()).await.unwrap();
    }
    let mut read = bench.store.get("b").await.unwrap().unwrap();
    read.insert("more", "x".repeat(2 << 20)).unwrap();
    let refusals = [
        bench.store.set("a", &large(2 << 20)).await.unwrap_err(),
        atomic(&bench.store).update("b", &read).await.unwrap_err(),
        atomic(&bench.store).create("c", &large(2 << 20)).await.unwrap_err(),
    ];
    for error in refusals {
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::TooLarge, true), "{error}");
        assert!(error.to_string().contains("removed"), "{error}");
    }
    for sid in ["a", "b", "c"] {
        assert_eq!(bench.store.get(sid).await.unwrap(), None, "memcached does it differently now");
    }
    bench.store.set("a", &session()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn max_value_limits_records_without_asking_the_server() {
    let server = Memcached::start().unwrap();
    let tap = MemcachedTap::start(&server).unwrap();
    let options = options(|options| options.max_value = Some(2_000));
    let store = MemcachedStore::open_with(&format!("memcached://{}", tap.addr()), options).unwrap();
    let error = store.set("a", &large(2_000)).await.unwrap_err();
    assert!(error.to_string().ends_with("; the limit is 2000"), "{error}");
    store.set("a", &large(1_500)).await.unwrap();
    assert_eq!(tap.commands().len(), 1);
}

#[tokio::test]
async fn a_limit_that_turns_out_to_be_wrong_is_asked_again() {
    let fake = Fake::start(|_, command| match command.split(' ').next() {
        Some("stats") => Then::Answer("STAT maxbytes 1\r\nSTAT item_size_max 1048576\r\nEND\r\n"),
        _ => Then::Answer("SERVER_ERROR object too large for cache\r\n"),
    });
    let store = MemcachedStore::open(&fake.url).unwrap();
    for _ in 0..2 {
        let error = store.set("a", &large(5_000)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.outcome_unknown(), "{error}");
    }
    assert_eq!(fake.commands(), ["stats", "ms", "stats", "ms"]);
}
