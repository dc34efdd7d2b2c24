//! What a server refuses, and what the store makes of it.

use std::time::Duration;

use cloakroom_core::{Error, ErrorKind, Revision, Store};
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_support::Memcached;
use futures::TryStreamExt;

use crate::{
    Bench, Raw, atomic,
    fake::{Fake, Then},
    large, listing, session,
};

fn check(error: &Error, kind: ErrorKind) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(!error.outcome_unknown(), "it was refused, not lost: {error}");
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_full_server_is_an_error_and_not_a_loss_in_silence() {
    // It evicts nothing (-M), so that it is full for good.
    let bench = Bench::on(Memcached::start_with(&["-m", "8", "-M"]).unwrap(), Default::default());
    bench.store.set("first", &session()).await.unwrap();
    let mut refusal = None;
    for number in 0..100 {
        if let Err(error) = bench.store.set(&format!("id-{number}"), &large(200_000)).await {
            refusal = Some(error);
            break;
        }
    }
    let error = refusal.unwrap();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.to_string().contains("out of memory"), "{error}");
    let connections = bench.raw().stat("total_connections");
    for _ in 0..20 {
        let error = atomic(&bench.store).create("new", &large(200_000)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
    }
    // The one that asks is new.
    assert_eq!(bench.raw().stat("total_connections"), connections + 1);
    let read = bench.store.get("first").await.unwrap().unwrap();
    bench.store.touch("first", &read).await.unwrap();
    bench.store.destroy("first").await.unwrap();
    assert_eq!(bench.store.get("first").await.unwrap(), None);
}

