//! The races that Express loses as it comes and wins when it is safe: 1,200 writes, 200 at a time, and 504 logouts that
//! meet a request, over four Express processes and two Rust ones.
//!
//! Both are counted without the package first, so that what is counted can be lost.

use std::{collections::BTreeSet, sync::Barrier, thread};

use cloakroom_test_support::{Memcached, Mongod, RedisServer};

use crate::sites::Sites;

/// How many requests write to one session at once.
const AT_ONCE: usize = 200;
const ROUNDS: usize = 6;

/// Each batch has one logout for each process that writes and each that logs out.
const BATCHES: usize = 14;

/// How many acknowledged writes are not in the session afterwards.
fn lost_writes(sites: &Sites) -> usize {
    let mut lost = 0;
    for _ in 0..ROUNDS {
        let sid = sites.new_session();
        let start = Barrier::new(AT_ONCE);
        let write = |number: usize| {
            start.wait();
            sites.ask(number % sites.number(), &format!("/add/w{number}"), &sid).then_some(number)
        };
        let acknowledged: BTreeSet<usize> = thread::scope(|scope| {
            let writers: Vec<_> =
                (0..AT_ONCE).map(|number| scope.spawn(move || write(number))).collect();
            writers.into_iter().filter_map(|writer| writer.join().unwrap()).collect()
        });
        assert_eq!(acknowledged.len(), AT_ONCE, "a write was refused");
        let stored = sites.stored(&sid).unwrap();
        let is_lost = |number: &&usize| !stored.contains(&format!("w{number}"));
        lost += acknowledged.iter().filter(is_lost).count();
    }
    lost
}

/// How many sessions are there after their logout was answered, and after the request that it met has ended.
fn undone_logouts(sites: &Sites) -> usize {
    let number = sites.number();
    let mut undone = 0;
    for batch in 0..BATCHES {
        let sids: Vec<String> = (0..number * number).map(|_| sites.new_session()).collect();
        thread::scope(|scope| {
            for (pair, sid) in sids.iter().enumerate() {
                scope.spawn(move || sites.ask(pair / number, "/hold/late", sid));
            }
            sites.wait_for_held(sids.len());
            // In every other batch, the request and the logout are really at once.
            let is_at_once = batch % 2 == 1;
            let logouts: Vec<_> = (sids.iter().enumerate())
                .map(|(pair, sid)| scope.spawn(move || sites.ask(pair % number, "/logout", sid)))
                .collect();
            if is_at_once {
                (0..number).for_each(|site| sites.release(site));
            }
            for logout in logouts {
                assert!(logout.join().unwrap(), "a logout was refused");
            }
            if !is_at_once {
                (0..number).for_each(|site| sites.release(site));
            }
        });
        undone += sids.iter().filter(|sid| sites.stored(sid).is_some()).count();
    }
    undone
}

fn check(store: &str, url: &str) {
    let [plain, safe] = [false, true].map(|is_safe| {
        let sites = Sites::start(store, url, is_safe);
        (lost_writes(&sites), undone_logouts(&sites))
    });
    let (writes, logouts) = (ROUNDS * AT_ONCE, BATCHES * 36);
    for (name, (lost, undone)) in [("as it comes", plain), ("safe", safe)] {
        println!(
            "{store}, {name}: {lost} of {writes} writes lost, {undone} of {logouts} logouts undone"
        );
    }
    assert!(
        plain.0 > 0 && plain.1 > 0,
        "nothing was lost without the package, so nothing is shown"
    );
    assert_eq!(safe, (0, 0));
}

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn safe_express_processes_and_rust_lose_and_revive_nothing_on_redis() {
    check("redis-10", &RedisServer::start().unwrap().url());
}

#[test]
#[ignore = "needs mongod and the npm packages"]
fn safe_express_processes_and_rust_lose_and_revive_nothing_on_mongodb() {
    let server = Mongod::start().unwrap();
    check("mongo-6", &format!("{}/shop", server.url()));
}

#[test]
#[ignore = "needs memcached and the npm packages"]
fn safe_express_processes_and_rust_lose_and_revive_nothing_on_memcached() {
    let server = Memcached::start().unwrap();
    check("memcached-3", &format!("memcached://{}", server.addr()));
}
