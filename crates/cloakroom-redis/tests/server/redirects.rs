//! Nodes of a cluster that redirect for ever, do not know each other, or fail while commands are under way.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering, Ordering::SeqCst},
};

use cloakroom_core::{ErrorKind, Revision, Store};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::Wait;
use futures::TryStreamExt;

use crate::{
    atomic,
    fake::{Fake, HELLO, Then},
    listing, session,
};

/// A node that says that it has all slots itself.
fn whole_cluster(port: u16) -> &'static str {
    format!("*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:{port}\r\n$1\r\na\r\n").leak()
}

fn with_port(script: impl Fn(u16, &[String]) -> Then + Send + Sync + 'static) -> Fake {
    let port = Arc::new(OnceLock::new());
    let known = Arc::clone(&port);
    let fake = Fake::start(move |_, words| script(*port.wait(), words));
    known.set(fake.url.rsplit(':').next().unwrap().parse().unwrap()).unwrap();
    fake
}

fn on(fake: &Fake) -> RedisStore {
    RedisStore::open(&fake.url.replace("redis:", "redis+cluster:")).unwrap()
}

#[tokio::test]
async fn nodes_that_disagree_for_ever_are_an_error() {
    let fake = with_port(|port, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "CLUSTER" => Then::Answer(whole_cluster(port)),
        _ => Then::Answer(format!("-MOVED 1 127.0.0.1:{port}\r\n").leak()),
    });
    let error = on(&fake).set("a", &session()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("do not agree"), "{error}");
    assert!(!error.outcome_unknown(), "no node executed it");
    let sets = fake.commands().iter().filter(|name| *name == "SET").count();
    assert_eq!(sets, 9, "one, and eight redirects");
}

#[tokio::test]
async fn a_cluster_that_is_down_for_a_moment_is_waited_for() {
    for downs in [3, usize::MAX] {
        let left = AtomicUsize::new(downs);
        let fake = with_port(move |port, words| match &*words[0] {
            "HELLO" => Then::Answer(HELLO),
            "CLUSTER" => Then::Answer(whole_cluster(port)),
            _ if left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() => {
                Then::Answer("-CLUSTERDOWN The cluster is down\r\n")
            }
            _ => Then::Answer("+OK\r\n"),
        });
        let url = fake.url.replace("redis:", "redis+cluster:");
        let store = RedisStore::open(&format!("{url}?deadline=60000")).unwrap();
        let outcome = store.set("a", &session()).await;
        let sets = fake.commands().iter().filter(|name| *name == "SET").count();
        if downs == 3 {
            outcome.unwrap();
            assert_eq!(sets, 4);
        } else {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.to_string().contains("the cluster is down"), "{error}");
            assert!(!error.outcome_unknown(), "no node executed it");
            assert_eq!(sets, 17, "one, and sixteen after pauses");
        }
    }
    // A call with less time ends at its deadline.
    let fake = with_port(|port, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "CLUSTER" => Then::Answer(whole_cluster(port)),
        _ => Then::Answer("-CLUSTERDOWN The cluster is down\r\n"),
    });
    let url = fake.url.replace("redis:", "redis+cluster:");
    let store = RedisStore::open(&format!("{url}?deadline=400")).unwrap();
    let error = store.set("a", &session()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
    let sets = fake.commands().iter().filter(|name| *name == "SET").count();
    assert!(sets < 17, "{sets}");
}

#[tokio::test]
async fn a_redirect_to_an_unknown_address_passes() {
    for refusal in ["-MOVED 1 ?:6379\r\n", "-ASK 1 ?:6379\r\n", "-MOVED 1\r\n"] {
        let fake = with_port(move |port, words| match &*words[0] {
            "HELLO" => Then::Answer(HELLO),
            "CLUSTER" => Then::Answer(whole_cluster(port)),
            _ => Then::Answer(refusal),
        });
        let error = on(&fake).set("a", &session()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().ends_with("does not say which node has the key"), "{error}");
        assert!(!error.outcome_unknown(), "no node executed it");
    }
}

/// Two nodes that share the slots.
fn halves(first: u16, second: &str) -> &'static str {
    let (host, port) = second.split_once(':').unwrap();
    format!(
        "*2\r\n*3\r\n:0\r\n:99\r\n*3\r\n$9\r\n127.0.0.1\r\n:{first}\r\n$1\r\na\r\n\
         *3\r\n:100\r\n:16383\r\n*3\r\n${}\r\n{host}\r\n:{port}\r\n$1\r\nb\r\n",
        host.len()
    )
    .leak()
}

