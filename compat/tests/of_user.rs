//! The sessions of one user: which are listed, with an index or without, which end, and what is said when not all do.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use cloakroom_compat::{ExpressSession, ExpressSessionOptions};
use cloakroom_core::{Enumerate, ErrorKind, FindBy, Listed, MemoryStore, SessionData, Store};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};

async fn put(store: &MemoryStore, sid: &str, members: &str) {
    let record = format!(r#"{{"cookie":{{"originalMaxAge":null,"expires":null}},{members}}}"#);
    store.set(sid, &SessionData::from_json(record).unwrap()).await.unwrap();
}

async fn filled() -> (MemoryStore, ExpressSession) {
    let store = MemoryStore::new();
    for (sid, members) in [
        ("a", r#""passport":{"user":7}"#),
        ("b", r#""passport":{"user":7.0,"extra":1}"#),
        ("c", r#""passport":{"user":"7"}"#),
        ("d", r#""passport":{"user":70}"#),
        ("e", r#""passport":{}"#),
        ("f", r#""user":7"#),
        ("g", r#""passport":{"user":{"id":7}}"#),
        ("h", r#""passport":{"user":7}"#),
        ("i", r#""passport.user":7"#),
    ] {
        put(&store, sid, members).await;
    }
    (store.clone(), ExpressSession::new(store))
}

async fn ids<U: serde::Serialize>(sessions: &ExpressSession, user: U) -> Vec<String> {
    let mut ids: Vec<String> =
        sessions.of(user).map_ok(|listed| listed.id).try_collect().await.unwrap();
    ids.sort();
    ids
}

#[tokio::test]
async fn the_sessions_of_a_user_are_listed_and_no_others() {
    let (store, sessions) = filled().await;
    assert_eq!(ids(&sessions, 7).await, ["a", "b", "h"]);
    assert_eq!(ids(&sessions, "7").await, ["c"]);
    assert_eq!(ids(&sessions, std::collections::BTreeMap::from([("id", 7)])).await, ["g"]);
    assert!(ids(&sessions, 8).await.is_empty());
    let options = ExpressSessionOptions::default().with_user_path("user");
    assert_eq!(ids(&ExpressSession::with_options(store, options), 7).await, ["f"]);
}

#[tokio::test]
async fn a_user_is_signed_out_everywhere_but_here() {
    let (_, sessions) = filled().await;
    assert_eq!(sessions.end_all(7, Some("h")).await.unwrap(), 2);
    assert_eq!(ids(&sessions, 7).await, ["h"]);
    assert_eq!(sessions.end_all(7, Some("h")).await.unwrap(), 0);
    assert_eq!(sessions.end_all(7, Some("elsewhere")).await.unwrap(), 1);
    assert_eq!(sessions.length().await.unwrap(), 6);
    assert_eq!(sessions.end_all("nobody", None).await.unwrap(), 0);
}

#[tokio::test]
async fn a_user_that_no_session_can_have_is_refused_before_anything_is_read() {
    let (_, sessions) = filled().await;
    let error = sessions.end_all(u64::MAX, None).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidData, "end_all"));
    let listed: Result<Vec<_>, _> = sessions.of(u64::MAX).try_collect().await;
    assert_eq!(listed.unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(sessions.length().await.unwrap(), 9);
}

/// A user who gets a new session for each one that ends, `left` times.
struct Renewing {
    store: MemoryStore,
    left: AtomicUsize,
}

#[async_trait::async_trait]
impl Store for Renewing {
    fn name(&self) -> &str {
        "renewing"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, cloakroom_core::Error> {
        self.store.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), cloakroom_core::Error> {
        self.store.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), cloakroom_core::Error> {
        if let Some(left) = self.left.load(SeqCst).checked_sub(1) {
            self.left.store(left, SeqCst);
            let session = self.store.get(sid).await?.unwrap();
            self.store.set(&format!("{sid}-{left}"), &session).await?;
        }
        self.store.destroy(sid).await
    }
    async fn touch(
        &self,
        sid: &str,
        session: &SessionData,
    ) -> Result<cloakroom_core::Touched, cloakroom_core::Error> {
        self.store.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn cloakroom_core::Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn cloakroom_core::Enumerate> {
        self.store.enumerate()
    }
}

#[tokio::test]
async fn a_session_that_gets_a_new_id_meanwhile_ends_too_and_one_that_always_does_is_an_error() {
    for (left, is_done) in [(3, true), (1_000, false)] {
        let (store, _) = filled().await;
        let renewing = Arc::new(Renewing { store, left: AtomicUsize::new(left) });
        let sessions = ExpressSession::new(Arc::clone(&renewing));
        let ended = sessions.end_all(7, None).await;
        if is_done {
            assert_eq!(ended.unwrap(), 3 + left as u64);
            assert!(ids(&sessions, 7).await.is_empty());
        } else {
            let error = ended.unwrap_err();
            assert_eq!((error.kind(), error.operation()), (ErrorKind::Other, "end_all"));
            assert!(error.outcome_unknown(), "some are gone");
            assert!(error.to_string().contains("the user keeps signing in"), "{error}");
        }
    }
}

/// In a store with an index, which it tells or not, or in which one session changes as soon as it was listed.
struct Beside {
    store: MemoryStore,
    /// Whether the index tells all sessions of a user.
    tells: bool,
    /// Whether somebody else logs in under the next id that is listed.
    changes: AtomicBool,
}

impl Beside {
    fn new(store: MemoryStore, tells: bool) -> Self {
        Self { store, tells, changes: AtomicBool::new(false) }
    }
}

#[async_trait::async_trait]
impl Store for Beside {
    fn name(&self) -> &str {
        "beside"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, cloakroom_core::Error> {
        self.store.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), cloakroom_core::Error> {
        self.store.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), cloakroom_core::Error> {
        self.store.destroy(sid).await
    }
    async fn touch(
        &self,
        sid: &str,
        session: &SessionData,
    ) -> Result<cloakroom_core::Touched, cloakroom_core::Error> {
        self.store.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn cloakroom_core::Atomic> {
        self.store.atomic()
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

#[async_trait::async_trait]
impl Enumerate for Beside {
    fn ids(&self) -> BoxStream<'_, Result<String, cloakroom_core::Error>> {
        self.store.ids()
    }
    fn all(&self) -> BoxStream<'_, Result<Listed, cloakroom_core::Error>> {
        assert!(!self.tells, "the index tells all");
        let listed = self.store.all().and_then(async |listed| {
            if self.changes.swap(false, SeqCst) {
                put(&self.store, &listed.id, r#""passport":{"user":8}"#).await;
            }
            Ok(listed)
        });
        listed.boxed()
    }
    async fn length(&self) -> Result<u64, cloakroom_core::Error> {
        self.store.length().await
    }
    async fn clear(&self) -> Result<(), cloakroom_core::Error> {
        self.store.clear().await
    }
    fn find_by(&self) -> Option<&dyn FindBy> {
        Some(self)
    }
}

#[async_trait::async_trait]
impl FindBy for Beside {
    async fn create_index(&self, path: &str) -> Result<(), cloakroom_core::Error> {
        assert_eq!(path, "passport.user");
        Ok(())
    }
    async fn find<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, cloakroom_core::Error>>>, cloakroom_core::Error>
    {
        let (path, value) = (path.to_owned(), value.to_owned());
        let theirs = self
            .store
            .all()
            .try_filter(move |listed| std::future::ready(listed.session.has_value(&path, &value)));
        Ok(self.tells.then(|| theirs.boxed()))
    }
    async fn find_known<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, cloakroom_core::Error>>>, cloakroom_core::Error>
    {
        let known = self.find(path, value).await?;
        // "b" is what Express wrote.
        let is_known = |listed: &Listed| std::future::ready(listed.id != "b");
        Ok(known.map(|known| known.try_filter(is_known).boxed()))
    }
}

#[tokio::test]
async fn the_known_sessions_are_those_of_the_list_or_all_without_one() {
    for tells in [true, false] {
        let (store, _) = filled().await;
        let sessions = ExpressSession::new(Beside::new(store.clone(), tells));
        let mut known: Vec<String> =
            sessions.of_known(7).map_ok(|listed| listed.id).try_collect().await.unwrap();
        known.sort();
        assert_eq!(known, if tells { &["a", "h"][..] } else { &["a", "b", "h"] });
        assert_eq!(sessions.end_all_known(7, Some("h")).await.unwrap(), known.len() as u64 - 1);
        assert_eq!(store.get("b").await.unwrap().is_some(), tells);
        assert!(store.get("h").await.unwrap().is_some());
        let error = sessions.end_all_known(u64::MAX, None).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidData, "end_all_known"));
    }
}

#[tokio::test]
async fn an_index_is_asked_and_a_listing_if_it_cannot_tell() {
    for tells in [true, false] {
        let (store, _) = filled().await;
        let sessions = ExpressSession::new(Beside::new(store.clone(), tells));
        sessions.index_users().await.unwrap();
        assert_eq!(ids(&sessions, 7).await, ["a", "b", "h"]);
        assert_eq!(sessions.end_all(7, Some("h")).await.unwrap(), 2);
        assert_eq!(ids(&sessions, 7).await, ["h"]);
        assert_eq!(store.length().await.unwrap(), 7);
    }
    let (_, without) = filled().await;
    assert_eq!(without.index_users().await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_session_that_is_somebody_elses_by_the_time_it_would_end_stays() {
    let store = MemoryStore::new();
    put(&store, "a", r#""passport":{"user":7}"#).await;
    let beside = Arc::new(Beside::new(store, false));
    let sessions = ExpressSession::new(Arc::clone(&beside));
    beside.changes.store(true, SeqCst);
    assert_eq!(sessions.end_all(7, None).await.unwrap(), 0);
    assert!(!beside.changes.load(SeqCst), "it was listed and has changed");
    assert_eq!(ids(&sessions, 8).await, ["a"]);
}
