//! The lists of users' sessions: what notes a session, how long a list lives, and what is taken off it.

use std::{collections::BTreeSet, time::Duration};

use cloakroom_core::{ErrorKind, SessionData, Store};
use cloakroom_redis::{RedisOptions, RedisStore, Ttl};
use cloakroom_test_support::{RedisCluster, RedisServer};
use futures::TryStreamExt;

use crate::{
    Bench, Monitor, atomic,
    fake::{Fake, HELLO, Then},
    listing, options,
    round_trips::names,
    session,
};

const PATH: &str = "passport.user";

/// A session of a user that lives for so many milliseconds.
fn of_user(user: &str, lives_ms: i64) -> SessionData {
    let mut session = crate::expiring_in(lives_ms);
    session.insert_json("passport", format!("{{\"user\":{user}}}")).unwrap();
    session
}

const DAY_MS: i64 = 86_400_000;

fn with_lists() -> RedisOptions {
    RedisOptions::default().with_user_path(PATH)
}

async fn known(store: &RedisStore, user: &str) -> BTreeSet<String> {
    let found = listing(store).find_by().unwrap().find_known(PATH, user).await.unwrap().unwrap();
    found.map_ok(|listed| listed.id).try_collect().await.unwrap()
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// The keys of all lists.
fn lists(bench: &Bench) -> Vec<String> {
    bench.raw(redis::cmd("KEYS").arg("users-of:*"))
}

/// When a session was noted, in milliseconds since 1970.
fn noted(bench: &Bench, list: &str, sid: &str) -> Option<f64> {
    bench.raw(redis::cmd("ZSCORE").arg(list).arg(sid))
}

/// Notes a session as it was some hours ago.
fn note_before(bench: &Bench, list: &str, sid: &str, hours: f64) {
    let (seconds, _): (f64, f64) = bench.raw(&mut redis::cmd("TIME"));
    let time = (seconds - hours * 3_600.0) * 1_000.0;
    bench.raw::<()>(redis::cmd("ZADD").arg(list).arg(time).arg(sid));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_search_in_a_list_begins_again_on_another_connection() {
    let server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut bench = Bench::on(server.unwrap(), with_lists());
    for number in 0..500 {
        bench.store.set(&number.to_string(), &of_user("7", DAY_MS)).await.unwrap();
    }
    let store = bench.store.clone();
    let find_by = listing(&store).find_by().unwrap();
    let mut found = find_by.find_known(PATH, "7").await.unwrap().unwrap();
    let mut seen = BTreeSet::new();
    while seen.len() < 250 {
        seen.insert(found.try_next().await.unwrap().unwrap().id);
    }
    bench.server.restart().unwrap();
    let rest: Vec<_> = found.map_ok(|listed| listed.id).try_collect().await.unwrap();
    seen.extend(rest);
    assert_eq!(seen.len(), 500);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_write_and_a_visit_of_a_users_session_send_one_command_more() {
    let bench = Bench::with(with_lists());
    let (store, anns) = (&bench.store, of_user("\"ann\"", DAY_MS));
    // The first call connects, the first note and the first update teach the server their scripts.
    store.set("a", &anns).await.unwrap();
    let read = store.get("a").await.unwrap().unwrap();
    atomic(store).update("a", &read).await.unwrap();
    let mut monitor = Monitor::start(&bench.server);
    macro_rules! check {
        ($operation:expr, $commands:expr) => {{
            let answer = $operation.await.unwrap();
            let commands = monitor.commands();
            let mut names = names(&commands);
            names.sort();
            assert_eq!(names, $commands, "{}", stringify!($operation));
            answer
        }};
    }
    check!(store.set("a", &anns), ["EVALSHA", "SET"]);
    check!(atomic(store).create("b", &anns), ["EVALSHA", "SET"]);
    check!(store.touch("a", &anns), ["EVALSHA", "EXPIRE"]);
    check!(atomic(store).get_and_touch("a", None), ["EVALSHA", "GETEX"]);
    let read = check!(store.get("a"), ["GET"]).unwrap();
    check!(atomic(store).update("a", &read), ["EVALSHA", "EVALSHA"]);
    check!(store.destroy("b"), ["DEL"]);
    check!(store.set("c", &session()), ["SET"]);
    check!(atomic(store).get_and_touch("c", None), ["GETEX"]);
    check!(atomic(store).get_and_touch("missing", None), ["GETEX"]);
    check!(store.set("a", &of_user("\"ann\"", -1)), ["DEL"]);
    // A value that has no list.
    check!(store.set("d", &of_user("{\"id\":7}", DAY_MS)), ["SET"]);
    store.set("e", &anns).await.unwrap();
    monitor.commands();
    assert_eq!(known(store, "\"ann\"").await, set(&["e"]));
    let commands = monitor.commands();
    // Three ids, of which two sessions have ended. The script is new to the server.
    let expected = ["ZSCAN", "MGET", "PTTL", "PTTL", "PTTL", "EVALSHA", "EVAL"];
    assert_eq!(names(&commands), expected);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_list_is_no_session() {
    let bench = Bench::with(with_lists());
    let store = &bench.store;
    for (sid, user) in [("a", "\"ann\""), ("b", "7"), ("c", "true")] {
        store.set(sid, &of_user(user, DAY_MS)).await.unwrap();
    }
    assert_eq!(lists(&bench).len(), 3);
    assert!(!lists(&bench).concat().contains("ann"), "a key does not tell the user");
    let ids: BTreeSet<String> = listing(store).ids().try_collect().await.unwrap();
    assert_eq!((ids, listing(store).length().await.unwrap()), (set(&["a", "b", "c"]), 3));
    listing(store).clear().await.unwrap();
    assert_eq!(lists(&bench).len(), 3, "they end by themselves");
    assert_eq!(known(store, "\"ann\"").await, set(&[]));
    store.set("a", &of_user("7", DAY_MS)).await.unwrap();
    assert_eq!(known(store, "\"ann\"").await, set(&[]), "it is somebody else's now");
    assert_eq!(known(store, "70e-1").await, set(&["a"]));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_list_lives_as_long_as_its_longest_session() {
    let bench = Bench::with(with_lists());
    let left_days = |bench: &Bench| {
        let ms: i64 = bench.raw(redis::cmd("PTTL").arg(&lists(bench)[0]));
        (ms + DAY_MS / 2) / DAY_MS
    };
    let store = &bench.store;
    for (lives, days) in [(2, 2), (1, 2), (9, 9), (3, 9)] {
        let session = of_user("7", lives * DAY_MS);
        store.set(&lives.to_string(), &session).await.unwrap();
        assert_eq!(left_days(&bench), days);
    }
    store.touch("1", &of_user("7", 20 * DAY_MS)).await.unwrap();
    assert_eq!(left_days(&bench), 20);
    let visit = Some(Duration::from_secs(30 * 86_400));
    atomic(store).get_and_touch("2", visit).await.unwrap().unwrap();
    assert_eq!(left_days(&bench), 30);

    let endless = Bench::with(with_lists().with_disable_ttl(true));
    let list = |bench: &Bench| bench.raw::<i64>(redis::cmd("PTTL").arg(&lists(bench)[0]));
    endless.store.set("a", &session_of_seven()).await.unwrap();
    assert_eq!(list(&endless), -1);
    let store = RedisStore::open_with(&endless.server.url(), with_lists()).unwrap();
    store.set("b", &session_of_seven()).await.unwrap();
    assert_eq!(list(&endless), -1, "one of its sessions has no end");
    note_before(&endless, &lists(&endless)[0], "old", 1e5);
    store.set("b", &session_of_seven()).await.unwrap();
    assert!(noted(&endless, &lists(&endless)[0], "old").is_some(), "it could be endless, too");
}

fn session_of_seven() -> SessionData {
    of_user("7", DAY_MS)
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_has_ended_is_taken_off_the_list_unless_it_may_be_on_its_way() {
    let bench = Bench::with(with_lists());
    let store = &bench.store;
    store.set("a", &session_of_seven()).await.unwrap();
    let list = &lists(&bench)[0];
    for (sid, hours) in [("fresh", 0.9), ("old", 1.1), ("older", 24.9), ("longest", 25.1)] {
        note_before(&bench, list, sid, hours);
    }
    // A note removes what none of the sessions can have lived for.
    store.set("a", &session_of_seven()).await.unwrap();
    assert!(noted(&bench, list, "older").is_some());
    assert!(noted(&bench, list, "longest").is_none());
    // A look removes what it does not find.
    note_before(&bench, list, "a", 24.0);
    assert_eq!(known(store, "7").await, set(&["a"]));
    assert!(noted(&bench, list, "a").is_some() && noted(&bench, list, "fresh").is_some());
    assert!(noted(&bench, list, "old").is_none() && noted(&bench, list, "older").is_none());
    // A record that cannot be read is an error, and no reason to forget it.
    note_before(&bench, list, "broken", 2.0);
    note_before(&bench, list, "gone", 2.0);
    bench.plant("sess:broken", "{");
    let found = listing(store).find_by().unwrap().find_known(PATH, "7").await.unwrap().unwrap();
    let error = found.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(noted(&bench, list, "broken").is_some());
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_lists_are_filled_by_a_look_at_all_sessions() {
    let bench = Bench::start();
    for number in 0..300 {
        bench.plant(&format!("sess:{number}"), r#"{"cookie":{},"passport":{"user":7}}"#);
    }
    bench.plant("sess:other", r#"{"cookie":{},"passport":{"user":"7"}}"#);
    bench.plant("sess:nobody", r#"{"cookie":{}}"#);
    bench.plant("sess:broken", "{");
    bench.raw::<()>(redis::cmd("EXPIRE").arg("sess:7").arg(1_000));
    assert!(listing(&bench.store).find_by().is_none(), "without the option");
    let store = RedisStore::open_with(&bench.server.url(), with_lists()).unwrap();
    let find_by = listing(&store).find_by().unwrap();
    assert_eq!(known(&store, "7").await, set(&[]));
    find_by.create_index(PATH).await.unwrap();
    assert_eq!(known(&store, "7").await.len(), 300);
    assert_eq!(known(&store, "\"7\"").await, set(&["other"]));
    assert_eq!(lists(&bench).len(), 2);
    let error = find_by.create_index("user").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(find_by.find_known("user", "7").await.unwrap().is_none());
    assert!(find_by.find(PATH, "7").await.unwrap().is_none(), "Node.js may have written more");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn lists_are_kept_on_any_node_of_a_cluster() {
    let cluster = RedisCluster::start_with(0).unwrap();
    let options = with_lists().with_deadline(Duration::from_secs(60));
    let url = format!("redis+cluster://{}", cluster.addr(0));
    let store = RedisStore::open_with(&url, options).unwrap();
    let sids: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for user in 0..5 {
        for sid in &sids {
            let sid = format!("{user}-{sid}");
            store.set(&sid, &of_user(&user.to_string(), DAY_MS)).await.unwrap();
            atomic(&store).get_and_touch(&sid, None).await.unwrap().unwrap();
        }
    }
    store.destroy("3-0").await.unwrap();
    for user in 0..5 {
        let found = known(&store, &user.to_string()).await;
        assert_eq!(found.len(), if user == 3 { 49 } else { 50 });
    }
    assert_eq!(listing(&store).length().await.unwrap(), 249);
    listing(&store).find_by().unwrap().create_index(PATH).await.unwrap();
}

#[tokio::test]
async fn a_note_that_fails_leaves_the_outcome_of_the_write_open() {
    let fake = Fake::start(|_, words| match &*words[0] {
        "HELLO" => Then::Answer(HELLO),
        "SET" => Then::Answer("+OK\r\n"),
        "GETEX" => Then::Answer("$39\r\n{\"cookie\":{},\"passport\":{\"user\":\"ann\"}}\r\n"),
        _ => Then::Answer("-OOM command not allowed when used memory > 'maxmemory'.\r\n"),
    });
    let store = RedisStore::open_with(&fake.url, with_lists()).unwrap();
    let error = store.set("a", &of_user("\"ann\"", DAY_MS)).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Full, "set"));
    assert!(error.outcome_unknown());
    let error = atomic(&store).get_and_touch("a", None).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Full, "get_and_touch"));
    assert!(!format!("{error} {error:?}").contains("ann"));
}

#[test]
fn a_path_and_a_prefix_that_lists_cannot_have_are_refused() {
    for (query, why) in [
        ("userPath=passport.$user", "must be names of ASCII letters, digits, _ and -"),
        ("userPath=user&prefix=", "requires a prefix with which \"users-of:\" does not begin"),
        ("userPath=user&prefix=u", "requires a prefix"),
        ("userPath=user&prefix=users-of:", "requires a prefix"),
        ("userPath=user&prefix=users-of:users-of:", "requires a prefix"),
    ] {
        let error = RedisStore::open(&format!("redis://h?{query}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{query}");
        assert!(error.to_string().contains(why), "{error}");
    }
    for query in ["userPath=user&prefix=user:", "userPath=passport.user", "prefix=u"] {
        RedisStore::open(&format!("redis://h?{query}")).unwrap();
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_function_for_the_time_to_live_counts_for_the_list() {
    let week = Ttl::of(|_| Duration::from_secs(7 * 86_400));
    let bench = Bench::with(options(|options| {
        options.user_path = Some(PATH.to_owned());
        options.ttl = week;
    }));
    bench.plant("sess:a", r#"{"cookie":{},"passport":{"user":7}}"#);
    atomic(&bench.store).get_and_touch("a", None).await.unwrap().unwrap();
    let left: i64 = bench.raw(redis::cmd("TTL").arg(&lists(&bench)[0]));
    assert!(left > 6 * 86_400, "{left}");
    assert_eq!(known(&bench.store, "7").await, set(&["a"]));
}
