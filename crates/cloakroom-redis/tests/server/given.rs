//! Connections of the application's own.

use std::time::{Duration, Instant};

use cloakroom_core::{ErrorKind, Store, Updated};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_support::{RedisCluster, SentinelServer};
use futures::TryStreamExt;
use redis::{Client, aio::ConnectionLike, cluster::ClusterClient};

use crate::{
    Bench, Monitor, atomic, listing,
    operations::{OPERATIONS, operation},
    options, session,
};

fn share<C: ConnectionLike + Clone + Send + Sync + 'static>(connection: C) -> RedisStore {
    RedisStore::with_connection(connection, RedisOptions::default()).unwrap()
}

async fn check_every_operation(store: &RedisStore) {
    for number in 0..OPERATIONS {
        let (name, _, outcome) = operation(store, number).await;
        outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    store.ping().await.unwrap();
    atomic(store).create("a", &session()).await.unwrap();
    let mut read = atomic(store).get_and_touch("a", None).await.unwrap().unwrap();
    read.insert("n", 1).unwrap();
    assert!(matches!(atomic(store).update("a", &read).await.unwrap(), Updated::Stored(_)));
    assert!(matches!(atomic(store).update("a", &read).await.unwrap(), Updated::Conflict(_)));
    assert!(matches!(atomic(store).update("b", &read).await.unwrap(), Updated::Gone));
    assert_eq!(store.get("a").await.unwrap().unwrap().get("n").unwrap(), Some(1));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_connection_of_the_applications_own_is_shared() {
    let bench = Bench::start();
    let client = Client::open(bench.server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let store = share(connection.clone());
    check_every_operation(&store).await;
    assert_eq!(listing(&store).length().await.unwrap(), 1);
    let manager = client.get_connection_manager().await.unwrap();
    check_every_operation(&share(manager)).await;
    let resp3 = Client::open(format!("{}?protocol=resp3", bench.server.url())).unwrap();
    let connection = resp3.get_multiplexed_async_connection().await.unwrap();
    check_every_operation(&share(connection)).await;
    let text = format!("{store:?}");
    assert!(text.contains("sess:") && text.contains("Given"), "{text}");

    let mut options = RedisOptions::default();
    options.deadline = Duration::ZERO;
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let error = RedisStore::with_connection(connection, options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn it_is_asked_once_what_it_leads_to() {
    let bench = Bench::start();
    let client = Client::open(bench.server.url()).unwrap();
    let store = share(client.get_multiplexed_async_connection().await.unwrap());
    let mut monitor = Monitor::start(&bench.server);
    store.get("a").await.unwrap();
    store.get("a").await.unwrap();
    assert_eq!(monitor.commands(), [r#""HELLO""#, r#""GET" "sess:a""#, r#""GET" "sess:a""#]);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn its_failures_have_the_stores_kinds() {
    let mut bench = Bench::start();
    let client = Client::open(bench.server.url()).unwrap();
    let manager = client.get_connection_manager().await.unwrap();
    let options = options(|options| options.deadline = Duration::from_millis(200));
    let store = RedisStore::with_connection(manager.clone(), options).unwrap();
    let patient = RedisStore::with_connection(manager, RedisOptions::default()).unwrap();
    bench.plant("sess:list", "{");
    assert_eq!(patient.get("list").await.unwrap_err().kind(), ErrorKind::Corrupt);
    bench.raw::<()>(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1));
    let error = patient.set("a", &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(error.to_string().contains("out of memory") && !error.outcome_unknown(), "{error}");
    bench.raw::<()>(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(0));

    // The first call asks the server what it is.
    while let Err(error) = store.get("a").await {
        assert!(error.is_retryable(), "{error}");
    }
    bench.server.pause().unwrap();
    let since = Instant::now();
    let error = store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.outcome_unknown() && since.elapsed() < Duration::from_secs(5), "{error}");
    let error = store.get("a").await.unwrap_err();
    assert!(!error.outcome_unknown(), "{error}");
    bench.server.resume().unwrap();
    while let Err(error) = store.set("a", &session()).await {
        assert!(error.is_retryable(), "{error}");
    }

    bench.server.stop();
    for _ in 0..3 {
        let error = store.get("a").await.unwrap_err();
        assert!(error.is_retryable() && !error.outcome_unknown(), "{error}");
    }
    bench.server.restart().unwrap();
    while let Err(error) = store.get("a").await {
        assert!(error.is_retryable(), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn sessions_are_kept_in_a_cluster_and_not_listed() {
    let cluster = RedisCluster::start_with(0).unwrap();
    let client = ClusterClient::new([format!("redis://{}", cluster.addr(0))]).unwrap();
    let store = share(client.get_async_connection().await.unwrap());
    for number in 0..50 {
        let sid = number.to_string();
        store.set(&sid, &session()).await.unwrap();
        let mut read = atomic(&store).get_and_touch(&sid, None).await.unwrap().unwrap();
        read.insert("n", number).unwrap();
        assert!(matches!(atomic(&store).update(&sid, &read).await.unwrap(), Updated::Stored(_)));
        assert!(matches!(atomic(&store).update(&sid, &read).await.unwrap(), Updated::Conflict(_)));
        store.touch(&sid, &read).await.unwrap();
        assert_eq!(store.get(&sid).await.unwrap().unwrap().get("n").unwrap(), Some(number));
    }
    for error in [
        listing(&store).length().await.unwrap_err(),
        listing(&store).clear().await.unwrap_err(),
        listing(&store).ids().try_collect::<Vec<_>>().await.unwrap_err(),
        listing(&store).all().try_collect::<Vec<_>>().await.unwrap_err(),
        store.clear_database().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    for number in 0..50 {
        let sid = number.to_string();
        assert!(store.get(&sid).await.unwrap().is_some(), "nothing was cleared");
        store.destroy(&sid).await.unwrap();
        assert_eq!(store.get(&sid).await.unwrap(), None);
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_sentinel_is_noticed_here_too() {
    let server = SentinelServer::start().unwrap();
    let client = Client::open(server.url()).unwrap();
    let store = share(client.get_multiplexed_async_connection().await.unwrap());
    for number in 0..OPERATIONS {
        let (name, _, outcome) = operation(&store, number).await;
        let error = outcome.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Config, "{name}: {error}");
        assert!(error.to_string().contains("Sentinel"), "{name}: {error}");
    }
}
