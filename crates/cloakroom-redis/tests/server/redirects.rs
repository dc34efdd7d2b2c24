//! Nodes of a cluster that redirect for ever, and one that fails while a command is under way.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use cloakroom_core::{ErrorKind, Revision, Store};
use cloakroom_redis::RedisStore;

use crate::{
    atomic,
    fake::{Fake, HELLO, Then},
    session,
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
        while store.get("a").await.is_err() {}
        assert_eq!(sent, [1, 0], "{operation}");
        assert!(second.commands().contains(&"GET".to_owned()));
    }
}
