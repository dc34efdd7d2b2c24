//! Many tasks, and calls that are dropped.

use std::time::Duration;

use cloakroom_core::Store;
use cloakroom_test_backends::a_thousand_tasks_share;

use crate::Bench;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_thousand_tasks_share_one_connection() {
    let bench = Bench::start();
    a_thousand_tasks_share(&bench.store).await;
    let clients: String = bench.raw(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("normal"));
    assert_eq!(clients.lines().filter(|line| !line.contains("cmd=client")).count(), 1, "{clients}");
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
