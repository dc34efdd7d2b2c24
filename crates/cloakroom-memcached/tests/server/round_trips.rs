//! How many commands each operation is, and which.

use std::time::Duration;

use cloakroom_core::{Created, Revision, Store, Updated};
use cloakroom_memcached::MemcachedStore;
use cloakroom_test_support::{Memcached, MemcachedTap};
use futures::TryStreamExt;

use crate::{atomic, expiring_in, large, listing, options, session};

/// A store that talks through a tap.
fn tapped() -> (Memcached, MemcachedTap, MemcachedStore) {
    let server = Memcached::start().unwrap();
    let tap = MemcachedTap::start(&server).unwrap();
    let options = options(|options| options.prefix = "s:".to_owned());
    let store = MemcachedStore::open_with(&format!("memcached://{}", tap.addr()), options).unwrap();
    (server, tap, store)
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn every_operation_is_one_command() {
    let (_server, tap, store) = tapped();
    macro_rules! check {
        ($operation:expr, [$($command:literal),*]) => {{
            let answer = $operation.await.unwrap();
            let commands = tap.commands();
            let names: Vec<_> =
                commands.iter().map(|command| command.split(' ').next().unwrap()).collect();
            let wanted: &[&str] = &[$($command),*];
            assert_eq!(names, wanted, "{}", stringify!($operation));
            answer
        }};
    }
    check!(store.set("a", &session()), ["ms"]);
    let read = check!(store.get("a"), ["mg"]).unwrap();
    check!(store.get("missing"), ["mg"]);
    check!(store.set("a", &expiring_in(60_000)), ["ms"]);
    check!(store.set("b", &expiring_in(-1)), ["md"]);
    check!(store.touch("a", &session()), ["mg"]);
    check!(store.touch("b", &expiring_in(-1)), ["md"]);
    check!(store.destroy("b"), ["md"]);
    check!(store.ping(), ["mn"]);
    let atomic = atomic(&store);
    check!(atomic.create("c", &session()), ["ms"]);
    let exists = check!(atomic.create("c", &session()), ["ms"]);
    assert_eq!(exists, Created::Exists);
    check!(atomic.create("d", &expiring_in(-1)), ["mg"]);
    // The conflict does not contain the current record, so it takes another read.
    let conflict = check!(atomic.update("a", &read), ["ms", "mg"]);
    let Updated::Conflict(mut current) = conflict else { panic!("{conflict:?}") };
    current.insert("more", 1).unwrap();
    check!(atomic.update("a", &current), ["ms"]);
    let gone = check!(atomic.update("missing", &current), ["ms"]);
    assert!(matches!(gone, Updated::Gone));
    let mut expired = check!(store.get("c"), ["mg"]).unwrap();
    expired.cookie_mut().set_max_age_ms(Some(-1_000), 0).unwrap();
    check!(atomic.update("c", &expired), ["md"]);
    check!(atomic.get_and_touch("a", None), ["mg"]);
    check!(atomic.get_and_touch("missing", Some(Duration::from_secs(9))), ["mg"]);
    let enumerate = listing(&store);
    check!(enumerate.ids().try_collect::<Vec<_>>(), ["stats", "lru_crawler"]);
    check!(enumerate.length(), ["stats", "lru_crawler"]);
    check!(enumerate.all().try_collect::<Vec<_>>(), ["stats", "lru_crawler", "mg"]);
    check!(enumerate.clear(), ["stats", "lru_crawler", "md"]);
    check!(enumerate.clear(), ["stats", "lru_crawler"]);
    check!(store.flush_servers(), ["flush_all"]);
    // One connection for all, and one for each that the client has no words for.
    assert_eq!(tap.connections(), 1 + 6);
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn commands_are_as_short_as_they_can_be() {
    let (_server, tap, store) = tapped();
    let plain = cloakroom_core::SessionData::from_json(r#"{"n":1,"cookie":{}}"#).unwrap();
    store.set("a", &plain).await.unwrap();
    store.get("a").await.unwrap();
    store.touch("a", &plain).await.unwrap();
    store.destroy("a").await.unwrap();
    let seven = plain.clone().with_revision(Revision::from_number(7));
    atomic(&store).update("a", &seven).await.unwrap();
    atomic(&store).create("a", &plain).await.unwrap();
    atomic(&store).get_and_touch("a", Some(Duration::from_secs(60))).await.unwrap();
    assert_eq!(
        tap.commands(),
        [
            "ms s:a 19 F2 T86400",
            "mg s:a v f c",
            "mg s:a f T86400",
            "md s:a",
            "ms s:a 19 c F2 T86400 C7",
            "ms s:a 19 ME c F2 T86400",
            "mg s:a v f c T61",
        ]
    );
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn the_limit_is_asked_once_and_only_for_larger_records() {
    let (_server, tap, store) = tapped();
    store.set("a", &session()).await.unwrap();
    assert_eq!(tap.commands().len(), 1);
    for _ in 0..3 {
        store.set("a", &large(5_000)).await.unwrap();
    }
    let commands = tap.commands();
    assert_eq!(commands.iter().filter(|command| *command == "stats settings").count(), 1);
    assert_eq!(commands.len(), 4, "{commands:?}");
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_page_of_records_is_one_trip() {
    let (_server, tap, store) = tapped();
    for number in 0..250 {
        store.set(&format!("id-{number}"), &session()).await.unwrap();
    }
    assert_eq!(tap.commands().len(), 250);
    let all: Vec<_> = listing(&store).all().try_collect().await.unwrap();
    assert_eq!(all.len(), 250);
    let commands = tap.commands();
    assert_eq!(commands.len(), 2 + 250, "one for each record, in three writes");
    // A trip holds one connection; were they one after the other on several, there would be more.
    assert_eq!(tap.connections(), 2);
}
