//! Servers that die, freeze and come back.

use std::time::Duration;

use cloakroom_core::{Error, ErrorKind, Revision, Store};
use cloakroom_mongodb::{MongoOptions, MongoStore};
use cloakroom_test_support::{Mongod, Stopwatch, free_port};
use futures::{TryStreamExt, future::join_all};

use crate::{atomic, listing, session};

/// Every operation once: its name, whether it writes, and what came.
pub(crate) async fn all_operations(
    store: &MongoStore,
) -> Vec<(&'static str, bool, Result<(), Error>)> {
    let read = session().with_revision(Revision::of_text());
    let (atomic, listing) = (atomic(store), listing(store));
    vec![
        ("get", false, store.get("a").await.map(drop)),
        ("set", true, store.set("a", &read).await),
        ("destroy", true, store.destroy("a").await),
        ("touch", true, store.touch("a", &read).await.map(drop)),
        ("create", true, atomic.create("a", &read).await.map(drop)),
        ("update", true, atomic.update("a", &read).await.map(drop)),
        ("get_and_touch", true, atomic.get_and_touch("a", None).await.map(drop)),
        ("ids", false, listing.ids().try_collect::<Vec<_>>().await.map(drop)),
        ("all", false, listing.all().try_collect::<Vec<_>>().await.map(drop)),
        ("length", false, listing.length().await.map(drop)),
        ("clear", true, listing.clear().await),
    ]
}

fn open(server: &Mongod, deadline: Duration) -> MongoStore {
    let mut options = MongoOptions::default();
    options.deadline = deadline;
    MongoStore::open_with(&server.url(), options).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn where_nothing_listens_it_is_unavailable_within_two_seconds() {
    let url = format!("mongodb://ann:squirrel@127.0.0.1:{}", free_port());
    let store = MongoStore::open(&url).unwrap();
    let watch = Stopwatch::start();
    let error = store.get("a").await.unwrap_err();
    watch.check(watch.elapsed(), Duration::from_millis(2_500));
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("cannot reach 127.0.0.1:"), "{error}");
    assert!(!format!("{error:?}").contains("squirrel"), "{error:?}");

    // A busy machine may need more of the deadline than the driver leaves.
    let mut deadline = Duration::from_millis(200);
    let answers = loop {
        let mut options = MongoOptions::default();
        options.deadline = deadline;
        let store = MongoStore::open_with(&url, options).unwrap();
        let answers = all_operations(&store).await;
        let is_late = |error: &Error| error.kind() == ErrorKind::Timeout;
        if deadline > Duration::from_secs(10)
            || !answers.iter().any(|(.., answer)| answer.as_ref().is_err_and(is_late))
        {
            break answers;
        }
        deadline *= 4;
    };
    for (operation, _, answer) in answers {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{operation}: {error}");
        assert_eq!(error.operation(), operation);
        assert!(error.is_retryable() && !error.outcome_unknown(), "{operation}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn it_is_back_within_two_seconds_of_the_server() {
    let mut server = Mongod::start().unwrap();
    let store = open(&server, Duration::from_secs(1));
    store.set("a", &session()).await.unwrap();
    server.stop();
    for _ in 0..2 {
        let error = store.set("a", &session()).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
    server.restart().unwrap();
    let back = Stopwatch::start();
    while store.set("a", &session()).await.is_err() {
        back.check(back.elapsed(), Duration::from_secs(2));
    }
    println!("first success {:?} after the server was back", back.elapsed());
    assert_eq!(store.get("a").await.unwrap(), Some(session()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mongod"]
async fn no_more_writes_wait_for_a_frozen_server_than_there_are_connections() {
    let mut server = Mongod::start().unwrap();
    let mut options = MongoOptions::default();
    options.deadline = Duration::from_millis(400);
    let url = format!("{}/test?maxPoolSize=4", server.url());
    let store = MongoStore::open_with(&url, options).unwrap();
    join_all((0..8).map(|_| store.ping())).await;
    server.pause().unwrap();
    let sids: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let written = session();
    let answers = join_all(sids.iter().map(|sid| store.set(sid, &written))).await;
    let unknown =
        answers.iter().filter(|answer| answer.as_ref().unwrap_err().outcome_unknown()).count();
    assert!(unknown <= 4, "{unknown}");
    server.resume().unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let store = open(&server, Duration::from_secs(5));
    assert!(listing(&store).length().await.unwrap() <= unknown as u64);
}

#[cfg(feature = "dns-resolver")]
#[tokio::test]
async fn a_name_that_leads_nowhere_is_an_error_by_the_deadline() {
    let mut options = MongoOptions::default();
    options.deadline = Duration::from_millis(500);
    let url = "mongodb+srv://ann:squirrel@cluster.invalid/app";
    let store = MongoStore::open_with(url, options).unwrap();
    for _ in 0..2 {
        let watch = Stopwatch::start();
        let error = store.set("a", &session()).await.unwrap_err();
        watch.check(watch.elapsed(), Duration::from_secs(1));
        assert!(error.is_retryable() && !error.outcome_unknown(), "{error:?}");
        assert!(!format!("{error:?}").contains("squirrel"), "{error:?}");
    }
}
