//! Many tasks, and calls that are dropped.

use std::time::Duration;

use cloakroom_core::Store;
use cloakroom_test_backends::a_thousand_tasks_share;

use crate::{Bench, options, session};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_thousand_tasks_share_one_connection() {
    // On a slow machine, the last of them waits long.
    let bench = Bench::with(options(|options| options.deadline = Duration::from_secs(60)));
    a_thousand_tasks_share(&bench.store).await;
    let clients: String = bench.raw(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("normal"));
    assert_eq!(clients.lines().filter(|line| !line.contains("cmd=client")).count(), 1, "{clients}");
}

// On one thread, the order of the tasks is always the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs redis-server"]
async fn commands_that_are_sent_at_the_same_time_share_packets() {
    const TASKS: u64 = 64;
    const CALLS: u64 = 50;
    let bench = Bench::start();
    bench.store.set("a", &session()).await.unwrap();
    let (reads, commands) =
        (bench.stat("total_reads_processed"), bench.stat("total_commands_processed"));
    let tasks = (0..TASKS).map(|_| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            for _ in 0..CALLS {
                store.get("a").await.unwrap().unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let reads = bench.stat("total_reads_processed") - reads;
    let commands = bench.stat("total_commands_processed") - commands;
    assert!(commands >= TASKS * CALLS, "{commands}");
    assert!(reads * 4 <= commands, "the server read {reads} times for {commands} commands");
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
