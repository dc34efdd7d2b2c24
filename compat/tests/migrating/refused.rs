//! A new store that refuses what the old one has.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_compat::{ExpressSession, Migrating};
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, MemoryStore, SessionData, Store, Touched, Updated,
};
use futures::{executor::block_on, stream::TryStreamExt};

/// A store that takes no record beyond so many bytes.
#[derive(Clone)]
struct Small(MemoryStore, Arc<AtomicUsize>);

impl Small {
    fn check(&self, session: &SessionData) -> Result<(), Error> {
        if session.to_json().len() <= self.1.load(SeqCst) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::TooLarge, "small", "write", "too large"))
    }
}

#[async_trait]
impl Store for Small {
    fn name(&self) -> &str {
        "small"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.check(session)?;
        self.0.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.0.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.0.enumerate()
    }
}

#[async_trait]
impl Atomic for Small {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.check(session)?;
        self.0.atomic().unwrap().create(sid, session).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.check(session)?;
        self.0.atomic().unwrap().update(sid, session).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.0.atomic().unwrap().get_and_touch(sid, ttl).await
    }
}

#[test]
fn a_session_that_the_new_store_refuses_stays_usable_in_the_old_one() {
    let mut large = SessionData::new();
    large.insert("text", "x".repeat(10_000)).unwrap();
    let (old, limit) = (MemoryStore::new(), Arc::new(AtomicUsize::new(5_000)));
    let new = Small(MemoryStore::new(), Arc::clone(&limit));
    block_on(async {
        old.set("id", &large).await.unwrap();
        let handle = Migrating::new(old.clone(), new.clone());
        let is_in_old = async || {
            let found = old.get("id").await.unwrap().unwrap();
            assert_eq!(found.loaded_json(), large.to_json());
            assert!(new.0.get("id").await.unwrap().is_none());
        };
        let error = handle.move_session("id", None).await.unwrap_err();
        assert_eq!((error.kind(), error.store()), (ErrorKind::TooLarge, "small"));
        is_in_old().await;
        let mut read = handle.get("id").await.unwrap().unwrap();
        assert_eq!(handle.touch("id", &read).await.unwrap(), Touched::Extended);
        assert!(handle.atomic().unwrap().get_and_touch("id", None).await.unwrap().is_some());
        assert_eq!(handle.all().try_collect::<Vec<_>>().await.unwrap().len(), 1);
        let created = handle.atomic().unwrap().create("id", &large).await.unwrap();
        assert_eq!(created, Created::Exists);
        read.insert("n", 1).unwrap();
        let error = handle.atomic().unwrap().update("id", &read).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::TooLarge, false));
        is_in_old().await;
        let error = handle.set("id", &large).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::TooLarge, false));
        is_in_old().await;

        // As if space had been made.
        limit.store(20_000, SeqCst);
        assert!(handle.move_session("id", None).await.unwrap());
        assert_eq!(new.0.get("id").await.unwrap().unwrap().loaded_json(), large.to_json());
        assert!(old.get("id").await.unwrap().is_none());

        limit.store(5_000, SeqCst);
        for sid in ["replaced", "destroyed"] {
            old.set(sid, &large).await.unwrap();
        }
        handle.set("replaced", &SessionData::new()).await.unwrap();
        assert!(!handle.get("replaced").await.unwrap().unwrap().contains("text"));
        handle.destroy("destroyed").await.unwrap();
        assert_eq!(old.length().await.unwrap(), 0);
    });
}

/// A store that is full takes no record either, so nothing must have to move before it ends.
#[tokio::test]
async fn a_user_is_signed_out_of_a_session_that_the_new_store_refuses() {
    let (old, limit) = (MemoryStore::new(), Arc::new(AtomicUsize::new(0)));
    let new = Small(MemoryStore::new(), limit);
    for (sid, user) in [("theirs", "7"), ("also theirs", "7"), ("another user's", "8")] {
        let text = format!(r#"{{"cookie":{{"path":"/"}},"passport":{{"user":{user}}}}}"#);
        old.set(sid, &SessionData::from_json(text).unwrap()).await.unwrap();
    }
    let sessions = ExpressSession::migrating(old.clone(), new.clone());
    assert_eq!(sessions.end_all(7, Some("also theirs")).await.unwrap(), 1);
    assert_eq!(sessions.get("theirs").await.unwrap(), None);
    assert_eq!(old.length().await.unwrap(), 2);
    // One that has changed since it was read does not end.
    let read = sessions.get("also theirs").await.unwrap().unwrap();
    let mut changed = old.get("also theirs").await.unwrap().unwrap();
    changed.insert("n", 1).unwrap();
    old.set("also theirs", &changed).await.unwrap();
    let updated = sessions.update("also theirs", &read.with_store_expiry_ms(0)).await.unwrap();
    assert!(matches!(updated, Updated::Conflict(current) if current.contains("n")));
    assert_eq!(sessions.end_all(7, None).await.unwrap(), 1);
    assert_eq!(old.length().await.unwrap(), 1);
}
