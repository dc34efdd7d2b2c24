//! Many tasks, large records, calls that are dropped, runtimes that end.

use std::{
    future::Future,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use cloakroom_core::Store;
use cloakroom_mongodb::{
    MongoStore,
    mongodb::{Client, bson::doc},
};
use cloakroom_test_backends::numbered;
use cloakroom_test_support::Mongod;

use crate::{Bench, SERVER, atomic, session};

/// Polls so many times, and then lets go.
async fn drop_after<F: Future>(polls: usize, future: F) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let done =
            std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready()));
        if done.await {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn dropped_calls_leave_whole_records_and_whole_connections() {
    // A server of its own, whose connections are nobody else's.
    let server = Mongod::start().unwrap();
    let store = MongoStore::open(&server.url()).unwrap();
    let client = Client::with_uri_str(server.url()).await.unwrap();
    let opened = || async {
        let status =
            client.database("admin").run_command(doc! { "serverStatus": 1 }).await.unwrap();
        status.get_document("connections").unwrap().get_i32("totalCreated").unwrap()
    };
    for number in 0..8 {
        store.set(&number.to_string(), &numbered(number, 50_000)).await.unwrap();
    }
    let before = opened().await;
    for round in 0..300 {
        let sid = (round % 8).to_string();
        let polls = round % 5;
        match round % 3 {
            0 => drop_after(polls, store.get(&sid)).await,
            1 => drop_after(polls, store.set(&sid, &numbered(round % 8, 50_000 + round))).await,
            _ => drop_after(polls, atomic(&store).get_and_touch(&sid, None)).await,
        }
        let number = (round + 1) % 8;
        let read = store.get(&number.to_string()).await.unwrap().unwrap();
        assert_eq!(read.get::<usize>("number").unwrap(), Some(number));
        assert!(read.get::<String>("padding").unwrap().unwrap().len() >= 50_000);
    }
    // A future of the driver's that is dropped costs its connection.
    let opened = opened().await - before;
    assert!(opened < 70, "{opened} connections were made anew");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn a_dropped_write_happens_all_the_same() {
    let bench = Bench::start().await;
    bench.store.ping().await.unwrap();
    for number in 0..20 {
        drop_after(1, bench.store.set(&number.to_string(), &session())).await;
    }
    let since = Instant::now();
    while bench.raw.count_documents(doc! {}).await.unwrap() < 20 {
        assert!(since.elapsed() < Duration::from_secs(120), "a write was broken off");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
#[ignore = "needs mongod"]
fn a_call_of_another_runtime_survives_that() {
    let first = tokio::runtime::Runtime::new().unwrap();
    let store = MongoStore::open(&format!("{}/runtimes", SERVER.url())).unwrap();
    first.block_on(store.ping()).unwrap();
    for _ in 0..20 {
        let second = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        second.block_on(async {
            drop_after(1, store.set("a", &session())).await;
            store.get("a").await.unwrap();
        });
    }
    first.block_on(store.get("a")).unwrap().unwrap();
}
