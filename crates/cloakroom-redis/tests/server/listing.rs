//! The listing beside other people's keys.

use std::{collections::BTreeSet, time::Duration};

use cloakroom_core::{ErrorKind, Store};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{RedisCluster, RedisServer, Wait};
use futures::{StreamExt, TryStreamExt, future::try_join_all};

use crate::{
    Bench,
    fake::{Fake, HELLO, Then},
    listing, options, session,
};

async fn ids(store: &RedisStore) -> BTreeSet<String> {
    listing(store).ids().try_collect().await.unwrap()
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_prefix_is_no_pattern() {
    let bench = Bench::start();
    let every_character = (' '..='~').collect::<String>();
    for (prefix, foreign) in [
        ("s?s*:", "sXs-other:key"),
        ("sess[1]:", "sess1:key"),
        ("a\\*:", "a*:key"),
        ("[^a]:", "b:key"),
        (&every_character, "key"),
        ("€\0\n:", "e:key"),
    ] {
        let store = RedisStore::open_with(
            &bench.server.url(),
            options(|options| options.prefix = prefix.to_owned()),
        )
        .unwrap();
        bench.plant(foreign, "theirs");
        for sid in ["a", "*", "b:c"] {
            store.set(sid, &session()).await.unwrap();
        }
        assert_eq!(ids(&store).await, set(&["*", "a", "b:c"]), "{prefix:?}");
        assert_eq!(listing(&store).length().await.unwrap(), 3, "{prefix:?}");
        assert_eq!(listing(&store).all().try_collect::<Vec<_>>().await.unwrap().len(), 3);
        listing(&store).clear().await.unwrap();
        assert_eq!(ids(&store).await, set(&[]), "{prefix:?}");
        assert_eq!(bench.value(foreign).unwrap(), b"theirs", "{prefix:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn keys_that_are_no_sessions_are_left_out_and_left_alone() {
    let bench = Bench::start();
    bench.store.set("a", &session()).await.unwrap();
    bench.plant("sess:", "no id");
    bench.raw::<()>(redis::cmd("SET").arg(b"sess:\xff").arg("not UTF-8"));
    bench.raw::<()>(redis::cmd("HSET").arg("sess:stats:count").arg("n").arg(1));
    assert_eq!(ids(&bench.store).await, set(&["a"]));
    assert_eq!(listing(&bench.store).length().await.unwrap(), 1);
    listing(&bench.store).clear().await.unwrap();
    assert_eq!(bench.raw::<usize>(&mut redis::cmd("DBSIZE")), 3);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_member_named_id_survives_the_listing() {
    let bench = Bench::start();
    bench.plant("sess:a", r#"{"cookie":{},"id":"its own"}"#);
    let all: Vec<_> = listing(&bench.store).all().try_collect().await.unwrap();
    assert_eq!(all[0].id, "a");
    assert_eq!(all[0].session.to_json(), r#"{"cookie":{},"id":"its own"}"#);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn ten_thousand_sessions_are_listed_in_pages() {
    let bench = Bench::with(options(|options| options.scan_count = 500));
    let mut planting = redis::cmd("EVAL");
    planting.arg(
        "for n = 1, 10000 do redis.call('SET', 'sess:' .. n, '{\"cookie\":{},\"n\":' .. n .. '}') end",
    );
    bench.raw::<()>(planting.arg(0));
    assert_eq!(ids(&bench.store).await.len(), 10_000);
    assert_eq!(listing(&bench.store).length().await.unwrap(), 10_000);
    let sum = listing(&bench.store)
        .all()
        .try_fold(0, async |sum, listed| {
            assert_eq!(listed.session.get::<u64>("n").unwrap().unwrap().to_string(), listed.id);
            Ok(sum + 1)
        })
        .await
        .unwrap();
    assert!(sum >= 10_000, "at least once each: {sum}");
    listing(&bench.store).clear().await.unwrap();
    assert_eq!(bench.raw::<usize>(&mut redis::cmd("DBSIZE")), 0);
}

/// A server that keeps its data has another order of the keys after a restart, so an old cursor would skip some.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_listing_begins_again_on_another_connection() {
    let server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut bench = Bench::on(server.unwrap(), options(|_| {}));
    let mut planting = redis::cmd("EVAL");
    planting.arg("for n = 1, 1000 do redis.call('SET', 'sess:' .. n, '{\"cookie\":{}}') end");
    bench.raw::<()>(planting.arg(0));
    let store = bench.store.clone();
    let mut seen = BTreeSet::new();
    let mut listed = listing(&store).ids();
    while seen.len() < 500 {
        seen.insert(listed.try_next().await.unwrap().unwrap());
    }
    bench.server.restart().unwrap();
    seen.extend(listed.try_collect::<Vec<_>>().await.unwrap());
    assert_eq!(seen.len(), 1_000);
}

/// The node is a replica without data until its new primary has sent it some, for which that waits five seconds by default.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_listing_begins_again_when_a_primary_was_replaced_and_is_empty() {
    let mut cluster = RedisCluster::start_with(1).unwrap();
    let options = options(|options| options.deadline = Duration::from_secs(60));
    let store = RedisStore::open_with(&cluster.url(), options).unwrap();
    let sids: BTreeSet<_> = (0..1_000).map(|number| number.to_string()).collect();
    let record = session();
    try_join_all(sids.iter().map(|sid| store.set(sid, &record))).await.unwrap();
    for node in 0..cluster.nodes() {
        cluster.ask(node, &["CONFIG", "SET", "repl-diskless-sync-delay", "5"]).unwrap();
    }
    let mut listed = listing(&store).ids();
    let first = listed.try_next().await.unwrap().unwrap();
    let current = cluster.owner_of(&format!("sess:{first}")).unwrap();
    let replaced = (current + 1) % 3;
    cluster.fail_over(replaced).unwrap();
    cluster.node(replaced).restart().unwrap();
    let wait = Wait::until("the old primary is a replica");
    while !cluster.ask(replaced, &["ROLE"]).unwrap().starts_with("slave") {
        wait.check();
    }
    let mut seen: BTreeSet<_> = listed.try_collect().await.unwrap();
    seen.insert(first);
    assert_eq!(seen.len(), sids.len());
}

#[tokio::test]
async fn a_listing_that_begins_again_and_again_is_unavailable() {
    const PAGE: &str = "*2\r\n$1\r\n7\r\n*1\r\n$6\r\nsess:a\r\n";
    let fake = Fake::start(|_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        _ => Then::AnswerAndClose(PAGE),
    });
    let store = RedisStore::open(&fake.url).unwrap();
    let ids: Vec<_> = listing(&store).ids().take(100).collect().await;
    let error = ids.last().unwrap().as_ref().unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "ids"));
    assert!(error.to_string().contains("the connection was lost"), "{error}");
    assert!(ids.len() < 10, "{}", ids.len());
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn without_a_prefix_clear_refuses_and_clear_database_does_it() {
    let bench = Bench::with(options(|options| options.prefix.clear()));
    bench.store.set("a", &session()).await.unwrap();
    let error = listing(&bench.store).clear().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("clear_database"), "{error}");
    assert_eq!(ids(&bench.store).await, set(&["a"]));
    bench.store.clear_database().await.unwrap();
    assert_eq!(ids(&bench.store).await, set(&[]));
    assert_eq!(listing(&bench.store).length().await.unwrap(), 0);
}

#[tokio::test]
async fn a_clear_that_fails_after_it_removed_something_may_have_happened() {
    const FIRST: &str = "*2\r\n$1\r\n7\r\n*1\r\n$6\r\nsess:a\r\n";
    const LOADING: &str = "-LOADING Redis is loading the dataset in memory\r\n";
    for (scan, first, second, is_unknown) in [
        (LOADING, "", "", false),
        (FIRST, LOADING, "", false),
        (FIRST, ":1\r\n", "", true),
        (FIRST, ":1\r\n", FIRST, true),
    ] {
        let fake = Fake::start(move |_, words| match (&*words[0], &*words[1]) {
            ("HELLO", _) => Then::Answer(HELLO),
            ("SCAN", "0") => Then::Answer(scan),
            ("SCAN", _) if second.is_empty() => Then::Answer(LOADING),
            ("SCAN", _) => Then::Answer("*2\r\n$1\r\n0\r\n*1\r\n$6\r\nsess:b\r\n"),
            ("UNLINK", "sess:a") => Then::Answer(first),
            _ => Then::Answer(LOADING),
        });
        let store = RedisStore::open(&fake.url).unwrap();
        let error = listing(&store).clear().await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "clear"));
        assert_eq!(error.outcome_unknown(), is_unknown, "{:?}", fake.commands());
    }
}
