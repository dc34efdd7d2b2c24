//! A master that sentinels name: failovers, sentinels that are gone or wrong, their login.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use cloakroom_core::{ErrorKind, Store, Updated};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{RedisServer, SentinelServer, SentinelSet, Wait, free_port};

use crate::{
    atomic,
    fake::{Fake, HELLO, Then},
    operations::{OPERATIONS, operation},
    options, session,
    writers::Writers,
};

/// So long that a test fails by it rather than waits for it.
const FAR: Duration = Duration::from_secs(600);

fn patient(url: &str) -> RedisStore {
    RedisStore::open_with(url, options(|options| options.deadline = FAR)).unwrap()
}

fn sids() -> Vec<String> {
    (0..8).map(|number| number.to_string()).collect()
}

/// A client of the crate `redis` that writes greater and greater numbers to the first master, until that one ends the
/// connection. Returns the last number that was acknowledged.
fn plain_writer(set: &SentinelSet) -> JoinHandle<u64> {
    let client = redis::Client::open(format!("redis://{}", set.master_addr().unwrap())).unwrap();
    let mut connection = client.get_connection().unwrap();
    thread::spawn(move || {
        let write = |number: &u64| {
            thread::sleep(Duration::from_millis(1));
            redis::cmd("SET").arg("plain").arg(*number).exec(&mut connection).is_ok()
        };
        (1..).take_while(write).last().unwrap_or_default()
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_failover_under_load_is_followed_and_the_old_master_is_left() {
    let set = SentinelSet::start().unwrap();
    let store = patient(&set.url());
    let writers = Writers::start(&store, &sids(), 0).await;
    writers.write(100).await;
    let plain = plain_writer(&set);
    let set = tokio::task::spawn_blocking(move || {
        set.fail_over().unwrap();
        set
    });
    let set = set.await.unwrap();
    writers.write(100).await;
    let told = writers.end().await;
    let (count, lost, errors) = (told.acknowledged, told.lost, told.errors.len());
    println!("{count} writes, {lost} lost, {errors} errors, gap {:?}", told.gap);
    let acknowledged = plain.join().unwrap();
    let there: u64 = set.ask(1, &["GET", "plain"]).unwrap().parse().unwrap();
    println!("the plain client: {acknowledged} writes, {} lost", acknowledged - there);
    // Until the old master is told, it acknowledges writes that its successor does not have.
    assert_eq!(told.unexplained, Vec::<String>::new());
    store.set("last", &session()).await.unwrap();
    assert_eq!(set.ask(1, &["EXISTS", "sess:last"]).unwrap(), "1");
    assert!(set.ask(0, &["ROLE"]).unwrap().starts_with("slave"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_failover_is_noticed_on_a_silent_connection_too() {
    let mut set = SentinelSet::start().unwrap();
    let store = patient(&set.url());
    store.set("a", &session()).await.unwrap();
    let wait = Wait::until("the replica has the session");
    while set.ask(1, &["DBSIZE"]).unwrap() != "1" {
        wait.check();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    set.server(0).pause().unwrap();
    let first = tokio::time::Instant::now();
    // The deadline is far, so only the sentinels can end this wait.
    assert_eq!(store.get("a").await.unwrap(), Some(session()));
    println!("read from the new master after {:?}", first.elapsed());
    assert_eq!(set.master().unwrap(), 1);
    set.server(0).resume().unwrap();
    store.set("b", &session()).await.unwrap();
    assert_eq!(set.ask(1, &["EXISTS", "sess:b"]).unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_master_that_dies_under_load_is_replaced_and_comes_back_as_a_replica() {
    let mut set = SentinelSet::start().unwrap();
    let store = patient(&set.url());
    let writers = Writers::start(&store, &sids(), 0).await;
    writers.write(100).await;
    set.server(0).stop();
    writers.write(100).await;
    set.server(0).restart().unwrap();
    let wait = Wait::until("the old master is a replica");
    while !set.ask(0, &["ROLE"]).is_ok_and(|role| role.starts_with("slave")) {
        wait.check();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    writers.write(100).await;
    let told = writers.end().await;
    let (count, lost, errors) = (told.acknowledged, told.lost, told.errors.len());
    println!("{count} writes, {lost} lost, {errors} errors, gap {:?}", told.gap);
    assert_eq!(told.unexplained, Vec::<String>::new());
    assert_eq!(set.master().unwrap(), 1);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn sentinels_that_are_gone_or_silent_are_passed_over() {
    let mut set = SentinelSet::start().unwrap();
    set.sentinel(0).stop();
    set.sentinel(1).pause().unwrap();
    let store = patient(&set.url());
    store.set("a", &session()).await.unwrap();
    set.sentinel(2).stop();
    store.set("a", &session()).await.unwrap();
    // A new connection needs a sentinel.
    let error = patient(&set.url()).get("a").await.unwrap_err();
    assert!(error.is_retryable() && !error.outcome_unknown(), "{error}");
    set.sentinel(1).stop();
    let error = patient(&set.url()).get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("no sentinel answers: tried 127.0.0.1:"), "{error}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_wrong_name_and_a_server_that_is_no_sentinel_are_config_errors() {
    let server = RedisServer::start().unwrap();
    let sentinel = SentinelServer::start().unwrap();
    sentinel.watch(server.port()).unwrap();
    for (url, text) in [
        (format!("{}/your-master", sentinel.addr()), "watches no master \"your-master\""),
        (format!("{}/mymaster", server.addr()), "is not a Redis Sentinel"),
        // The reason counts more than a sentinel that cannot be reached.
        (
            format!("127.0.0.1:{},{}/your-master", free_port(), sentinel.addr()),
            "watches no master \"your-master\"",
        ),
    ] {
        let store = patient(&format!("redis+sentinel://{url}"));
        for number in 0..OPERATIONS {
            let (name, _, outcome) = operation(&store, number).await;
            let error = outcome.expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}: {name}: {error}");
            assert!(error.to_string().contains(text), "{url}: {name}: {error}");
            assert!(!error.outcome_unknown(), "{url}: {name}: {error}");
        }
    }
    // One sentinel that does not know the name is not the last word.
    let other = SentinelServer::start().unwrap();
    let url = format!("redis+sentinel://{},{}/mymaster", other.addr(), sentinel.addr());
    patient(&url).set("a", &session()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn sentinels_have_a_login_of_their_own() {
    let server = RedisServer::start_with(&["--requirepass", "hush"]).unwrap();
    let sentinel = SentinelServer::start().unwrap();
    sentinel.watch(server.port()).unwrap();
    let admin = redis::Client::open(sentinel.url()).unwrap();
    let mut admin = admin.get_connection().unwrap();
    for words in [
        &["SENTINEL", "SET", "mymaster", "auth-pass", "hush"][..],
        &["ACL", "SETUSER", "eve", "on", ">secret", "+@all", "&*"],
        &["ACL", "SETUSER", "default", "off"],
    ] {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).exec(&mut admin).unwrap();
    }
    let url = |login: &str, query: &str| {
        format!("redis+sentinel://{login}{}/mymaster/2?{query}", sentinel.addr())
    };
    let both = "sentinelUsername=eve&sentinelPassword=secret";
    let store = patient(&url(":hush@", both));
    store.set("a", &session()).await.unwrap();
    let with = format!("redis://:hush@{}/2", server.addr());
    assert_eq!(patient(&with).get("a").await.unwrap(), Some(session()), "in the database 2");
    for (login, query, text) in [
        (":hush@", "", "the sentinel 127.0.0.1:"),
        (":hush@", "sentinelUsername=eve&sentinelPassword=wrong", "the sentinel 127.0.0.1:"),
        ("", both, "requires a password"),
    ] {
        let error = patient(&url(login, query)).get("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{query}: {error}");
        assert!(error.to_string().contains(text), "{query}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

const SENTINEL: &str = "%1\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n";

const SUBSCRIBED: &str = "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n\
    *3\r\n$9\r\nsubscribe\r\n$15\r\n+promoted-slave\r\n:2\r\n";

/// A sentinel that names this server. It answers a check of its subscription as it is told.
fn fake_sentinel(master: &Fake, pong: fn() -> Then) -> Fake {
    let port = master.url.rsplit(':').next().unwrap();
    let answer: &str = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len()).leak();
    Fake::start(move |_, words| match &*words[0] {
        "HELLO" => Then::Answer(SENTINEL),
        "SENTINEL" => Then::Answer(answer),
        "SUBSCRIBE" => Then::Answer(SUBSCRIBED),
        "PING" => pong(),
        _ => Then::Silence,
    })
}

#[tokio::test]
async fn a_sentinel_that_becomes_silent_is_left_for_the_next() {
    let master = Fake::start(|_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        _ => Then::Answer("$-1\r\n"),
    });
    let silent = fake_sentinel(&master, || Then::Silence);
    let alive = fake_sentinel(&master, || Then::Answer("*2\r\n$4\r\npong\r\n$0\r\n\r\n"));
    let hosts = [&silent, &alive].map(|fake| fake.url["redis://".len()..].to_owned()).join(",");
    let store = patient(&format!("redis+sentinel://{hosts}/mymaster"));
    assert_eq!(store.get("a").await.unwrap(), None);
    let pings = |fake: &Fake| fake.commands().iter().filter(|name| *name == "PING").count();
    let is_left = async {
        while pings(&alive) < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(FAR / 10, is_left).await.expect("it listens to the one that is alive");
    assert!(pings(&silent) > 0, "it listened to the other one first");
    assert_eq!(master.connections(), 1, "nothing was wrong with the master");
}

/// A sentinel that is cut off from the others knows only the old master.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_sentinel_that_names_a_replica_is_not_believed() {
    let master = RedisServer::start().unwrap();
    let follows = ["--replicaof", "127.0.0.1", &master.port().to_string()];
    let replica = RedisServer::start_with(&follows).unwrap();
    let sentinel = SentinelServer::start().unwrap();
    sentinel.watch(master.port()).unwrap();
    let port = replica.port().to_string();
    let answer: &str = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len()).leak();
    let stale = Fake::start(move |_, words| match &*words[0] {
        "HELLO" => Then::Answer(SENTINEL),
        "SENTINEL" => Then::Answer(answer),
        _ => Then::Silence,
    });
    let hosts = [&stale.url["redis://".len()..], &sentinel.addr()].join(",");
    let store = patient(&format!("redis+sentinel://{hosts}/mymaster"));
    let error = store.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("is not the master any more"), "{error}");
    // The other one is asked next.
    assert!(atomic(&store).get_and_touch("a", None).await.unwrap().is_none());
}

#[test]
#[ignore = "needs redis-server"]
fn a_store_with_sentinels_is_not_tied_to_a_runtime() {
    let server = RedisServer::start().unwrap();
    let sentinel = SentinelServer::start().unwrap();
    sentinel.watch(server.port()).unwrap();
    let store = patient(&format!("redis+sentinel://{}/mymaster", sentinel.addr()));
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            store.set("a", &session()).await.unwrap();
        });
    }
}

/// The first time that the sentinel is asked, it names one master, and later another one, as a sentinel does that is cut
/// off. Only the connection to the first is watched for failovers.
#[tokio::test]
async fn a_large_update_is_written_where_the_shared_connection_leads() {
    let record = Box::leak(Box::new({
        let mut session = session();
        session.insert("padding", "x".repeat(20_000)).unwrap();
        session.to_json().into_owned()
    }));
    let bulk: &str = format!("${}\r\n{record}\r\n", record.len()).leak();
    let master = || {
        Fake::start(move |_, words| match &*words[0] {
            "HELLO" => Then::Answer(HELLO),
            "GET" | "GETEX" => Then::Answer(bulk),
            "EVALSHA" => Then::Answer(":1\r\n"),
            "SET" => Then::Answer("+QUEUED\r\n"),
            "EXEC" => Then::Answer("*1\r\n+OK\r\n"),
            _ => Then::Answer("+OK\r\n"),
        })
    };
    let (first, second) = (master(), master());
    let place = |fake: &Fake| {
        let port = fake.url.rsplit(':').next().unwrap();
        &*format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len()).leak()
    };
    let places = [place(&first), place(&second)];
    let asked = AtomicUsize::new(0);
    let sentinel = Fake::start(move |_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "SENTINEL" => Then::Answer(places[asked.fetch_add(1, Ordering::SeqCst).min(1)]),
        // It announces no failover.
        "SUBSCRIBE" => Then::Close,
        _ => Then::Answer("+OK\r\n"),
    });
    let url = sentinel.url.replace("redis://", "redis+sentinel://") + "/mymaster";
    let store = patient(&url);
    let read = store.get("a").await.unwrap().unwrap();
    let updated = atomic(&store).update("a", &read).await.unwrap();
    assert!(matches!(updated, Updated::Stored(_)), "{updated:?}");
    let written = |fake: &Fake| {
        let commands = fake.commands();
        commands.iter().any(|name| matches!(&**name, "SET" | "EXEC" | "EVALSHA" | "EVAL"))
    };
    assert!(written(&first) && !written(&second), "{:?}", second.commands());
}
