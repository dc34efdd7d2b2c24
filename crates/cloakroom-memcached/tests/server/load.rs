//! Many tasks, large records, calls that are dropped.

use std::time::Duration;

use cloakroom_core::Store;
use cloakroom_test_backends::{a_thousand_tasks_share, numbered};
use cloakroom_test_support::Memcached;

use crate::{Bench, atomic, options, session};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_thousand_tasks_share_the_connections_of_the_pool() {
    for pool_size in [64, 4] {
        let bench = Bench::with(options(|options| {
            options.pool_size = pool_size;
            // On a slow machine, the last of a thousand waits long.
            (options.timeout, options.deadline) = (PATIENCE, PATIENCE);
        }));
        a_thousand_tasks_share(&bench.store).await;
        // Its own and the one that asks are among them, and none was given up.
        let connections = bench.raw().stat("total_connections");
        assert!(connections <= pool_size as u64 + 10, "{connections} connections for {pool_size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn two_megabytes_are_kept_where_the_server_takes_them() {
    let bench = Bench::on(Memcached::start_with(&["-I", "4m"]).unwrap(), Default::default());
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

#[tokio::test]
#[ignore = "needs memcached"]
async fn dropped_calls_give_their_connections_back() {
    let bench = Bench::with(options(|options| options.pool_size = 2));
    for turn in 0..50 {
        let moment = Duration::from_micros(turn);
        let _ = tokio::time::timeout(moment, bench.store.get("a")).await;
    }
    // Were a place in the pool lost with each of them, there would be none now.
    bench.store.set("a", &session()).await.unwrap();
    let connections = bench.raw().stat("curr_connections");
    assert!(connections <= 10, "{connections}");
}
