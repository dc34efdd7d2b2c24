//! Several workers, each a thread with a runtime of its own, share one store.

use std::{collections::BTreeSet, thread};

use cloakroom::{Secrets, Store, open};
use cloakroom_actix::SessionMiddleware;
use cloakroom_test_support::{Memcached, Mongod, RedisServer};

use crate::server::{Browser, Server};

const WORKERS: usize = 4;
const BROWSERS: usize = 8;
const VISITS: u32 = 25;

/// Each browser has a connection of its own, which the server gives to its workers in turn.
fn count_on(store: impl Store + 'static) {
    let sessions = SessionMiddleware::new(store, Secrets::new(["keyboard cat"]).unwrap());
    let server = Server::start(WORKERS, sessions);
    let mut ann = Browser::new("");
    ann.get(&format!("{}/login/ann", server.url));
    let (url, cookie) = (format!("{}/count", server.url), ann.cookie.clone());
    let browsers: Vec<_> = (0..BROWSERS)
        .map(|_| {
            let (url, mut browser) = (url.clone(), Browser::new(&cookie));
            thread::spawn(move || {
                let counted = (0..VISITS).map(|_| browser.get(&url));
                counted.map(|text| text.split_once(' ').unwrap().1.to_owned()).collect()
            })
        })
        .collect();
    let workers =
        browsers.into_iter().map(|browser| -> BTreeSet<String> { browser.join().unwrap() });
    let workers: BTreeSet<String> = workers.flatten().collect();
    assert_eq!(workers.len(), WORKERS, "{workers:?}");
    let total = ann.get(&url);
    let expected = BROWSERS as u32 * VISITS + 1;
    assert_eq!(total.split_once(' ').unwrap().0, expected.to_string());
    assert_eq!(ann.get(&server.url), "ann has []");
    ann.get(&format!("{}/logout", server.url));
    let mut late = Browser::new(&cookie);
    assert_eq!(late.get(&server.url), "nobody has []", "any worker knows of the logout");
}

#[test]
fn workers_share_the_sessions_and_lose_nothing() {
    count_on(cloakroom::MemoryStore::new());
}

#[test]
#[ignore = "needs redis-server"]
fn workers_share_the_sessions_of_redis() {
    let redis = RedisServer::start().unwrap();
    count_on(open(&redis.url()).unwrap());
}

#[test]
#[ignore = "needs memcached"]
fn workers_share_the_sessions_of_memcached() {
    let memcached = Memcached::start().unwrap();
    count_on(open(&memcached.url()).unwrap());
}

#[test]
#[ignore = "needs mongod"]
fn workers_share_the_sessions_of_mongodb() {
    let mongod = Mongod::start().unwrap();
    count_on(open(&mongod.url()).unwrap());
}
