//! A store on the application's own client.

use std::time::Duration;

use cloakroom_core::{Created, ErrorKind, Store, Updated};
use cloakroom_memcached::{
    MemcachedOptions, MemcachedStore, Ring, RingServer,
    memcache::exp::{AsyncMetaClient, MetaClientBuilder},
};
use cloakroom_test_support::{Memcached, Proxy, Wait};

use crate::{atomic, large, options, session};

fn with_prefix() -> MemcachedOptions {
    options(|options| options.prefix = "s:".to_owned())
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_client_of_the_application_carries_a_stores_commands() {
    let server = Memcached::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let client = AsyncMetaClient::connect(proxy.addr()).await.unwrap();
    client.set("mine", "1").send().await.unwrap();
    let store = MemcachedStore::with_client(client.clone(), with_prefix()).unwrap();
    store.ping().await.unwrap();
    store.set("a", &large(50_000)).await.unwrap();
    let read = store.get("a").await.unwrap().unwrap();
    assert_eq!(read, large(50_000));
    assert!(matches!(atomic(&store).update("a", &read).await.unwrap(), Updated::Stored(_)));
    assert_eq!(atomic(&store).create("a", &read).await.unwrap(), Created::Exists);
    assert!(atomic(&store).get_and_touch("a", None).await.unwrap().is_some());
    store.touch("a", &read).await.unwrap();
    assert!(client.get("s:a").send().await.unwrap().hit());
    store.destroy("a").await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), None);
    assert_eq!(proxy.connections(), 1, "they share it");
    assert!(store.enumerate().is_none());
    assert_eq!(store.flush_servers().await.unwrap_err().kind(), ErrorKind::Unsupported);
    let error = store.set("a", &large(2 << 20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_client_with_the_ring_as_its_router_looks_where_npm_does() {
    let servers = [(); 3].map(|()| Memcached::start().unwrap());
    let addrs: Vec<_> = servers.iter().map(Memcached::addr).collect();
    let ring: Vec<_> = addrs.iter().map(RingServer::new).collect();
    let ring = Ring::new(&ring, Default::default(), Default::default());
    let client =
        MetaClientBuilder::new().router(ring).connect_multiple_async(&addrs).await.unwrap();
    let shared = MemcachedStore::with_client(client, with_prefix()).unwrap();
    let by_url = format!("memcached://{}?prefix=s:", addrs.join(","));
    let by_url = MemcachedStore::open(&by_url).unwrap();
    shared.ping().await.unwrap();
    for number in 0..60 {
        let sid = format!("id-{number}");
        shared.set(&sid, &session()).await.unwrap();
        assert!(by_url.get(&sid).await.unwrap().is_some(), "{sid}");
    }
    assert_eq!(by_url.enumerate().unwrap().length().await.unwrap(), 60);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_client_whose_server_is_away_or_frozen_is_told_in_the_same_words() {
    let mut server = Memcached::start().unwrap();
    let client = AsyncMetaClient::connect(server.addr()).await.unwrap();
    let options = options(|options| options.deadline = Duration::from_millis(300));
    let store = MemcachedStore::with_client(client, options).unwrap();
    store.set("a", &session()).await.unwrap();
    server.pause().unwrap();
    // Its threads stop one after the other.
    let wait = Wait::until("it is frozen");
    let error = loop {
        if let Err(error) = store.get("a").await {
            break error;
        }
        wait.check();
    };
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(!error.outcome_unknown(), "{error}");
    let error = store.set("a", &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.outcome_unknown(), "{error}");
    server.resume().unwrap();
    let wait = Wait::until("the client notices each change of the server");
    while store.get("a").await.is_err() {
        wait.check();
    }
    server.stop();
    while store.get("a").await.is_ok() {
        wait.check();
    }
    let error = store.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().ends_with("the server cannot be reached"), "{error}");
    server.restart().unwrap();
    while store.set("a", &session()).await.is_err() {
        wait.check();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_client_whose_server_hangs_up_is_not_stormed() {
    let server = Memcached::start().unwrap();
    let proxy = Proxy::start(&server.addr()).unwrap();
    let client = AsyncMetaClient::connect(proxy.addr()).await.unwrap();
    let store = MemcachedStore::with_client(client, with_prefix()).unwrap();
    proxy.cut();
    let since = std::time::Instant::now();
    let tasks = (0..40).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            while since.elapsed() < Duration::from_secs(1) {
                store.get("a").await.unwrap_err();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let most = 10 + since.elapsed().as_millis() as usize / 50;
    assert!(proxy.connections() <= most, "{} of {most}", proxy.connections());
    proxy.pass();
    let wait = Wait::until("the client connects again");
    while store.get("a").await.is_err() {
        wait.check();
    }
}