/// memcached 1.6.18 (`process_mset_command`, `process_update_command`) removes the old item, even if a condition would
/// have kept the new one out.
#[tokio::test]
#[ignore = "needs memcached"]
async fn a_write_that_a_full_server_refuses_may_have_removed_the_session() {
    let bench = Bench::on(Memcached::start_with(&["-m", "8", "-M"]).unwrap(), Default::default());
    for sid in ["a", "b"] {
        bench.store.set(sid, &session()).await.unwrap();
    }
    let mut read = bench.store.get("a").await.unwrap().unwrap();
    for number in 0..100 {
        let filled = bench.store.set(&format!("id-{number}"), &large(200_000)).await;
        assert!(filled.is_ok() || number > 0, "it is full at once");
    }
    read.insert("more", "x".repeat(200_000)).unwrap();
    let refusals = [
        atomic(&bench.store).update("a", &read).await.unwrap_err(),
        atomic(&bench.store).create("b", &large(200_000)).await.unwrap_err(),
    ];
    for error in refusals {
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Full, true), "{error}");
        assert!(error.to_string().contains("removed"), "{error}");
    }
    for sid in ["a", "b"] {
        assert_eq!(bench.store.get(sid).await.unwrap(), None, "memcached does it differently now");
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_server_that_evicts_goes_on() {
    let bench = Bench::on(Memcached::start_with(&["-m", "8"]).unwrap(), Default::default());
    for number in 0..100 {
        let sid = format!("id-{number}");
        bench.store.set(&sid, &large(200_000)).await.unwrap();
        assert!(bench.store.get(&sid).await.unwrap().is_some());
    }
    assert!(bench.raw().stat("evictions") > 0);
    // What was evicted is gone, and nobody brings it back by accident.
    assert_eq!(bench.store.get("id-0").await.unwrap(), None);
    let touched = bench.store.touch("id-0", &session()).await.unwrap();
    assert_eq!(touched, cloakroom_core::Touched::Missing);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_server_without_numbers_cannot_update_and_says_so() {
    let bench = Bench::on(Memcached::start_with(&["-C"]).unwrap(), Default::default());
    bench.store.set("a", &session()).await.unwrap();
    let read = bench.store.get("a").await.unwrap().unwrap();
    let error = atomic(&bench.store).update("a", &read).await.unwrap_err();
    check(&error, ErrorKind::Unsupported);
    assert!(error.to_string().contains("-C"), "{error}");
    atomic(&bench.store).create("b", &session()).await.unwrap();
    atomic(&bench.store).get_and_touch("a", None).await.unwrap().unwrap();
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_server_that_does_not_list_says_so() {
    for option in [&["-X"][..], &["-o", "no_lru_crawler"]] {
        let bench = Bench::on(Memcached::start_with(option).unwrap(), Default::default());
        bench.store.set("a", &session()).await.unwrap();
        let listing = listing(&bench.store);
        for error in [
            listing.ids().try_collect::<Vec<_>>().await.unwrap_err(),
            listing.length().await.unwrap_err(),
            listing.clear().await.unwrap_err(),
        ] {
            check(&error, ErrorKind::Unsupported);
        }
    }
    let bench = Bench::on(Memcached::start_with(&["-F"]).unwrap(), Default::default());
    check(&bench.store.flush_servers().await.unwrap_err(), ErrorKind::Unsupported);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_server_without_room_is_unavailable_and_then_works() {
    let server = Memcached::start_with(&["-c", "40"]).unwrap();
    let store = MemcachedStore::open(&server.url()).unwrap();
    let mut others = Vec::new();
    while others.len() < 100 {
        let mut other = Raw::connect(&server);
        if other.say("version").starts_with("ERROR") {
            break;
        }
        others.push(other);
    }
    let error = store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    drop(others);
    tokio::time::sleep(Duration::from_millis(100)).await;
    store.set("a", &session()).await.unwrap();
}

#[tokio::test]
async fn a_server_older_than_1_6_is_told() {
    let fake = Fake::start(|_, _| Then::Answer("ERROR\r\n"));
    let store = MemcachedStore::open(&fake.url).unwrap();
    for error in [store.set("a", &session()).await.unwrap_err(), store.get("a").await.unwrap_err()]
    {
        check(&error, ErrorKind::Unavailable);
        assert!(error.to_string().contains("older than memcached 1.6"), "{error}");
    }
}

/// As memcached 1.6.18 answers with the option `-Y`.
#[tokio::test]
async fn a_server_that_requires_a_login_is_a_config_error() {
    let fake = Fake::start(|_, _| Then::Answer("CLIENT_ERROR unauthenticated\r\n"));
    let store = MemcachedStore::open(&fake.url).unwrap();
    let read = session().with_revision(Revision::from_number(7));
    for error in [
        store.get("a").await.unwrap_err(),
        store.set("a", &read).await.unwrap_err(),
        store.touch("a", &read).await.unwrap_err(),
        store.destroy("a").await.unwrap_err(),
        atomic(&store).create("a", &read).await.unwrap_err(),
        atomic(&store).update("a", &read).await.unwrap_err(),
        listing(&store).length().await.unwrap_err(),
        store.flush_servers().await.unwrap_err(),
        store.ping().await.unwrap_err(),
    ] {
        check(&error, ErrorKind::Config);
        assert!(error.to_string().contains("requires a login (-Y)"), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_knows_no_statistics_takes_large_records() {
    let fake = Fake::start(|_, command| match command.split(' ').next() {
        Some("stats") => Then::Close,
        _ => Then::Answer("HD\r\n"),
    });
    let store = MemcachedStore::open(&fake.url).unwrap();
    for _ in 0..3 {
        store.set("a", &large(50_000)).await.unwrap();
    }
    assert_eq!(fake.commands(), ["stats", "ms", "ms", "ms"]);
}

#[tokio::test]
async fn an_older_server_lists_by_age() {
    let fake = Fake::start(|_, command| match command {
        "stats" => Then::Answer("STAT pid 1\r\nSTAT time 1000\r\nEND\r\n"),
        "lru_crawler metadump hash" => Then::Answer("BADCLASS invalid class id\r\n"),
        _ => Then::Answer("key=a exp=-1 la=1\nkey=b exp=1000 la=1\nkey=c exp=1001 la=1\nEND\r\n"),
    });
    let store = MemcachedStore::open(&fake.url).unwrap();
    let ids: Vec<_> = listing(&store).ids().try_collect().await.unwrap();
    assert_eq!(ids, ["a", "c"]);
}

#[tokio::test]
async fn what_the_server_says_is_not_passed_on() {
    let read = session().with_revision(Revision::from_number(7));
    for said in [
        "SERVER_ERROR secret-id secret-data\r\n",
        "CLIENT_ERROR secret-id\r\n",
        "secret-data\r\n",
        "VA 11 f2 c7\r\nsecret-data\r\n",
        "VA secret-data\r\n",
        "HD csecret-data\r\n",
    ] {
        let fake = Fake::start(move |_, _| Then::Answer(said));
        let store = MemcachedStore::open(&fake.url).unwrap();
        for outcome in [
            store.set("secret-id", &read).await,
            store.get("secret-id").await.map(drop),
            store.touch("secret-id", &read).await.map(drop),
            store.destroy("secret-id").await,
            atomic(&store).update("secret-id", &read).await.map(drop),
            atomic(&store).get_and_touch("secret-id", None).await.map(drop),
            listing(&store).length().await.map(drop),
            store.flush_servers().await,
        ] {
            let Err(error) = outcome else { continue };
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
