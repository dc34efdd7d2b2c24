//! Each store that the package supports, in each of its forms, with the real express-session on Express 4 and 5.

use cloakroom_test_support::{
    Memcached, Mongod, RedisCluster, RedisServer, ValkeyServer, node_folder,
};

use crate::program::{command, succeed};

/// Runs the cases of `tests/node/safe/cases.test.mjs` on one variant of a store.
fn check(variant: &str, url: &str, express: &str) {
    let mut node = command("node", node_folder(), &["safe/cases.test.mjs"]);
    node.env("VARIANT", variant).env("URL", url).env("EXPRESS", express);
    let printed = succeed(node);
    // None of them may be left out by mistake.
    let passed = printed
        .lines()
        .find_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix("pass "));
    assert!(passed.unwrap().parse::<usize>().unwrap() >= 20, "{printed}");
}

/// Runs the first variant on both versions of Express, and the others on one.
fn check_all(variants: &[&str], url: &str) {
    check(variants[0], url, "express-4");
    for variant in variants {
        check(variant, url, "express");
    }
}

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn connect_redis_is_safe_with_each_of_its_clients() {
    let server = RedisServer::start().unwrap();
    let variants = [
        "connect-redis 10, node-redis 5",
        "connect-redis 10, a serializer",
        "connect-redis 10, an async serializer",
        "connect-redis 10, a client that answers with buffers",
        "connect-redis 10, a serializer to buffers",
        "connect-redis 7, node-redis 4",
        "connect-redis 7, ioredis",
        "connect-redis 7, ioredis with a prefix",
    ];
    check_all(&variants, &server.url());
}

#[test]
#[ignore = "needs redis-server and the npm packages"]
fn connect_redis_is_safe_on_a_cluster() {
    let cluster = RedisCluster::start_with(0).unwrap();
    let url = format!("redis://{}", cluster.addr(0));
    for variant in [
        "connect-redis 10, node-redis 5 cluster",
        "connect-redis 7, node-redis 4 cluster",
        "connect-redis 7, ioredis cluster",
    ] {
        check(variant, &url, "express");
    }
}

#[test]
#[ignore = "needs valkey-server and the npm packages"]
fn connect_redis_is_safe_on_a_server_that_compares_by_itself() {
    let server = ValkeyServer::start().unwrap();
    let url = server.url().replace("valkey://", "redis://");
    for variant in [
        "connect-redis 10, node-redis 5",
        "connect-redis 10, a user without scripts",
        "connect-redis 10, a client that answers with buffers",
        "connect-redis 10, a serializer to buffers",
        "connect-redis 7, ioredis",
    ] {
        check(variant, &url, "express");
    }
}

#[test]
#[ignore = "needs mongod and the npm packages"]
fn connect_mongo_is_safe_with_each_of_its_options() {
    let server = Mongod::start().unwrap();
    let variants = [
        "connect-mongo 6",
        "connect-mongo 6, stringify: false",
        "connect-mongo 6, transformId and touchAfter",
        "connect-mongo 6, touchAfter, timestamps and stringify: false",
        "connect-mongo 6, crypto",
        "connect-mongo 6, crypto and stringify: false",
        "connect-mongo 6, a crypto adapter",
        "connect-mongo 6, serialize and unserialize",
        "connect-mongo 6, autoRemove: interval",
        "connect-mongo 5",
        "connect-mongo 5, stringify: false",
    ];
    for (number, variant) in variants.iter().enumerate() {
        let url = format!("{}/variant{number}", server.url());
        if number == 0 {
            check(variant, &url, "express-4");
        }
        check(variant, &url, "express");
    }
}

#[test]
#[ignore = "needs memcached and the npm packages"]
fn connect_memcached_is_safe_with_each_of_its_options() {
    let server = Memcached::start().unwrap();
    let variants = [
        "connect-memcached 3",
        "connect-memcached 3, a prefix and a namespace",
        "connect-memcached 3, keys that are too long",
        "connect-memcached 3, a secret",
    ];
    check_all(&variants, &format!("memcached://{}", server.addr()));
}

#[test]
#[ignore = "needs the npm packages"]
fn a_store_that_cannot_be_made_safe_is_refused_and_one_that_is_down_is_an_error() {
    succeed(command("node", node_folder(), &["safe/refused.test.mjs"]));
}
