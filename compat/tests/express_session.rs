//! `ExpressSession`: what the handle adds to the store behind it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_compat::{ExpressSession, ExpressSessionOptions};
use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_core::{
    Atomic, Clock, Cookie, Enumerate, Error, ErrorKind, MemoryOptions, MemoryStore, SessionData,
    Store, Touched,
};
use futures::StreamExt;

async fn subject() -> StoreUnderTest {
    let store = MemoryStore::new();
    StoreUnderTest::new(ExpressSession::new(store.clone()))
        .with_second_handle(ExpressSession::new(store))
}

suite!(subject, not_offered = [find_by, neighbour, raw, faults]);

const NOW: i64 = 1_700_000_000_000;

#[tokio::test]
async fn new_sessions_have_the_cookie_of_the_options_and_an_id_of_express() {
    let mut options = ExpressSessionOptions::default();
    options.clock = Clock::fixed(NOW);
    options.max_age = Some(Duration::from_secs(60));
    options.cookie.set_domain(Some("example.com"));
    let sessions = ExpressSession::with_options(MemoryStore::new(), options);
    let (sid, session) = sessions.generate().unwrap();
    assert_eq!(sid.len(), 32);
    assert!(sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
    assert_eq!(
        session.to_json(),
        r#"{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","httpOnly":true,"domain":"example.com","path":"/"}}"#
    );
    assert_ne!(sessions.generate().unwrap().0, sid);
}

#[tokio::test]
async fn genid_is_asked_and_its_error_is_passed_on() {
    let mut options = ExpressSessionOptions::default();
    options.genid = Arc::new(|| Ok("mine".to_owned()));
    assert_eq!(
        ExpressSession::with_options(MemoryStore::new(), options.clone()).generate().unwrap().0,
        "mine"
    );
    options.genid =
        Arc::new(|| Err(Error::new(ErrorKind::Other, "genid", "generate", "no entropy")));
    assert!(ExpressSession::with_options(MemoryStore::new(), options).generate().is_err());
}

#[tokio::test]
async fn regenerate_destroys_the_old_session_and_stores_nothing() {
    let sessions = ExpressSession::new(MemoryStore::new());
    let (old, mut session) = sessions.generate().unwrap();
    session.insert("user", "ann").unwrap();
    sessions.set(&old, &session).await.unwrap();
    let (new, fresh) = sessions.regenerate(&old).await.unwrap();
    assert_ne!(old, new);
    assert_eq!(fresh, SessionData::with_cookie(Cookie::new()));
    assert_eq!(sessions.length().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn modify_loses_no_update_of_many_tasks() {
    let sessions = ExpressSession::new(MemoryStore::new());
    sessions.set("id", &SessionData::new()).await.unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let sessions = sessions.clone();
            tokio::spawn(async move {
                let change = |session: &mut SessionData| {
                    let count = session.get::<u32>("count")?.unwrap_or_default();
                    session.insert("count", count + 1)?;
                    session.insert(&format!("task{number}"), true)
                };
                sessions.modify("id", change).await.unwrap().unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().revision().is_some());
    }
    let session = sessions.get("id").await.unwrap().unwrap();
    assert_eq!(session.get::<u32>("count").unwrap(), Some(50));
    assert_eq!(session.len(), 51);
}

#[tokio::test]
async fn modify_begins_again_with_what_somebody_wrote_meanwhile() {
    let store = MemoryStore::new();
    let sessions = ExpressSession::new(store.clone());
    sessions.set("id", &SessionData::new()).await.unwrap();
    let mut calls = 0;
    let changed = sessions.modify("id", |session| {
        calls += 1;
        if calls == 1 {
            // Another request, between our read and our write.
            let mut theirs = session.clone();
            theirs.insert("theirs", 1)?;
            futures::executor::block_on(store.set("id", &theirs))?;
        }
        session.insert("ours", calls)
    });
    let changed = changed.await.unwrap().expect("it is there");
    assert_eq!(calls, 2);
    assert_eq!(store.get("id").await.unwrap(), Some(changed.clone()));
    assert_eq!(changed.get::<u32>("theirs").unwrap(), Some(1));
    assert_eq!(changed.get::<u32>("ours").unwrap(), Some(2));
}

#[tokio::test]
async fn modify_of_a_session_destroyed_meanwhile_is_none() {
    let store = MemoryStore::new();
    let sessions = ExpressSession::new(store.clone());
    sessions.set("id", &SessionData::new()).await.unwrap();
    let changed = sessions.modify("id", |session| {
        futures::executor::block_on(store.destroy("id"))?;
        session.insert("ours", 1)
    });
    assert_eq!(changed.await.unwrap(), None);
    assert_eq!(store.get("id").await.unwrap(), None);
}

#[tokio::test]
async fn modify_brings_nothing_back_and_keeps_the_error_of_the_change() {
    let sessions = ExpressSession::new(MemoryStore::new());
    assert_eq!(sessions.modify("id", |session| session.insert("a", 1)).await.unwrap(), None);
    assert_eq!(sessions.get("id").await.unwrap(), None);
    sessions.set("id", &SessionData::new()).await.unwrap();
    let error = sessions.modify("id", |session| session.insert("save", 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(sessions.get("id").await.unwrap().unwrap().is_empty());
}

/// Fails with the kind it is told, or answers never.
struct Failing(std::sync::Mutex<Option<ErrorKind>>);

impl Failing {
    async fn answer<T>(&self, operation: &'static str, value: T) -> Result<T, Error> {
        let kind = *self.0.lock().unwrap();
        match kind {
            Some(ErrorKind::Timeout) => std::future::pending().await,
            Some(kind) => Err(Error::new(kind, "failing", operation, "as told")),
            None => Ok(value),
        }
    }
}

#[async_trait]
impl Store for Failing {
    fn name(&self) -> &str {
        "failing"
    }
    async fn get(&self, _sid: &str) -> Result<Option<SessionData>, Error> {
        self.answer("get", None).await
    }
    async fn set(&self, _sid: &str, _session: &SessionData) -> Result<(), Error> {
        self.answer("set", ()).await
    }
    async fn destroy(&self, _sid: &str) -> Result<(), Error> {
        self.answer("destroy", ()).await
    }
    async fn touch(&self, _sid: &str, _session: &SessionData) -> Result<Touched, Error> {
        self.answer("touch", Touched::NotOffered).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_not_answered_has_an_unknown_outcome() {
    let store = Failing(std::sync::Mutex::new(Some(ErrorKind::Timeout)));
    let error = ExpressSession::new(store).destroy("id").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, true));
}

#[tokio::test]
async fn what_the_store_lacks_is_unsupported() {
    let sessions = ExpressSession::new(Failing(std::sync::Mutex::new(None)));
    let session = SessionData::new();
    let errors = [
        sessions.create("id", &session).await.unwrap_err(),
        sessions.update("id", &session).await.unwrap_err(),
        sessions.get_and_touch("id", None).await.unwrap_err(),
        sessions.modify("id", |_| Ok(())).await.unwrap_err(),
        sessions.length().await.unwrap_err(),
        sessions.clear().await.unwrap_err(),
        sessions.ids().next().await.unwrap().unwrap_err(),
        sessions.all().next().await.unwrap().unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.store()), (ErrorKind::Unsupported, "failing"));
    }
    assert!(sessions.atomic().is_none() && sessions.enumerate().is_none());
}

#[tokio::test]
async fn modify_extends_a_session_whose_cookie_is_stale_and_returns_what_is_stored() {
    let clock = Clock::fixed(NOW);
    let mut options = MemoryOptions::default();
    options.clock = clock.clone();
    let store = MemoryStore::with_options(options);
    let mut options = ExpressSessionOptions::default();
    options.clock = clock.clone();
    options.max_age = Some(Duration::from_secs(5));
    let sessions = ExpressSession::with_options(store, options);
    let (sid, session) = sessions.generate().unwrap();
    sessions.set(&sid, &session).await.unwrap();
    for _ in 0..3 {
        clock.advance(4_000);
        let mut touched = session.clone();
        touched.touch(clock.now_ms());
        assert_eq!(sessions.touch(&sid, &touched).await.unwrap(), Touched::Extended);
    }
    clock.advance(1_000);
    let stored = sessions.modify(&sid, |session| session.insert("views", 1)).await.unwrap();
    assert_eq!(sessions.get(&sid).await.unwrap(), stored);
    assert_eq!(stored.unwrap().cookie().expires_ms(), Some(clock.now_ms() + 5_000));
    clock.advance(4_999);
    assert!(sessions.get(&sid).await.unwrap().is_some());

    // An expiry that the change itself sets is kept.
    let ended = sessions
        .modify(&sid, |session| session.cookie_mut().set_max_age_ms(Some(-1), clock.now_ms()))
        .await;
    assert!(ended.unwrap().is_some());
    assert_eq!(sessions.get(&sid).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn ping_has_a_deadline_of_its_own_and_asks_for_no_session_that_is_there() {
    let store = Arc::new(Failing(std::sync::Mutex::new(None)));
    let mut options = ExpressSessionOptions::default();
    options.deadline = Some(Duration::from_secs(60));
    let sessions = ExpressSession::with_options(Arc::clone(&store), options.clone());
    let tell = |kind| *store.0.lock().unwrap() = kind;
    sessions.ping().await.unwrap();

    tell(Some(ErrorKind::Unavailable));
    let error = sessions.ping().await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, "ping"));

    tell(Some(ErrorKind::Timeout));
    let started = tokio::time::Instant::now();
    let error = sessions.ping_within(Duration::from_millis(250)).await.unwrap_err();
    assert_eq!(error.to_string(), "failing: ping: no answer within 250ms");
    assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, false));
    assert_eq!(started.elapsed().as_millis(), 250);
    let started = tokio::time::Instant::now();
    sessions.ping().await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 1);

    // Nor does a short deadline of the handle cut it.
    let sessions =
        ExpressSession::with_options(store, options.with_deadline(Duration::from_millis(1)));
    let started = tokio::time::Instant::now();
    sessions.ping().await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 1);
}