#[tokio::test]
async fn a_listing_that_lacks_a_node_of_unknown_address_is_an_error() {
    let fake = with_port(|port, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "CLUSTER" => Then::Answer(halves(port, "?:7000")),
        "SCAN" => Then::Answer("*2\r\n$1\r\n0\r\n*0\r\n"),
        "PING" => Then::Answer("+PONG\r\n"),
        _ => Then::Answer("+OK\r\n"),
    });
    let store = on(&fake);
    let list = listing(&store);
    for (name, outcome) in [
        ("clear", list.clear().await),
        ("length", list.length().await.map(drop)),
        ("ids", list.ids().try_collect::<Vec<_>>().await.map(drop)),
        ("all", list.all().try_collect::<Vec<_>>().await.map(drop)),
        ("clear_database", store.clear_database().await),
        ("ping", store.ping().await),
        ("get", store.get("a").await.map(drop)),
    ] {
        let error = outcome.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error}");
        assert!(error.to_string().contains("cluster-announce-ip"), "{name}: {error}");
        assert!(!error.outcome_unknown(), "{name}: {error}");
    }
}

/// A node that hangs up at the first of these commands, and answers all further ones.
fn loses_the_first(
    name: &'static str,
    answer: &'static str,
    map: impl Fn(u16) -> &'static str + Send + Sync + 'static,
) -> Fake {
    let has_lost = AtomicBool::new(false);
    with_port(move |port, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "CLUSTER" => Then::Answer(map(port)),
        "SCAN" => {
            Then::Answer("*2\r\n$1\r\n0\r\n*3\r\n$6\r\nsess:a\r\n$6\r\nsess:b\r\n$6\r\nsess:c\r\n")
        }
        "PTTL" => Then::Answer(":1000\r\n"),
        command if command == name && has_lost.swap(true, Ordering::SeqCst) => Then::Answer(answer),
        _ => Then::Close,
    })
}

#[tokio::test]
async fn each_key_of_a_page_is_repeated_when_a_connection_is_lost() {
    let fake = loses_the_first("UNLINK", ":1\r\n", whole_cluster);
    listing(&on(&fake)).clear().await.unwrap();
    let fake = loses_the_first("GET", "$2\r\n{}\r\n", whole_cluster);
    let store = on(&fake);
    let all: Vec<_> = listing(&store).all().try_collect().await.unwrap();
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn each_primarys_ping_is_repeated_when_its_connection_is_lost() {
    let second = loses_the_first("PING", "+PONG\r\n", |_| "");
    let other = second.url["redis://".len()..].to_owned();
    let first = loses_the_first("PING", "+PONG\r\n", move |port| halves(port, &other));
    on(&first).ping().await.unwrap();
    for fake in [first, second] {
        let pings = fake.commands().iter().filter(|name| *name == "PING").count();
        assert_eq!(pings, 2);
    }
}

/// Two nodes. The first has all slots, and hangs up at the first command with a key; from then on, the second has them.
fn fails_over_at_the_first_command() -> (Fake, Fake) {
    let second = with_port(|port, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "CLUSTER" => Then::Answer(whole_cluster(port)),
        "GET" | "GETEX" => Then::Answer("$-1\r\n"),
        "DEL" | "EXPIRE" => Then::Answer(":1\r\n"),
        _ => Then::Answer("+OK\r\n"),
    });
    let has_failed = AtomicBool::new(false);
    let first = with_port(move |own, words| match &*words[0] {
        "HELLO" if has_failed.load(Ordering::SeqCst) => Then::Close,
        "HELLO" => Then::Answer(HELLO),
        "CLUSTER" => Then::Answer(whole_cluster(own)),
        _ => {
            has_failed.store(true, Ordering::SeqCst);
            Then::Close
        }
    });
    (first, second)
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_sent_to_another_node() {
    let read = session().with_revision(Revision::of_text());
    for operation in 0..6 {
        let (first, second) = fails_over_at_the_first_command();
        let hosts = [&first, &second].map(|fake| fake.url["redis://".len()..].to_owned());
        let store = RedisStore::open(&format!("redis+cluster://{}", hosts.join(","))).unwrap();
        let (is_harmless, outcome) = match operation {
            0 => (false, store.set("a", &read).await),
            1 => (false, atomic(&store).create("a", &read).await.map(drop)),
            2 => (false, atomic(&store).update("a", &read).await.map(drop)),
            3 => (true, store.get("a").await.map(drop)),
            4 => (true, store.touch("a", &read).await.map(drop)),
            _ => (true, store.destroy("a").await),
        };
        let is_sent = |name: &&String| !["HELLO", "CLUSTER"].contains(&&***name);
        let sent = [&first, &second].map(|it| it.commands().iter().filter(is_sent).count());
        if is_harmless {
            outcome.unwrap();
            assert_eq!(sent, [1, 1], "{operation}");
            continue;
        }
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.outcome_unknown(), "{error}");
        // The next call shows that the store knows the second node by now.
        let wait = Wait::until("the store reaches the second node");
        while store.get("a").await.is_err() {
            wait.check();
        }
        assert_eq!(sent, [1, 0], "{operation}");
        assert!(second.commands().contains(&"GET".to_owned()));
    }
}
