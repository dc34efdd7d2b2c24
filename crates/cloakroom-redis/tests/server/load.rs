//! Many tasks, large records, calls that are dropped.

use std::time::Duration;

use cloakroom_core::{Session, Store};

use crate::{Bench, atomic, session};

fn numbered(number: usize, padding: usize) -> Session {
    let mut session = session();
    session.insert("number", number).unwrap();
    session.insert("padding", "x".repeat(padding)).unwrap();
    session
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_thousand_tasks_share_one_connection() {
    let bench = Bench::start();
    let tasks = (0..1_000).map(|number| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            let sid = number.to_string();
            for _ in 0..5 {
                store.set(&sid, &numbered(number, 300)).await.unwrap();
                let read = store.get(&sid).await.unwrap().unwrap();
                assert_eq!(read.get::<usize>("number").unwrap(), Some(number));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let clients: String = bench.raw(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("normal"));
    assert_eq!(clients.lines().filter(|line| !line.contains("cmd=client")).count(), 1, "{clients}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn two_megabytes_are_kept() {
    let bench = Bench::start();
    let large = numbered(1, 2 << 20);
    bench.store.set("a", &large).await.unwrap();
    let read = atomic(&bench.store).get_and_touch("a", None).await.unwrap().unwrap();
    assert_eq!(read, large);
    atomic(&bench.store).update("a", &read).await.unwrap();
    let calls = (0..20).map(|_| bench.store.get("a"));
    for outcome in futures::future::join_all(calls).await {
        assert_eq!(outcome.unwrap().as_ref(), Some(&large));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_dropped_call_leaves_the_others_their_answers() {
    let bench = Bench::start();
    for number in 0..10 {
        bench.store.set(&number.to_string(), &numbered(number, 100_000)).await.unwrap();
    }
    let tasks = (0..8).map(|task| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            for turn in 0..200 {
                let number = (task + turn) % 10;
                let sid = number.to_string();
                if turn % 3 == 0 {
                    let moment = Duration::from_micros(u64::try_from(turn).unwrap() * 7);
                    let _ = tokio::time::timeout(moment, store.get(&sid)).await;
                    continue;
                }
                let read = store.get(&sid).await.unwrap().unwrap();
                assert_eq!(read.get::<usize>("number").unwrap(), Some(number));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_dropped_write_happened_or_did_not() {
    let bench = Bench::start();
    for turn in 0..200 {
        let moment = Duration::from_micros(turn * 3);
        let _ = tokio::time::timeout(moment, bench.store.set("a", &numbered(7, 50_000))).await;
        if let Some(read) = bench.store.get("a").await.unwrap() {
            assert_eq!(read, numbered(7, 50_000));
        }
        bench.store.destroy("a").await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn an_attempt_to_connect_outlives_the_call_that_began_it() {
    let bench = Bench::start();
    for _ in 0..20 {
        let store = cloakroom_redis::RedisStore::open(&bench.server.url()).unwrap();
        let _ = tokio::time::timeout(Duration::from_micros(50), store.get("a")).await;
        store.get("a").await.unwrap();
    }
}