#[tokio::test]
async fn no_operation_moves_a_sessions_end_or_returns_it_afterwards() {
    let clock = Clock::fixed(NOW);
    let store = MemoryStore::with_options(MemoryOptions::default().with_clock(clock.clone()));
    let options = ExpressSessionOptions::default()
        .with_clock(clock.clone())
        .with_max_age(Duration::from_secs(60));
    let sessions = ExpressSession::with_options(store.clone(), options);
    let (sid, mut session) = sessions.generate().unwrap();
    session.set_ends_at_ms(Some(NOW + 90_000)).unwrap();
    sessions.set(&sid, &session).await.unwrap();
    for _ in 0..2 {
        clock.advance(40_000);
        session.touch(clock.now_ms());
        sessions.touch(&sid, &session).await.unwrap();
        let change = |session: &mut SessionData| session.insert("n", clock.now_ms());
        let stored = sessions.modify(&sid, change).await.unwrap().unwrap();
        assert!(stored.cookie().expires_ms() <= Some(NOW + 90_000));
    }
    clock.advance(9_999);
    assert!(store.get(&sid).await.unwrap().is_some());

    // As Node.js extends it, which does not know the end.
    let theirs = SessionData::from_json(r#"{"cookie":{"expires":"2030-01-01T00:00:00.000Z"}}"#);
    store.touch(&sid, &theirs.unwrap()).await.unwrap();
    clock.advance(1);
    assert!(store.get(&sid).await.unwrap().is_some());
    assert_eq!(sessions.get(&sid).await.unwrap(), None);
    assert_eq!(sessions.get_and_touch(&sid, None).await.unwrap(), None);
    assert_eq!(sessions.modify(&sid, |_| panic!("it has ended")).await.unwrap(), None);
}
