//! Coherent mode while the connection for invalidations is cut, silent or refused: memory is not used, and reads are right.

use std::time::{Duration, Instant};

use cloakroom_cache::{CacheOptions, Cached};
use cloakroom_core::{ErrorKind, Store};
use cloakroom_test_support::{Proxy, RedisServer};
use tokio::time::sleep;

use crate::{RESP2, SOON, active, behind::Other, kept, number, numbered, patient, redis};

/// Changes a session elsewhere and checks that the next read sees it.
async fn is_right(cached: &Cached, other: &mut Other, written: u64) {
    other.run::<()>("SET", "a", &[&numbered(written).to_json()]).await;
    assert_eq!(number(&cached.get("a").await.unwrap().unwrap()), written);
}

/// Waits until memory is not used any more. The state is read while nobody asks for a session.
async fn inactive(cached: &Cached) {
    let began = Instant::now();
    while cached.stats().is_active {
        assert!(began.elapsed() < SOON, "{:?}", cached.stats());
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn without_the_connection_every_read_goes_to_redis_and_with_it_memory_is_used_again() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start_sparing(&server.addr(), RESP2).unwrap();
    let mut other = Other::connect(&server.addr(), "sess:").await;
    let cached = Cached::coherent(redis(&proxy.addr(), "sess:"), patient()).unwrap();
    let mut written = 0;
    for _ in 0..3 {
        other.run::<()>("SET", "a", &[&numbered(written).to_json()]).await;
        kept(&cached, "a").await;
        proxy.cut();
        inactive(&cached).await;
        for _ in 0..20 {
            written += 1;
            is_right(&cached, &mut other, written).await;
        }
        let hits = cached.stats().hits;
        cached.get("a").await.unwrap();
        assert_eq!(cached.stats().hits, hits, "nothing is served from memory");
        proxy.pass();
    }
    active(&cached).await;
    let hits = cached.stats().hits;
    kept(&cached, "a").await;
    assert!(cached.stats().hits > hits);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_silent_connection_is_noticed_within_the_time_that_was_set() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start_sparing(&server.addr(), RESP2).unwrap();
    let mut other = Other::connect(&server.addr(), "sess:").await;
    let max_silence = Duration::from_millis(400);
    let options = CacheOptions::default().with_max_silence(max_silence);
    let cached = Cached::coherent(redis(&proxy.addr(), "sess:"), options).unwrap();
    other.run::<()>("SET", "a", &[&numbered(0).to_json()]).await;
    active(&cached).await;
    cached.get("a").await.unwrap();
    proxy.silence();
    let silent = Instant::now();
    // What is announced now is never received.
    sleep(max_silence.saturating_sub(silent.elapsed())).await;
    for written in 1..=20 {
        is_right(&cached, &mut other, written).await;
    }
    assert!(!cached.stats().is_active);
    // It is given up, and another one is made.
    proxy.pass();
    active(&cached).await;
    assert!(proxy.connections() >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn a_frozen_server_serves_nothing_from_memory_after_that_time() {
    let mut server = RedisServer::start().unwrap();
    let max_silence = Duration::from_millis(400);
    let options = CacheOptions::default().with_max_silence(max_silence);
    let far = redis(&server.addr(), "sess:");
    let cached = Cached::coherent(far.clone(), options).unwrap();
    far.set("a", &numbered(1)).await.unwrap();
    active(&cached).await;
    cached.get("a").await.unwrap();
    server.pause().unwrap();
    sleep(max_silence).await;
    let read = tokio::time::timeout(Duration::from_millis(200), cached.get("a")).await;
    assert!(read.is_err(), "the answer can only come from memory");
    server.resume().unwrap();
    active(&cached).await;
    assert_eq!(number(&cached.get("a").await.unwrap().unwrap()), 1);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_is_killed_empties_memory() {
    let mut server = RedisServer::start().unwrap();
    let far = redis(&server.addr(), "sess:");
    let cached = Cached::coherent(far.clone(), patient()).unwrap();
    far.set("a", &numbered(1)).await.unwrap();
    kept(&cached, "a").await;
    server.stop();
    inactive(&cached).await;
    server.restart_empty().unwrap();
    assert_eq!(cached.get("a").await.unwrap(), None);
    active(&cached).await;
    assert_eq!(cached.get("a").await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_without_the_permission_reads_past_memory_and_is_told_why() {
    let server = RedisServer::start().unwrap();
    let mut other = Other::connect(&server.addr(), "sess:").await;
    for (name, permission) in [("untold", "client|tracking"), ("timeless", "pttl")] {
        let lacking = format!("-{permission}");
        let rules = ["SETUSER", name, "on", ">secret", "~sess:*", "+@all", &lacking];
        other.run_plain("ACL", &rules).await;
        let url = format!("redis://{name}:secret@{}", server.addr());
        let far = cloakroom_redis::RedisStore::open(&url).unwrap();
        let cached = Cached::coherent(far, CacheOptions::default()).unwrap();
        cached.set("a", &numbered(1)).await.unwrap();
        let began = Instant::now();
        while cached.stats().trouble.is_none() {
            assert!(began.elapsed() < SOON);
            assert!(cached.get("a").await.unwrap().is_some());
            sleep(Duration::from_millis(5)).await;
        }
        let stats = cached.stats();
        assert!(!stats.is_active && stats.hits == 0, "{stats:?}");
        let why = "redis: report_invalidations: the user lacks a permission: add the rule";
        assert_eq!(stats.trouble.unwrap(), format!("{why} +{permission}"));
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_store_that_cannot_report_changes_is_refused() {
    let server = RedisServer::start().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let far = cloakroom_redis::RedisStore::with_connection(connection, Default::default()).unwrap();
    let error = Cached::coherent(far, CacheOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
#[ignore = "needs redis-server"]
fn a_runtime_that_ends_or_stands_still_takes_nothing_along() {
    let server = RedisServer::start().unwrap();
    let far = redis(&server.addr(), "sess:");
    let max_silence = Duration::from_millis(200);
    let options = CacheOptions::default().with_max_silence(max_silence);
    let cached = Cached::coherent(far.clone(), options).unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        far.set("a", &numbered(1)).await.unwrap();
        active(&cached).await;
        cached.get("a").await.unwrap();
    });
    // It has the task, and nobody polls it.
    let second = runtime();
    second.block_on(async {
        sleep(max_silence).await;
        far.set("a", &numbered(2)).await.unwrap();
        assert_eq!(number(&cached.get("a").await.unwrap().unwrap()), 2);
        active(&cached).await;
    });
    drop(first);
    drop(second);
    assert!(!cached.stats().is_active);
    runtime().block_on(async {
        far.set("a", &numbered(3)).await.unwrap();
        assert_eq!(number(&cached.get("a").await.unwrap().unwrap()), 3);
        active(&cached).await;
    });
}
