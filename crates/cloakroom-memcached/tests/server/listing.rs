//! The listing.

use std::time::Duration;

use cloakroom_core::{ErrorKind, Store};
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_support::Wait;
use futures::{StreamExt, TryStreamExt};

use crate::{Bench, expiring_in, listing, session};

#[tokio::test]
#[ignore = "needs memcached"]
async fn clear_removes_what_is_under_the_prefix_and_nothing_else() {
    let bench = Bench::start();
    let mut raw = bench.raw();
    for key in ["other:a", "s", "t:a", "S:a"] {
        raw.plant(key, 0, "theirs");
    }
    bench.store.set("a", &session()).await.unwrap();
    listing(&bench.store).clear().await.unwrap();
    assert_eq!(raw.item("s:a"), None);
    for key in ["other:a", "s", "t:a", "S:a"] {
        assert!(raw.item(key).is_some(), "{key}");
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn without_a_prefix_clear_refuses_and_flush_servers_does_it() {
    let bench = Bench::start();
    let store = MemcachedStore::open(&bench.server.url()).unwrap();
    store.set("a", &session()).await.unwrap();
    let error = listing(&store).clear().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("flush_servers"), "{error}");
    assert!(store.get("a").await.unwrap().is_some());
    store.flush_servers().await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), None);
    assert_eq!(listing(&store).length().await.unwrap(), 0);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn keys_of_other_clients_are_left_out() {
    let bench = Bench::start();
    let mut raw = bench.raw();
    for key in ["s:", "s:a$b", "x:a"] {
        raw.plant(key, 2, "{\"cookie\":{}}");
    }
    // A key of bytes, `s:` and 0xff, in base64.
    assert_eq!(raw.say("ms czr/ 2 b\r\n{}"), "HD");
    bench.store.set("a", &session()).await.unwrap();
    let ids: Vec<_> = listing(&bench.store).ids().try_collect().await.unwrap();
    assert_eq!(ids, ["a"]);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn what_ends_in_this_second_is_not_listed() {
    let bench = Bench::start();
    for _ in 0..3 {
        for number in 0..20 {
            bench.store.set(&format!("id-{number}"), &expiring_in(1)).await.unwrap();
        }
        let wait = Wait::until("all have expired");
        for number in 0..20 {
            while bench.store.get(&format!("id-{number}")).await.unwrap().is_some() {
                wait.check();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        // The server's own listing still has them.
        let ids: Vec<_> = listing(&bench.store).ids().try_collect().await.unwrap();
        assert!(ids.is_empty(), "{ids:?}");
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn ten_thousand_sessions_are_listed_in_pages() {
    let bench = Bench::start();
    let mut raw = bench.raw();
    for number in 0..10_000 {
        raw.plant(&format!("s:id-{number}"), 2, r#"{"cookie":{},"user":"ann"}"#);
    }
    let mut ids: Vec<_> = listing(&bench.store).ids().try_collect().await.unwrap();
    assert_eq!(ids.len(), 10_000, "each once");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 10_000);
    assert_eq!(listing(&bench.store).length().await.unwrap(), 10_000);
    let all: Vec<_> = listing(&bench.store).all().try_collect().await.unwrap();
    assert_eq!(all.len(), 10_000);
    // One that is not read to its end leaves the server free for the next.
    let first: Vec<_> = listing(&bench.store).ids().take(3).try_collect().await.unwrap();
    assert_eq!(first.len(), 3);
    listing(&bench.store).clear().await.unwrap();
    assert_eq!(listing(&bench.store).length().await.unwrap(), 0);
    assert_eq!(raw.stat("curr_items"), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn listings_at_the_same_time_wait_for_each_other() {
    let bench = Bench::start();
    let mut raw = bench.raw();
    for number in 0..2_000 {
        raw.plant(&format!("s:id-{number}"), 2, "{\"cookie\":{}}");
    }
    let tasks = (0..10).map(|_| {
        let store = bench.store.clone();
        tokio::spawn(async move { listing(&store).length().await })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap().unwrap(), 2_000);
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn sessions_that_are_used_meanwhile_are_listed() {
    let bench = Bench::start();
    for number in 0..3_000 {
        bench.store.set(&format!("id-{number}"), &session()).await.unwrap();
    }
    let mut ids = std::pin::pin!(listing(&bench.store).ids());
    let mut listed = std::collections::HashSet::new();
    let mut number = 0;
    while let Some(sid) = ids.try_next().await.unwrap() {
        listed.insert(sid);
        // Written again and read, so that they move in the order of their age.
        for _ in 0..2 {
            let sid = format!("id-{}", number % 3_000);
            bench.store.set(&sid, &session()).await.unwrap();
            bench.store.get(&sid).await.unwrap();
            number += 1_301;
        }
    }
    assert_eq!(listed.len(), 3_000);
}
