//! A Redis Cluster: its nodes, redirects, slots that move, primaries that fail.

use std::{collections::BTreeSet, time::Duration};

use cloakroom_core::{Created, Error, ErrorKind, Store, Updated};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{RedisCluster, RedisServer, Wait};
use futures::{TryStreamExt, future::join_all};

use crate::{
    Monitor, atomic, listing,
    operations::{OPERATIONS, operation},
    options,
    round_trips::names,
    session,
    writers::Writers,
};

/// So long that a test fails by it rather than waits for it.
const FAR: Duration = Duration::from_secs(60);

fn patient(url: &str) -> RedisStore {
    RedisStore::open_with(url, options(|options| options.deadline = FAR)).unwrap()
}

/// A session for each node, by the number of the node.
fn one_for_each(cluster: &RedisCluster) -> Vec<String> {
    (0..3)
        .map(|node| {
            let sids = (0..).map(|number: u32| number.to_string());
            let mut sids =
                sids.filter(|sid| cluster.owner_of(&format!("sess:{sid}")).unwrap() == node);
            sids.next().unwrap()
        })
        .collect()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn every_operation_is_one_command_to_the_node_that_has_the_key() {
    let mut cluster = RedisCluster::start_with(0).unwrap();
    let sids = one_for_each(&cluster);
    // The URL names one node, which knows the others.
    let store = RedisStore::open(&format!("redis+cluster://{}", cluster.addr(2))).unwrap();
    for sid in &sids {
        atomic(&store).create(sid, &session()).await.unwrap();
        let read = store.get(sid).await.unwrap().unwrap();
        atomic(&store).update(sid, &read).await.unwrap();
    }
    let mut monitors: Vec<_> = (0..3).map(|node| Monitor::start(cluster.node(node))).collect();
    let mut commands = |sid: usize, what: &str| {
        let said: Vec<Vec<_>> = monitors.iter_mut().map(Monitor::commands).collect();
        for (node, said) in said.iter().enumerate() {
            assert_eq!(said.len(), usize::from(node == sid), "{what}: {said:?}");
        }
        names(&said[sid])[0].to_owned()
    };
    for (number, sid) in sids.iter().enumerate() {
        let read = store.get(sid).await.unwrap().unwrap();
        assert_eq!(commands(number, "get"), "GET");
        store.set(sid, &read).await.unwrap();
        assert_eq!(commands(number, "set"), "SET");
        store.touch(sid, &read).await.unwrap();
        assert_eq!(commands(number, "touch"), "EXPIRE");
        assert_eq!(atomic(&store).create(sid, &read).await.unwrap(), Created::Exists);
        assert_eq!(commands(number, "create"), "SET");
        atomic(&store).update(sid, &read).await.unwrap();
        assert_eq!(commands(number, "update"), "EVALSHA");
        atomic(&store).get_and_touch(sid, None).await.unwrap();
        assert_eq!(commands(number, "get_and_touch"), "GETEX");
        store.destroy(sid).await.unwrap();
        assert_eq!(commands(number, "destroy"), "DEL");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_sessions_of_all_nodes_are_listed_counted_and_cleared() {
    let mut cluster = RedisCluster::start_with(0).unwrap();
    let store = patient(&cluster.url());
    let neighbour = patient(&format!("{}?prefix=other:", cluster.url()));
    store.ping().await.unwrap();
    let sids: BTreeSet<_> = (0..500).map(|number| format!("id-{number}")).collect();
    let record = session();
    for outcome in join_all(sids.iter().map(|sid| store.set(sid, &record))).await {
        outcome.unwrap();
    }
    neighbour.set("id-1", &session()).await.unwrap();
    for node in 0..3 {
        let keys: usize = cluster.ask(node, &["DBSIZE"]).unwrap().parse().unwrap();
        assert!(keys > 100, "node {node} has {keys} keys");
    }
    let listed: Vec<String> = listing(&store).ids().try_collect().await.unwrap();
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), sids);
    let all: Vec<_> = listing(&store).all().try_collect().await.unwrap();
    assert!(all.iter().all(|listed| listed.session == session()));
    assert_eq!(all.into_iter().map(|listed| listed.id).collect::<BTreeSet<_>>(), sids);
    assert_eq!(listing(&store).length().await.unwrap(), 500);
    listing(&store).clear().await.unwrap();
    assert_eq!(listing(&store).length().await.unwrap(), 0);
    assert!(neighbour.get("id-1").await.unwrap().is_some());
    store.set("id-1", &session()).await.unwrap();
    neighbour.clear_database().await.unwrap();
    for node in 0..3 {
        assert_eq!(cluster.ask(node, &["DBSIZE"]).unwrap(), "0", "node {node}");
    }
    // A part of the sessions would look like all of them.
    cluster.node(1).stop();
    for error in [
        listing(&store).length().await.unwrap_err(),
        listing(&store).clear().await.unwrap_err(),
        store.clear_database().await.unwrap_err(),
        store.ping().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
}

/// Returns the first outcome of a call that the cluster does not reject because it is down, as it is for seconds when its
/// nodes get too little time to hear from each other.
async fn once_it_is_up<T>(call: impl AsyncFn() -> Result<T, Error>) -> T {
    for _ in 0..100 {
        match call().await {
            Ok(outcome) => return outcome,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(!error.outcome_unknown(), "{error}");
            }
        }
    }
    panic!("the cluster stays down");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_redirect_is_followed_and_nothing_is_done_twice() {
    let cluster = RedisCluster::start_with(1).unwrap();
    let store = patient(&cluster.url());
    store.set("a", &session()).await.unwrap();
    let read = store.get("a").await.unwrap().unwrap();
    let large = || {
        let mut session = session();
        session.insert("text", "x".repeat(40_000)).unwrap();
        session
    };
    store.set("large", &large()).await.unwrap();
    let read_large = store.get("large").await.unwrap().unwrap();
    for sid in ["a", "b", "large"] {
        let primary = cluster.owner_of(&format!("sess:{sid}")).unwrap();
        // The node that has the key now is a primary, or has become one for another key before.
        if primary < 3 {
            cluster.fail_over(primary).unwrap();
        }
    }
    // The store still believes the old primaries, which are replicas now.
    let created = once_it_is_up(async || atomic(&store).create("b", &session()).await).await;
    assert!(matches!(created, Created::Stored(_)), "{created:?}");
    let updated = once_it_is_up(async || atomic(&store).update("a", &read).await).await;
    assert!(matches!(updated, Updated::Stored(_)), "{updated:?}");
    let updated = once_it_is_up(async || atomic(&store).update("large", &read_large).await).await;
    assert!(matches!(updated, Updated::Stored(_)), "{updated:?}");
    let found = once_it_is_up(async || store.get("a").await).await;
    assert_eq!(found, Some(session()), "from the new primary");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn slots_that_move_under_load_fail_no_call_and_lose_no_write() {
    // The script compares the small records, and WATCH the large ones.
    for padding in [0, 40_000] {
        let cluster = RedisCluster::start_with(0).unwrap();
        let store = patient(&cluster.url());
        let sids: Vec<_> = (0..8).map(|number| format!("{{moving}}{number}")).collect();
        let writers = Writers::start(&store, &sids, padding).await;
        writers.write(100).await;
        let moves = tokio::task::spawn_blocking(move || {
            let slot = cluster.slot_of("{moving}").unwrap();
            for _ in 0..3 {
                let from = cluster.owner_of("{moving}").unwrap();
                // Longer than a look pauses.
                let midway = || std::thread::sleep(Duration::from_millis(50));
                cluster.move_slot(slot, from, (from + 1) % 3, midway).unwrap();
            }
            cluster
        });
        let _cluster = moves.await.unwrap();
        writers.write(100).await;
        let told = writers.end().await;
        println!("padding {padding}: {} writes, gap {:?}", told.acknowledged, told.gap);
        assert_eq!(told.errors, Vec::<String>::new(), "padding {padding}");
        assert_eq!(told.unexplained, Vec::<String>::new(), "padding {padding}");
        assert_eq!(told.lost, 0, "padding {padding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_failover_on_purpose_under_load_loses_nothing() {
    let cluster = RedisCluster::start_with(1).unwrap();
    let store = patient(&cluster.url());
    let sids: Vec<_> = (0..8).map(|number| format!("{{a}}{number}")).collect();
    let writers = Writers::start(&store, &sids, 0).await;
    writers.write(100).await;
    let moved = tokio::task::spawn_blocking(move || {
        let primary = cluster.owner_of("{a}").unwrap();
        cluster.fail_over(primary).unwrap();
        (cluster, primary)
    });
    let (cluster, old) = moved.await.unwrap();
    writers.write(100).await;
    let told = writers.end().await;
    println!("{} writes, gap {:?}, errors {:?}", told.acknowledged, told.gap, told.errors);
    assert_eq!(told.unexplained, Vec::<String>::new());
    assert_eq!(told.lost, 0);
    // The old primary is a replica now, and nothing is asked of it.
    assert!(cluster.ask(old, &["ROLE"]).unwrap().starts_with("slave"));
    store.set("{a}0", &session()).await.unwrap();
    assert_eq!(store.get("{a}0").await.unwrap(), Some(session()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_primary_that_dies_or_freezes_under_load_is_replaced() {
    for freezes in [false, true] {
        let mut cluster = RedisCluster::start().unwrap();
        let options = options(|options| options.deadline = Duration::from_secs(5));
        let store = RedisStore::open_with(&cluster.url(), options).unwrap();
        let sids: Vec<_> = (0..8).map(|number| format!("{{a}}{number}")).collect();
        let writers = Writers::start(&store, &sids, 0).await;
        writers.write(100).await;
        let primary = cluster.owner_of("{a}").unwrap();
        if freezes {
            cluster.node(primary).pause().unwrap();
        } else {
            cluster.node(primary).stop();
        }
        // Only the replica can answer this.
        writers.write(100).await;
        if freezes {
            cluster.node(primary).resume().unwrap();
        } else {
            cluster.node(primary).restart().unwrap();
        }
        writers.write(100).await;
        let told = writers.end().await;
        println!(
            "freezes {freezes}: {} writes, {} lost, {} errors, gap {:?}",
            told.acknowledged,
            told.lost,
            told.errors.len(),
            told.gap
        );
        // What the primary acknowledged and had not sent to its replica yet may be lost, and nothing else.
        assert_eq!(told.unexplained, Vec::<String>::new());
    }
}

/// This is not for the store to prevent, and the plain client loses as much: replication does not hold up an answer.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_no_replica_has_is_lost_with_its_primary_for_every_client() {
    let mut cluster = RedisCluster::start().unwrap();
    let store = patient(&cluster.url());
    store.set("{a}", &session()).await.unwrap();
    let seeds: Vec<_> = (0..3).map(|node| format!("redis://{}", cluster.addr(node))).collect();
    let client = redis::cluster::ClusterClient::new(seeds).unwrap();
    let mut plain = client.get_async_connection().await.unwrap();
    let primary = cluster.owner_of("{a}").unwrap();
    let wait = Wait::until("the replica has the session");
    while cluster.ask(primary + 3, &["DBSIZE"]).unwrap() != "1" {
        wait.check();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // From now on, its replica cannot log in.
    cluster.ask(primary, &["CONFIG", "SET", "requirepass", "secret"]).unwrap();
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("replica");
    let login = format!("redis://:secret@{}", cluster.addr(primary));
    let mut admin = redis::Client::open(login).unwrap().get_connection().unwrap();
    kill.exec(&mut admin).unwrap();

    store.set("{a}ours", &session()).await.unwrap();
    let _: () = redis::cmd("SET").arg("{a}plain").arg(1).query_async(&mut plain).await.unwrap();
    cluster.node(primary).stop();
    // A new store, because the failover is not what this is about.
    let wait = Wait::until("the replica takes over");
    let read = loop {
        wait.check();
        match patient(&cluster.url()).get("{a}").await {
            Ok(read) => break read,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(read, Some(session()), "the replica had this one");
    assert_eq!(patient(&cluster.url()).get("{a}ours").await.unwrap(), None);
    let mut plain = client.get_async_connection().await.unwrap();
    let lost: Option<u8> = redis::cmd("GET").arg("{a}plain").query_async(&mut plain).await.unwrap();
    assert_eq!(lost, None);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_is_no_node_is_a_config_error_that_says_so() {
    let server = RedisServer::start().unwrap();
    let store = RedisStore::open(&format!("redis+cluster://{}", server.addr())).unwrap();
    for number in 0..OPERATIONS {
        let (name, _, outcome) = operation(&store, number).await;
        let error = outcome.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Config, "{name}: {error}");
        let text = format!("{} is not a node of a Redis Cluster: write redis://", server.addr());
        assert!(error.to_string().contains(&text), "{name}: {error}");
        assert!(!error.outcome_unknown(), "{name}: {error}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_store_on_a_cluster_is_not_tied_to_a_runtime() {
    let cluster = RedisCluster::start_with(0).unwrap();
    let store = patient(&cluster.url());
    for number in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sids: Vec<_> = (0..10).map(|id| format!("{number}-{id}")).collect();
            let record = session();
            for outcome in join_all(sids.iter().map(|sid| store.set(sid, &record))).await {
                outcome.unwrap();
            }
            let listed = listing(&store).length().await.unwrap();
            assert_eq!(listed, 10 * (number + 1));
        });
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_same_login_is_used_at_every_node() {
    let cluster = RedisCluster::start_with(0).unwrap();
    for node in 0..3 {
        cluster.ask(node, &["ACL", "SETUSER", "ann", "on", ">hush", "~sess:*", "+@all"]).unwrap();
        cluster.ask(node, &["ACL", "SETUSER", "default", "off"]).unwrap();
    }
    let url = cluster.url();
    let with = |login: &str| patient(&url.replace("://", &format!("://{login}@")));
    let store = with("ann:hush");
    for number in 0..20 {
        store.set(&number.to_string(), &session()).await.unwrap();
    }
    let error = with("ann:wrong").get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let error = patient(&url).get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}
