//! What the store writes, and how long it lives.

use std::{sync::Arc, time::Duration};

use cloakroom_compat::ExpressSession;
use cloakroom_core::{Error, ErrorKind, SessionData, Store, Touched, Updated};
use cloakroom_redis::{Serializer, Ttl};
use futures::TryStreamExt;

use crate::{Bench, atomic, expiring_in, listing, options, session};

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_time_to_live_is_that_of_connect_redis() {
    let bench = Bench::start();
    for (session, seconds) in [
        (session(), 86_400),
        (expiring_in(3_600_000), 3_600),
        (expiring_in(1_500), 2),
        (expiring_in(400), 1),
    ] {
        bench.store.set("a", &session).await.unwrap();
        assert!((seconds - 1..=seconds).contains(&bench.ttl("sess:a")), "{seconds}");
        bench.plant("sess:a", session.to_json().as_bytes());
        assert_eq!(bench.store.touch("a", &session).await.unwrap(), Touched::Extended);
        assert!((seconds - 1..=seconds).contains(&bench.ttl("sess:a")), "{seconds}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_ttl_function_wins_over_the_cookie() {
    let bench = Bench::with(options(|options| {
        options.ttl = Ttl::of(|session| {
            Duration::from_millis(session.get("ttl").ok().flatten().unwrap_or(50_500))
        });
    }));
    let store = &bench.store;
    store.set("a", &expiring_in(-5_000)).await.unwrap();
    assert_eq!(bench.ttl("sess:a"), 51);
    let mut session = store.get("a").await.unwrap().unwrap();
    session.insert("ttl", 70_000).unwrap();
    assert_eq!(store.touch("a", &session).await.unwrap(), Touched::Extended);
    assert_eq!(bench.ttl("sess:a"), 70);
    atomic(store).get_and_touch("a", Some(Duration::from_secs(9))).await.unwrap().unwrap();
    assert_eq!(bench.ttl("sess:a"), 51, "of the session as it is stored");
    session.insert("ttl", 0).unwrap();
    store.set("a", &session).await.unwrap();
    assert_eq!(bench.value("sess:a"), None);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn disable_ttl_stores_without_an_expiry() {
    let bench = Bench::with(options(|options| options.disable_ttl = true));
    let store = &bench.store;
    store.set("a", &expiring_in(60_000)).await.unwrap();
    assert_eq!(bench.ttl("sess:a"), -1);
    assert_eq!(store.touch("a", &expiring_in(60_000)).await.unwrap(), Touched::NotOffered);
    let read = atomic(store).get_and_touch("a", None).await.unwrap().unwrap();
    assert!(matches!(atomic(store).update("a", &read).await.unwrap(), Updated::Stored(_)));
    atomic(store).create("b", &session()).await.unwrap();
    assert_eq!((bench.ttl("sess:a"), bench.ttl("sess:b")), (-1, -1));
    store.set("a", &expiring_in(-1)).await.unwrap();
    assert_eq!(bench.value("sess:a"), None, "a past expiry still destroys the session");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn disable_touch_leaves_the_expiry() {
    let bench = Bench::with(options(|options| options.disable_touch = true));
    bench.store.set("a", &expiring_in(60_000)).await.unwrap();
    assert_eq!(bench.store.touch("a", &session()).await.unwrap(), Touched::NotOffered);
    assert_eq!(bench.store.touch("missing", &session()).await.unwrap(), Touched::NotOffered);
    atomic(&bench.store).get_and_touch("a", None).await.unwrap().unwrap();
    assert!((59..=60).contains(&bench.ttl("sess:a")));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn an_empty_id_is_refused_everywhere() {
    let bench = Bench::with(options(|options| options.disable_touch = true));
    let (store, read) = (&bench.store, session());
    for error in [
        store.get("").await.unwrap_err(),
        store.set("", &read).await.unwrap_err(),
        store.destroy("").await.unwrap_err(),
        store.touch("", &read).await.unwrap_err(),
        atomic(store).create("", &read).await.unwrap_err(),
        atomic(store).update("", &read).await.unwrap_err(),
        atomic(store).get_and_touch("", None).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidId, "{error}");
    }
}

/// Every letter shifted, and a mark in front.
struct Shift;

impl Serializer for Shift {
    fn stringify(&self, session: &SessionData) -> Result<Vec<u8>, Error> {
        if session.contains("unprintable") {
            return Err(Error::new(ErrorKind::InvalidData, "shift", "stringify", "unprintable"));
        }
        Ok([
            b"\xff",
            &*session.to_json().bytes().map(|byte| byte.wrapping_add(1)).collect::<Vec<_>>(),
        ]
        .concat())
    }

    fn parse(&self, record: &[u8]) -> Result<Option<SessionData>, Error> {
        match record.strip_prefix(b"\xff") {
            Some(text) => {
                SessionData::from_record(text.iter().map(|byte| byte.wrapping_sub(1)).collect())
            }
            None => Err(Error::new(ErrorKind::Corrupt, "shift", "parse", "no mark")),
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_serializer_is_used_by_every_operation() {
    let bench = Bench::with(options(|options| options.serializer = Some(Arc::new(Shift))));
    let store = &bench.store;
    atomic(store).create("a", &session()).await.unwrap();
    assert!(bench.value("sess:a").unwrap().starts_with(b"\xff|#"));
    let mut first = store.get("a").await.unwrap().unwrap();
    let mut second = atomic(store).get_and_touch("a", None).await.unwrap().unwrap();
    assert_eq!(first, session());
    first.insert("n", 1).unwrap();
    let updated = atomic(store).update("a", &first).await.unwrap();
    let Updated::Stored(revision) = updated else { panic!("{updated:?}") };
    second.insert("n", 2).unwrap();
    let updated = atomic(store).update("a", &second).await.unwrap();
    let Updated::Conflict(current) = updated else { panic!("{updated:?}") };
    assert_eq!(current, first);
    first.mark_stored(revision);
    assert!(matches!(atomic(store).update("a", &first).await.unwrap(), Updated::Stored(_)));
    let all: Vec<_> = listing(store).all().try_collect().await.unwrap();
    let all: Vec<_> = all.into_iter().map(|listed| (listed.id, listed.session)).collect();
    assert_eq!(all, [("a".to_owned(), first)]);

    let mut unprintable = session();
    unprintable.insert("unprintable", true).unwrap();
    let error = store.set("a", &unprintable).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.store(), error.operation()),
        (ErrorKind::InvalidData, "redis", "set")
    );
    bench.plant("sess:a", "TOMBSTONE");
    assert_eq!(store.get("a").await.unwrap(), None);
    bench.plant("sess:a", "plain");
    assert_eq!(store.get("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
}

/// The expiry of its cookie says nothing then.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_is_signed_out_although_a_function_gives_all_sessions_their_life() {
    let hour = Ttl::of(|_| Duration::from_secs(3_600));
    let bench = Bench::with(options(|options| options.ttl = hour));
    let sessions = ExpressSession::new(bench.store.clone());
    let record = SessionData::from_json(r#"{"cookie":{},"passport":{"user":7}}"#).unwrap();
    for sid in ["a", "b"] {
        sessions.set(sid, &record).await.unwrap();
    }
    assert_eq!(sessions.end_all(7, None).await.unwrap(), 2);
    assert_eq!((bench.value("sess:a"), bench.value("sess:b")), (None, None));
}
