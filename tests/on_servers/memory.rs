//! What is held in memory of records that are too large, and of a listing of large ones.
//!
//! Only the thread of a test is counted, so all tasks of a store run on it. Files are read on threads of their own: there, a
//! test beside the code counts.

use std::{future::Future, time::Duration};

use cloakroom::{
    ErrorKind, SessionData, Store,
    encryption::{Counterpart, Kruptein, KrupteinOptions},
    memcached::{MemcachedOptions, MemcachedStore},
    redis::{RedisOptions, RedisStore},
};
use cloakroom_test_support::{Memcached, RedisCluster, RedisServer};
use futures::StreamExt;

const MEGABYTE: usize = 1 << 20;
/// No machine is too slow for it.
const LONG: Duration = Duration::from_secs(120);

fn session_of(bytes: usize) -> SessionData {
    let mut session = SessionData::new();
    session.insert("text", "x".repeat(bytes)).unwrap();
    session
}

/// The most bytes that were held at once during this work, beyond those before it.
fn held(runtime: &tokio::runtime::Runtime, work: impl Future<Output = ()>) -> usize {
    let mut work = Some(work);
    let counted =
        allocation_counter::measure(|| runtime.block_on(work.take().expect("it runs once")));
    usize::try_from(counted.bytes_max).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A record of 50 MB, which another program has stored, is refused by a store with the default limit before it is read.
fn a_large_record_is_not_held(limited: &impl Store, open: &impl Store) {
    let runtime = runtime();
    let before = runtime.block_on(async {
        open.set("large", &session_of(10)).await.unwrap();
        let mut before = limited.get("large").await.unwrap().unwrap();
        before.insert("n", 1).unwrap();
        open.set("large", &session_of(50 * MEGABYTE)).await.unwrap();
        before
    });
    let atomic = limited.atomic().unwrap();
    let reads = held(&runtime, async {
        for _ in 0..3 {
            let error = limited.get("large").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        }
        let error = atomic.get_and_touch("large", None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    });
    let compares = held(&runtime, async {
        let error = atomic.update("large", &before).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    });
    let lists = held(&runtime, async {
        let all: Vec<_> = limited.enumerate().unwrap().all().collect().await;
        assert!(all.iter().any(Result::is_err), "{all:?}");
        limited.destroy("large").await.unwrap();
    });
    assert!(
        [reads, compares, lists].iter().all(|held| *held < MEGABYTE),
        "{reads} {compares} {lists}"
    );
}

/// Records of half a megabyte, of which a listing holds a few at a time.
fn a_listing_holds_a_few_records(store: &impl Store, records: usize, most: usize) {
    let runtime = runtime();
    let record = session_of(MEGABYTE / 2);
    runtime.block_on(async {
        for number in 0..records {
            store.set(&number.to_string(), &record).await.unwrap();
        }
    });
    let held = held(&runtime, async {
        let mut all = store.enumerate().unwrap().all();
        let mut count = 0;
        while let Some(found) = all.next().await {
            let session = found.unwrap().session;
            assert_eq!(session, record);
            count += 1;
        }
        assert_eq!(count, records);
    });
    assert!(held < most, "{held} bytes, and not below {most}");
}

#[test]
#[ignore = "needs redis-server"]
fn redis_holds_no_record_that_is_too_large_and_few_at_a_time() {
    let server = RedisServer::start().unwrap();
    let options = RedisOptions::default().with_deadline(LONG);
    let open = options.clone().with_max_record(100 * MEGABYTE as u64);
    let open = RedisStore::open_with(&server.url(), open).unwrap();
    let limited = RedisStore::open_with(&server.url(), options.clone()).unwrap();
    a_large_record_is_not_held(&limited, &open);
    // An answer has 2 MB, and is kept twice while it is taken apart.
    let few = options.with_max_record(2 * MEGABYTE as u64);
    a_listing_holds_a_few_records(
        &RedisStore::open_with(&server.url(), few).unwrap(),
        60,
        10 * MEGABYTE,
    );
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_cluster_lists_few_records_at_a_time() {
    let cluster = RedisCluster::start_with(0).unwrap();
    let options = RedisOptions::default().with_deadline(LONG);
    let store = RedisStore::open_with(&cluster.url(), options).unwrap();
    // Sixty or so on each primary.
    a_listing_holds_a_few_records(&store, 180, 15 * MEGABYTE);
}

#[test]
#[ignore = "needs memcached"]
fn memcached_holds_no_record_that_is_too_large_and_few_at_a_time() {
    let server = Memcached::start_with(&["-m", "1024", "-I", "64m"]).unwrap();
    let options = MemcachedOptions::default().with_deadline(LONG);
    let open = options.clone().with_max_record(100 * MEGABYTE as u64);
    let open = MemcachedStore::open_with(&server.url(), open).unwrap();
    let limited = MemcachedStore::open_with(&server.url(), options).unwrap();
    a_large_record_is_not_held(&limited, &open);
    a_listing_holds_a_few_records(&limited, 60, 15 * MEGABYTE);
}

/// An encrypted record is longer than the session, and it is its length that counts: nothing is decrypted.
#[test]
#[ignore = "needs memcached"]
fn memcached_holds_no_encrypted_record_that_is_too_large() {
    let server = Memcached::start_with(&["-m", "2048", "-I", "256m"]).unwrap();
    let secret = "AB-ab-12-$%, and more of it";
    let kruptein =
        || Kruptein::new(secret, KrupteinOptions::of(Counterpart::ConnectMemcached3)).unwrap();
    let options = MemcachedOptions::default().with_deadline(LONG).with_encryption(kruptein());
    let open = options.clone().with_max_record(500 * MEGABYTE as u64);
    let open = MemcachedStore::open_with(&server.url(), open).unwrap();
    let limited = MemcachedStore::open_with(&server.url(), options).unwrap();
    a_large_record_is_not_held(&limited, &open);
}
