//! How many commands each operation is.

use std::time::Duration;

use cloakroom_core::{Created, Store, Updated};
use cloakroom_redis::{RedisOptions, Ttl};
use futures::TryStreamExt;

use crate::{Bench, Monitor, atomic, expiring_in, listing, options, session};

pub(crate) fn names(commands: &[String]) -> Vec<&str> {
    commands.iter().map(|command| command.split('"').nth(1).unwrap()).collect()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn every_operation_is_one_command() {
    let bench = Bench::start();
    let store = &bench.store;
    // The first call connects, the first update teaches the server its script.
    atomic(store).create("a", &session()).await.unwrap();
    let read = store.get("a").await.unwrap().unwrap();
    atomic(store).update("a", &read).await.unwrap();
    let mut monitor = Monitor::start(&bench.server);
    macro_rules! check {
        ($operation:expr, $command:literal) => {{
            let answer = $operation.await.unwrap();
            assert_eq!(names(&monitor.commands()), [$command], stringify!($operation));
            answer
        }};
    }
    let read = check!(store.get("a"), "GET").unwrap();
    check!(store.get("missing"), "GET");
    check!(store.set("a", &session()), "SET");
    check!(store.set("a", &expiring_in(60_000)), "SET");
    check!(store.set("b", &expiring_in(-1)), "DEL");
    check!(store.touch("a", &session()), "EXPIRE");
    check!(store.touch("b", &expiring_in(-1)), "DEL");
    check!(store.destroy("b"), "DEL");
    check!(store.ping(), "PING");
    let atomic = atomic(store);
    check!(atomic.create("c", &session()), "SET");
    let exists = check!(atomic.create("c", &session()), "SET");
    assert_eq!(exists, Created::Exists);
    check!(atomic.create("d", &expiring_in(-1)), "EXISTS");
    let conflict = check!(atomic.update("a", &read), "EVALSHA");
    let Updated::Conflict(current) = conflict else { panic!("{conflict:?}") };
    check!(atomic.update("a", &current), "EVALSHA");
    check!(atomic.update("missing", &current), "EVALSHA");
    check!(atomic.get_and_touch("a", None), "GETEX");
    check!(atomic.get_and_touch("missing", Some(Duration::from_secs(9))), "GETEX");
    let enumerate = listing(store);
    check!(enumerate.ids().try_collect::<Vec<_>>(), "SCAN");
    check!(enumerate.length(), "SCAN");
    assert_eq!(enumerate.all().try_collect::<Vec<_>>().await.unwrap().len(), 2);
    assert_eq!(names(&monitor.commands()), ["SCAN", "MGET", "PTTL", "PTTL"], "a page");
    enumerate.clear().await.unwrap();
    assert_eq!(names(&monitor.commands()), ["SCAN", "UNLINK"], "a page");
    enumerate.clear().await.unwrap();
    assert_eq!(names(&monitor.commands()), ["SCAN"], "an empty page");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_is_switched_off_is_not_sent() {
    for (change, touch, get_and_touch) in [
        ((|options| options.disable_touch = true) as fn(&mut RedisOptions), &[][..], &["GET"][..]),
        (|options| options.disable_ttl = true, &[], &["GET"]),
        (
            |options| options.ttl = Ttl::of(|_| Duration::from_secs(9)),
            &["EXPIRE"],
            &["GET", "EXPIRE"],
        ),
    ] {
        let bench = Bench::with(options(change));
        bench.store.set("a", &session()).await.unwrap();
        let mut monitor = Monitor::start(&bench.server);
        bench.store.touch("a", &session()).await.unwrap();
        assert_eq!(names(&monitor.commands()), touch);
        atomic(&bench.store).get_and_touch("a", None).await.unwrap().unwrap();
        assert_eq!(names(&monitor.commands()), get_and_touch);
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn commands_are_those_of_connect_redis() {
    let bench = Bench::start();
    bench.store.ping().await.unwrap();
    let mut monitor = Monitor::start(&bench.server);
    let plain = cloakroom_core::SessionData::from_json(r#"{"n":1,"cookie":{}}"#).unwrap();
    bench.store.set("a", &plain).await.unwrap();
    bench.store.get("a").await.unwrap();
    bench.store.touch("a", &plain).await.unwrap();
    bench.store.destroy("a").await.unwrap();
    assert_eq!(
        monitor.commands(),
        [
            r#""SET" "sess:a" "{\"n\":1,\"cookie\":{}}" "EX" "86400""#,
            r#""GET" "sess:a""#,
            r#""EXPIRE" "sess:a" "86400""#,
            r#""DEL" "sess:a""#,
        ]
    );
}
