//! Several servers.

use std::time::Duration;

use cloakroom_core::{ErrorKind, Store};
use cloakroom_memcached::{MemcachedStore, Ring, RingServer};
use cloakroom_test_support::{Memcached, Stopwatch};
use futures::{StreamExt, TryStreamExt};

use crate::{Raw, atomic, listing, session};

struct Three {
    servers: [Memcached; 3],
    store: MemcachedStore,
    ring: Ring,
}

impl Three {
    fn start() -> Self {
        let servers: [Memcached; 3] = std::array::from_fn(|_| Memcached::start().unwrap());
        let hosts = servers.each_ref().map(Memcached::addr);
        let store =
            MemcachedStore::open(&format!("memcached://{}?prefix=s:", hosts.join(","))).unwrap();
        let on_ring = hosts.map(RingServer::new);
        let ring = Ring::new(&on_ring, Default::default(), Default::default());
        Self { servers, store, ring }
    }

    fn server_of(&self, sid: &str) -> usize {
        self.ring.server_of(&format!("s:{sid}")).unwrap()
    }
}

fn ids() -> impl Iterator<Item = String> {
    (0..60).map(|number| format!("id-{number}"))
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn each_key_is_on_the_server_of_the_ring_and_on_no_other() {
    let three = Three::start();
    let mut counts = [0; 3];
    for sid in ids() {
        three.store.set(&sid, &session()).await.unwrap();
        let home = three.server_of(&sid);
        counts[home] += 1;
        for (index, server) in three.servers.iter().enumerate() {
            let there = Raw::connect(server).item(&format!("s:{sid}")).is_some();
            assert_eq!(there, index == home, "{sid}");
        }
    }
    assert!(counts.iter().all(|count| *count > 5), "{counts:?}");
    assert_eq!(listing(&three.store).length().await.unwrap(), 60);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_long_key_is_looked_up_before_it_becomes_a_digest() {
    let three = Three::start();
    for number in 0..30 {
        let sid = format!("{number:0300}");
        three.store.set(&sid, &session()).await.unwrap();
        let home = three.server_of(&sid);
        let items: Vec<u64> =
            three.servers.iter().map(|server| Raw::connect(server).stat("curr_items")).collect();
        assert_eq!(items[home], 1, "{number}: {items:?}");
        three.store.destroy(&sid).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_dead_server_is_an_error_for_its_keys_only() {
    let mut three = Three::start();
    for sid in ids() {
        three.store.set(&sid, &session()).await.unwrap();
    }
    three.servers[1].stop();
    let watch = Stopwatch::start();
    let mut failed = 0;
    for sid in ids() {
        let outcome = three.store.get(&sid).await;
        if three.server_of(&sid) == 1 {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.to_string().contains(&three.servers[1].addr()), "{error}");
            failed += 1;
        } else {
            assert!(outcome.unwrap().is_some(), "{sid}");
            atomic(&three.store).get_and_touch(&sid, None).await.unwrap().unwrap();
        }
    }
    assert!(failed > 5);
    watch.check(watch.elapsed(), Duration::from_secs(1));
    three.store.ping().await.unwrap_err();

    // The listing has an error in that server's place, and the others' sessions.
    let listed: Vec<_> = listing(&three.store).ids().collect().await;
    let (sids, errors): (Vec<_>, Vec<_>) = listed.into_iter().partition(Result::is_ok);
    assert_eq!((sids.len(), errors.len()), (60 - failed, 1));
    listing(&three.store).length().await.unwrap_err();

    three.servers[1].restart().unwrap();
    for sid in ids().filter(|sid| three.server_of(sid) == 1) {
        assert_eq!(three.store.get(&sid).await.unwrap(), None, "it came back empty");
        three.store.set(&sid, &session()).await.unwrap();
    }
    three.store.ping().await.unwrap();
    assert_eq!(listing(&three.store).length().await.unwrap(), 60);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_frozen_server_holds_up_its_keys_only() {
    let mut three = Three::start();
    for sid in ids() {
        three.store.set(&sid, &session()).await.unwrap();
    }
    three.servers[2].pause().unwrap();
    let stuck = ids().find(|sid| three.server_of(sid) == 2).unwrap();
    let stuck = tokio::spawn({
        let store = three.store.clone();
        async move { store.get(&stuck).await }
    });
    let watch = Stopwatch::start();
    for sid in ids().filter(|sid| three.server_of(sid) != 2) {
        assert!(three.store.get(&sid).await.unwrap().is_some());
    }
    watch.check(watch.elapsed(), Duration::from_secs(1));
    three.servers[2].resume().unwrap();
    assert!(stuck.await.unwrap().unwrap().is_some(), "it waited for its answer");
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_copy_where_no_id_leads_is_not_listed_and_goes_with_clear() {
    let three = Three::start();
    three.store.set("a", &session()).await.unwrap();
    let elsewhere = &three.servers[(three.server_of("a") + 1) % 3];
    let mut raw = Raw::connect(elsewhere);
    raw.plant("s:a", 2, r#"{"cookie":{},"stale":true}"#);
    let all: Vec<_> = listing(&three.store).all().try_collect().await.unwrap();
    let all: Vec<_> = all.into_iter().map(|listed| (listed.id, listed.session)).collect();
    assert_eq!(all, [("a".to_owned(), session())]);
    assert_eq!(listing(&three.store).length().await.unwrap(), 1);
    listing(&three.store).clear().await.unwrap();
    assert_eq!(raw.item("s:a"), None);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn weights_move_keys_and_a_server_that_is_listed_twice_is_one() {
    let servers: [Memcached; 2] = std::array::from_fn(|_| Memcached::start().unwrap());
    let [first, second] = servers.each_ref().map(Memcached::addr);
    for (hosts, share) in [
        (format!("{first},{second}"), 0.5),
        (format!("{first};weight=9,{second}"), 0.9),
        (format!("{first};vnodes=1,{second}"), 0.1),
        // Its points are there twice, and at the same places.
        (format!("{first},{first},{second}"), 0.5),
    ] {
        let store = MemcachedStore::open(&format!("memcached://{hosts}?prefix=s:")).unwrap();
        for number in 0..300 {
            store.set(&format!("id-{number}"), &session()).await.unwrap();
        }
        let items = Raw::connect(&servers[0]).stat("curr_items") as f64 / 300.0;
        assert!((share - 0.17..=share + 0.17).contains(&items), "{hosts}: {items}");
        assert_eq!(listing(&store).length().await.unwrap(), 300, "{hosts}");
        store.flush_servers().await.unwrap();
        assert_eq!(listing(&store).length().await.unwrap(), 0, "{hosts}");
        // Flushed items go when somebody looks.
        listing(&store).clear().await.unwrap();
        for number in 0..300 {
            store.destroy(&format!("id-{number}")).await.unwrap();
        }
    }
}
