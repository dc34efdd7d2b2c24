//! Updates of large records, which no script gets to see.

use std::time::Duration;

use cloakroom_core::{ErrorKind, SessionData, Store, Updated};
use cloakroom_redis::RedisStore;
use cloakroom_test_support::{RedisServer, Wait};

use crate::{
    Bench, Monitor, atomic, expiring_in,
    fake::{Fake, HELLO, Then},
    options,
    round_trips::names,
    session,
};

const LOOK: [&str; 3] = ["WATCH", "GETEX", "MULTI"];
const WRITE: [&str; 2] = ["SET", "EXEC"];

fn large(mut session: SessionData) -> SessionData {
    session.insert("padding", "x".repeat(20_000)).unwrap();
    session
}

/// Stores a session and reads it.
async fn stored(store: &RedisStore, session: &SessionData) -> SessionData {
    store.set("a", session).await.unwrap();
    store.get("a").await.unwrap().unwrap()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_large_update_is_two_round_trips_on_a_connection_of_its_own() {
    let bench = Bench::start();
    let store = &bench.store;
    let mut read = stored(store, &large(expiring_in(60_000))).await;
    let stale = read.clone();
    let mut monitor = Monitor::start(&bench.server);
    read.insert("n", 1).unwrap();
    let updated = atomic(store).update("a", &read).await.unwrap();
    let Updated::Stored(revision) = updated else { panic!("{updated:?}") };
    read.mark_stored(revision);
    // The first one connects.
    assert_eq!(names(&monitor.commands()), [&["HELLO"], &LOOK[..], &WRITE].concat());
    assert_eq!(bench.value("sess:a").as_deref(), Some(read.to_json().as_bytes()));
    assert!((59..=60).contains(&bench.ttl("sess:a")));

    monitor.commands();
    let conflict = atomic(store).update("a", &stale).await.unwrap();
    let Updated::Conflict(current) = conflict else { panic!("{conflict:?}") };
    assert_eq!(names(&monitor.commands()), LOOK);
    assert_eq!(current, read);

    assert!(matches!(atomic(store).update("a", &current).await.unwrap(), Updated::Stored(_)));
    assert_eq!(names(&monitor.commands()), [&["DISCARD"], &LOOK[..], &WRITE].concat());

    store.destroy("a").await.unwrap();
    monitor.commands();
    assert!(matches!(atomic(store).update("a", &current).await.unwrap(), Updated::Gone));
    assert_eq!(names(&monitor.commands()), LOOK);
    assert_eq!(bench.value("sess:a"), None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn no_large_update_is_lost_and_none_brings_a_session_back() {
    const TASKS: usize = 24;
    const CHANGES: usize = 5;
    let bench = Bench::start();
    let first = stored(&bench.store, &large(session())).await;
    let tasks = (0..TASKS).map(|task| {
        let (store, mut read) = (bench.store.clone(), first.clone());
        tokio::spawn(async move {
            for _ in 0..CHANGES {
                let name = format!("n{task}");
                loop {
                    let n = read.get::<usize>(&name).unwrap().unwrap_or_default();
                    read.insert(&name, n + 1).unwrap();
                    match atomic(&store).update("a", &read).await.unwrap() {
                        Updated::Stored(revision) => break read.mark_stored(revision),
                        Updated::Conflict(current) => read = current,
                        other => panic!("{other:?}"),
                    }
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let last = bench.store.get("a").await.unwrap().unwrap();
    for task in 0..TASKS {
        assert_eq!(last.get(&format!("n{task}")).unwrap(), Some(CHANGES), "{task}");
    }
    let clients: String = bench.raw(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("normal"));
    let open = clients.lines().filter(|line| !line.contains("cmd=client")).count();
    assert!((2..=9).contains(&open), "{open}");
}

/// How many connections the server accepted and refused.
fn connections_tried(asker: &mut redis::Connection) -> u64 {
    let info: String = redis::cmd("INFO").arg("stats").query(asker).unwrap();
    let count = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    count("total_connections_received:") + count("rejected_connections:")
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn without_a_second_connection_or_its_commands_the_script_does_it() {
    for arguments in [
        &["--rename-command", "WATCH", ""][..],
        &["--rename-command", "GETEX", ""],
        &["--rename-command", "MULTI", ""],
        &["--rename-command", "EXEC", ""],
        // The store's first connection, and the test's.
        &["--maxclients", "2"],
    ] {
        let bench = Bench::on(RedisServer::start_with(arguments).unwrap(), Default::default());
        let mut read = stored(&bench.store, &large(session())).await;
        let stale = read.clone();
        let mut asker = redis::Client::open(bench.server.url()).unwrap().get_connection().unwrap();
        let mut tried = Vec::new();
        for n in 0..3 {
            read.insert("n", n).unwrap();
            let updated = atomic(&bench.store).update("a", &read).await.unwrap();
            let Updated::Stored(revision) = updated else { panic!("{updated:?}") };
            read.mark_stored(revision);
            tried.push(connections_tried(&mut asker));
        }
        assert_eq!(tried, [tried[0]; 3], "the first refusal is remembered: {arguments:?}");
        let conflict = atomic(&bench.store).update("a", &stale).await.unwrap();
        assert!(matches!(conflict, Updated::Conflict(current) if current == read));
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn without_multi_nothing_is_written_over_another_writers_record() {
    for denied in ["-multi", "-exec", "-discard"] {
        nothing_is_written_over_another_writers_record(denied).await;
    }
}

async fn nothing_is_written_over_another_writers_record(denied: &str) {
    let bench = Bench::start();
    bench.raw::<()>(redis::cmd("ACL").arg(&["SETUSER", "default", denied]));
    let mut read = stored(&bench.store, &large(session())).await;
    read.insert("mine", 1).unwrap();
    let other = read.clone();
    for _ in 0..20 {
        let (ours, theirs) = tokio::join!(
            atomic(&bench.store).update("a", &read),
            atomic(&bench.store).update("a", &other)
        );
        let stored = [ours.unwrap(), theirs.unwrap()];
        let won = stored.iter().filter(|updated| matches!(updated, Updated::Stored(_))).count();
        assert_eq!(won, 1, "{stored:?}");
        read = bench.store.get("a").await.unwrap().unwrap();
        read.insert("mine", read.get::<u64>("mine").unwrap().unwrap() + 1).unwrap();
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_record_that_cannot_be_read_changes_nothing_for_the_next_one() {
    let bench = Bench::start();
    let mut read = stored(&bench.store, &large(session())).await;
    bench.raw::<()>(redis::cmd("HSET").arg("sess:b").arg("a").arg(1));
    let error = atomic(&bench.store).update("b", &read).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let mut monitor = Monitor::start(&bench.server);
    read.insert("n", 1).unwrap();
    assert!(matches!(atomic(&bench.store).update("a", &read).await.unwrap(), Updated::Stored(_)));
    assert!(names(&monitor.commands()).contains(&"WATCH"));
}

/// A server with one large record, which answers `EXEC` like this.
fn server(exec: fn() -> Then) -> Fake {
    let record = large(session()).to_json().into_owned();
    let bulk: &str = format!("${}\r\n{record}\r\n", record.len()).leak();
    Fake::start(move |_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "GET" | "GETEX" => Then::Answer(bulk),
        "SET" if words.len() > 5 => Then::Answer("+QUEUED\r\n"),
        "EXEC" => exec(),
        "EVALSHA" => Then::Answer(":1\r\n"),
        _ => Then::Answer("+OK\r\n"),
    })
}

#[tokio::test]
async fn a_second_connection_that_is_cut_at_once_is_remembered_as_refused() {
    let record = large(session()).to_json().into_owned();
    let bulk: &str = format!("${}\r\n{record}\r\n", record.len()).leak();
    let fake = Fake::start(move |connection, words| match &*words[0] {
        "HELLO" if connection > 0 => Then::Close,
        "HELLO" => Then::Answer(HELLO),
        "GET" => Then::Answer(bulk),
        "EVALSHA" => Then::Answer(":1\r\n"),
        _ => Then::Answer("+OK\r\n"),
    });
    let store = RedisStore::open(&fake.url).unwrap();
    let read = store.get("a").await.unwrap().unwrap();
    for _ in 0..3 {
        assert!(matches!(atomic(&store).update("a", &read).await.unwrap(), Updated::Stored(_)));
    }
    assert_eq!(fake.connections(), 2);
}

async fn update(fake: &Fake) -> Result<Updated, cloakroom_core::Error> {
    let options = options(|options| options.deadline = Duration::from_secs(1));
    let store = RedisStore::open_with(&fake.url, options).unwrap();
    let read = store.get("a").await.unwrap().unwrap();
    atomic(&store).update("a", &read).await
}

#[tokio::test]
async fn after_exec_was_sent_and_not_answered_the_outcome_is_unknown() {
    for (exec, kind) in [
        ((|| Then::Close) as fn() -> Then, ErrorKind::Unavailable),
        (|| Then::Silence, ErrorKind::Timeout),
    ] {
        let fake = server(exec);
        let error = update(&fake).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.outcome_unknown(), "{error}");
        let written = fake.commands().iter().filter(|name| *name == "SET").count();
        assert_eq!(written, 1, "it must not be sent twice");
    }
}

#[tokio::test]
async fn a_key_that_is_touched_again_and_again_is_left_to_the_script() {
    let fake = server(|| Then::Answer("_\r\n"));
    assert!(matches!(update(&fake).await.unwrap(), Updated::Stored(_)));
    let commands = fake.commands();
    assert_eq!(commands.iter().filter(|name| *name == "EXEC").count(), 3);
    assert_eq!(commands.last().unwrap(), "EVALSHA");
}

#[tokio::test]
async fn a_key_that_expires_before_exec_is_gone() {
    let fake = server(|| Then::Answer("*1\r\n_\r\n"));
    assert!(matches!(update(&fake).await.unwrap(), Updated::Gone));
}

#[tokio::test]
async fn the_refusal_of_a_command_inside_is_that_refusal() {
    let fake = server(|| Then::Answer("*1\r\n-OOM command not allowed\r\n"));
    let error = update(&fake).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(!error.outcome_unknown(), "{error}");
}

#[tokio::test]
async fn calls_that_nobody_polls_do_not_stop_others() {
    let record = large(session()).to_json().into_owned();
    let bulk: &str = format!("${}\r\n{record}\r\n", record.len()).leak();
    let fake = Fake::start(move |_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "GET" => Then::Answer(bulk),
        "GETEX" => Then::Silence,
        "EVALSHA" => Then::Answer(":1\r\n"),
        _ => Then::Answer("+OK\r\n"),
    });
    let store = RedisStore::open(&fake.url).unwrap();
    let read = store.get("a").await.unwrap().unwrap();
    let mut calls: Vec<_> = (0..8).map(|_| Box::pin(atomic(&store).update("a", &read))).collect();
    let wait = Wait::until("all calls read the time left");
    while fake.commands().iter().filter(|name| *name == "GETEX").count() < calls.len() {
        wait.check();
        let tick = Box::pin(tokio::time::sleep(Duration::from_millis(1)));
        futures::future::select(futures::future::select_all(&mut calls), tick).await;
    }
    assert!(matches!(atomic(&store).update("a", &read).await.unwrap(), Updated::Stored(_)));
    assert!(fake.commands().contains(&"EVALSHA".to_owned()));
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_connection_with_it() {
    let fake = server(|| Then::Silence);
    let store = RedisStore::open(&fake.url).unwrap();
    let read = store.get("a").await.unwrap().unwrap();
    for connections in 2..4 {
        let mut call = Box::pin(atomic(&store).update("a", &read));
        while !fake.commands().iter().any(|name| name == "EXEC") {
            let tick = tokio::time::sleep(Duration::from_millis(1));
            futures::future::select(&mut call, Box::pin(tick)).await;
        }
        assert_eq!(fake.connections(), connections);
        drop(call);
        fake.forget();
        let wait = Wait::until("its connection is closed");
        while fake.open() > 1 {
            wait.check();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
