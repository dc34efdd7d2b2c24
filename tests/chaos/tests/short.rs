//! A short run on each target: a few faults, and no broken promise. `cargo xtask chaos` makes longer ones.
#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use cloakroom_chaos::{
    run::{Options, run},
    target::start,
};

const SECONDS: u64 = 7;

fn check(name: &str) {
    let options = Options {
        program: env!("CARGO_BIN_EXE_cloakroom-chaos").into(),
        seconds: SECONDS,
        seed: fastrand::u64(..),
        history: None,
    };
    let mut target = start(name).unwrap();
    let report = run(name, &mut *target, &options).unwrap();
    assert!(report.violations.is_empty(), "{report:#?}");
    assert!(report.acknowledged > 0 && !report.faults.is_empty(), "{report:#?}");
}

#[test]
fn files_keep_their_promises_while_processes_are_killed() {
    check("file");
}

#[test]
#[ignore = "needs memcached and Node.js"]
fn memcached_keeps_its_promises_while_it_is_harmed() {
    check("memcached");
}

#[test]
#[ignore = "needs mongod and Node.js"]
fn mongodb_keeps_its_promises_while_it_is_harmed() {
    check("mongodb");
}

#[test]
#[ignore = "needs mariadb-server and Node.js"]
fn mariadb_keeps_its_promises_while_it_is_harmed() {
    check("mariadb");
}

#[test]
#[ignore = "needs postgresql and Node.js"]
fn postgresql_keeps_its_promises_while_it_is_harmed() {
    check("postgres");
}

#[test]
#[ignore = "needs Node.js"]
fn sqlite_keeps_its_promises_while_processes_are_killed_and_its_lock_is_held() {
    check("sqlite");
}

#[test]
#[ignore = "needs redis-server and Node.js"]
fn redis_keeps_its_promises_while_it_is_harmed() {
    check("redis");
}

#[test]
#[ignore = "needs memcached and Node.js"]
fn memcached_keeps_its_promises_while_it_evicts() {
    check("memcached-full");
}

#[test]
#[ignore = "needs memcached and Node.js"]
fn a_ring_keeps_its_promises_while_its_servers_are_harmed() {
    check("ring");
}

#[test]
#[ignore = "needs redis-server and Node.js"]
fn a_redis_cluster_keeps_its_promises_while_it_is_harmed() {
    check("cluster");
}

#[test]
#[ignore = "needs redis-server and Node.js"]
fn a_master_of_sentinels_keeps_its_promises_while_it_is_harmed() {
    check("sentinels");
}

#[test]
#[ignore = "needs mongod and Node.js"]
fn a_replica_set_keeps_its_promises_while_it_is_harmed() {
    check("replica-set");
}
