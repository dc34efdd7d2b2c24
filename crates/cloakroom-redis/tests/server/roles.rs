//! Servers that are not the one primary: replicas, nodes of a cluster, Sentinels.

use cloakroom_core::{ErrorKind, Revision, Store};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{RedisServer, SentinelServer, free_port};

use crate::{
    Bench, atomic,
    fake::{Fake, HELLO, Then},
    operations::{OPERATIONS, operation},
    session,
};

/// Makes the server a replica of one that is not there: what it has gets older and older.
fn demote(bench: &Bench) {
    bench.raw::<()>(redis::cmd("REPLICAOF").arg("127.0.0.1").arg(free_port()));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_decides_nothing() {
    for options in [&[][..], &["--rename-command", "GETEX", ""]] {
        let bench = Bench::on(RedisServer::start_with(options).unwrap(), Default::default());
        let store = &bench.store;
        store.set("a", &session()).await.unwrap();
        let current = store.get("a").await.unwrap().unwrap();
        bench.plant("sess:b", r#"{"cookie":{},"newer":true}"#);
        demote(&bench);
        let fresh = RedisStore::open(&bench.server.url()).unwrap();
        for store in [store, &fresh] {
            let atomic = atomic(store);
            for (what, outcome) in [
                ("gone", atomic.update("missing", &current).await.map(drop)),
                ("conflict", atomic.update("b", &current).await.map(drop)),
                ("stored", atomic.update("a", &current).await.map(drop)),
                ("exists", atomic.create("a", &current).await.map(drop)),
                ("created", atomic.create("missing", &current).await.map(drop)),
                ("set", store.set("a", &current).await),
                ("destroyed", store.destroy("a").await),
                ("not destroyed", store.destroy("missing").await),
                ("touched", store.touch("a", &current).await.map(drop)),
                ("not touched", store.touch("missing", &current).await.map(drop)),
                ("got", atomic.get_and_touch("a", None).await.map(drop)),
                ("not got", atomic.get_and_touch("missing", None).await.map(drop)),
            ] {
                let error = outcome.expect_err(what);
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error}");
                assert!(error.to_string().contains("replica"), "{what}: {error}");
                assert!(!error.outcome_unknown(), "{what}: {error}");
            }
            assert_eq!(store.get("a").await.unwrap(), Some(session()), "it can be read");
        }
        bench.raw::<()>(redis::cmd("REPLICAOF").arg("NO").arg("ONE"));
        for number in 0..OPERATIONS {
            let (name, _, outcome) = operation(store, number).await;
            outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn requests_to_a_replica_share_one_connection() {
    let bench = Bench::on(RedisServer::start().unwrap(), Default::default());
    demote(&bench);
    let connections = || -> u64 {
        let info: String = bench.raw(redis::cmd("INFO").arg("stats"));
        let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.unwrap().parse().unwrap()
    };
    let before = connections();
    let since = std::time::Instant::now();
    for _ in 0..100 {
        atomic(&bench.store).get_and_touch("a", None).await.unwrap_err();
        assert_eq!(bench.store.get("a").await.unwrap(), None);
    }
    // The last one is the client's that counts.
    let made = connections() - before - 1;
    assert!(made <= 1 + since.elapsed().as_secs(), "{made} connections");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_node_of_a_cluster_and_a_sentinel_are_noticed_by_every_call() {
    let node_with = |options: &[&str]| {
        let bus = free_port().to_string();
        let cluster = ["--cluster-enabled", "yes", "--cluster-port", &bus];
        RedisServer::start_with(&[&cluster[..], options].concat()).unwrap()
    };
    let node = node_with(&[]);
    let old_node = node_with(&["--rename-command", "HELLO", ""]);
    let sentinel = SentinelServer::start().unwrap();
    for (url, what) in [
        (node.url(), "Redis Cluster"),
        (format!("{}?protocol=resp2", node.url()), "Redis Cluster"),
        (format!("{}?protocol=resp3", node.url()), "Redis Cluster"),
        (old_node.url(), "Redis Cluster"),
        (format!("{}?protocol=resp2", old_node.url()), "Redis Cluster"),
        (sentinel.url(), "Redis Sentinel"),
        (format!("{}/1?protocol=resp2", sentinel.url()), "Redis Sentinel"),
    ] {
        let store = RedisStore::open(&url).unwrap();
        for number in 0..OPERATIONS {
            let (name, _, outcome) = operation(&store, number).await;
            let error = outcome.expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}: {name}: {error}");
            assert!(error.to_string().contains(what), "{url}: {name}: {error}");
            assert!(!error.outcome_unknown(), "{url}: {name}: {error}");
        }
        let error = store.clear_database().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
        let error = store.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_resembles_redis_need_not_say_what_it_is() {
    for hello in [HELLO, "+OK\r\n", "*0\r\n", "-ERR unknown command 'HELLO'\r\n"] {
        let fake = Fake::start(move |_, words| match &*words[0] {
            "HELLO" => Then::Answer(hello),
            "INFO" => Then::Answer("-NOPERM this user has no permissions\r\n"),
            _ => Then::Answer("$-1\r\n"),
        });
        let store = RedisStore::open(&fake.url).unwrap();
        assert_eq!(store.get("a").await.unwrap(), None, "{hello}");
    }
}

/// What Redis 6 and older answer when a command is refused inside of a script.
#[tokio::test]
async fn a_refusal_inside_of_a_script_has_its_kind() {
    for code in ["READONLY", "MISCONF", "OOM", "NOREPLICAS"] {
        let refusal: &'static str = format!(
            "-ERR Error running script (call to f_6b1b): @user_script:4: @user_script: 4: -{code} because\r\n"
        )
        .leak();
        let fake = Fake::start(move |_, words| match &*words[0] {
            "HELLO" => Then::Answer(HELLO),
            "GETEX" => Then::Answer("-ERR unknown command `GETEX`, with args beginning with:\r\n"),
            _ => Then::Answer(refusal),
        });
        let store = RedisStore::open(&fake.url).unwrap();
        let read = session().with_revision(Revision::of_text());
        for error in [
            atomic(&store).update("a", &read).await.unwrap_err(),
            atomic(&store).get_and_touch("a", None).await.unwrap_err(),
        ] {
            let kind = if code == "OOM" { ErrorKind::Full } else { ErrorKind::Unavailable };
            assert_eq!(error.kind(), kind, "{code}: {error}");
        }
    }
}

#[tokio::test]
async fn what_only_reads_has_no_unknown_outcome() {
    let fake = Fake::start(|_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        _ => Then::Close,
    });
    let of = |query: &str| RedisStore::open(&format!("{}?{query}", fake.url)).unwrap();
    let mut options = cloakroom_redis::RedisOptions::default();
    options.ttl = cloakroom_redis::Ttl::of(|_| std::time::Duration::from_secs(9));
    let by_function = RedisStore::open_with(&fake.url, options).unwrap();
    for (what, error) in [
        ("get", of("").get("a").await.unwrap_err()),
        ("ping", of("").ping().await.unwrap_err()),
        (
            "get_and_touch without touch",
            atomic(&of("disableTouch=true")).get_and_touch("a", None).await.unwrap_err(),
        ),
        (
            "get_and_touch without expiry",
            atomic(&of("disableTTL=true")).get_and_touch("a", None).await.unwrap_err(),
        ),
        (
            "the first half of get_and_touch",
            atomic(&by_function).get_and_touch("a", None).await.unwrap_err(),
        ),
        (
            "create of what has passed",
            atomic(&of("")).create("a", &crate::expiring_in(-1)).await.unwrap_err(),
        ),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error}");
        assert!(!error.outcome_unknown(), "{what}: {error}");
    }
}
