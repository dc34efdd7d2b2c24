//! Two stores as one while sessions move between them.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]
#![allow(clippy::future_not_send, reason = "all tasks of an order run on one thread")]

mod failing;
mod faults;
mod ids;
mod interleavings;
mod one_life;
mod refused;
mod scheduler;
mod secrets;
mod stopped;
mod suite;

use cloakroom_compat::{ExpressSession, Migrating, is_moving};
use cloakroom_core::{
    Enumerate, Error, ErrorKind, MemoryStore, SessionData, Store, Touched, Updated,
};
use futures::{executor::block_on, stream::TryStreamExt};

fn session(text: &str) -> SessionData {
    SessionData::from_json(text).unwrap()
}

async fn texts(store: &MemoryStore) -> Vec<(String, String)> {
    let all = store.all().try_collect::<Vec<_>>().await.unwrap();
    all.into_iter().map(|listed| (listed.id, listed.session.loaded_json().to_owned())).collect()
}

#[test]
fn a_session_moves_with_every_byte_and_its_time() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    let text = r#"{ "cookie":{"path":"/"}, "n":1.0, "half":"\ud83d" }"#;
    block_on(old.set("id", &session(text))).unwrap();
    let migrating = Migrating::new(old.clone(), new.clone());
    let left = std::time::Duration::from_secs(1_000);
    assert!(block_on(migrating.move_session("id", Some(left))).unwrap());
    assert_eq!(block_on(texts(&old)), []);
    assert_eq!(block_on(texts(&new)), [("id".to_owned(), text.to_owned())]);
    let listed: Vec<_> = block_on(new.all().try_collect()).unwrap();
    let told = listed[0].time_left.unwrap();
    assert!(told <= left + left / 100 && told >= left / 2, "{told:?}");
    assert!(!block_on(migrating.move_session("nobody", None)).unwrap());
}

#[test]
fn before_the_migration_nothing_moves_and_what_has_moved_is_found() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    let sessions = ExpressSession::new(Migrating::before(old.clone(), new.clone()));
    let change = |session: &mut SessionData| session.insert("n", 1);
    block_on(async {
        sessions.set("in-old", &SessionData::new()).await.unwrap();
        new.set("in-new", &SessionData::new()).await.unwrap();
        for sid in ["in-old", "in-new"] {
            sessions.modify(sid, change).await.unwrap().unwrap();
        }
        assert_eq!((texts(&old).await.len(), texts(&new).await.len()), (1, 1));
        assert_eq!(old.get("in-old").await.unwrap().unwrap().get("n").unwrap(), Some(1));
        assert_eq!(new.get("in-new").await.unwrap().unwrap().get("n").unwrap(), Some(1));
        sessions.set("in-new", &session(r#"{"cookie":{},"n":2}"#)).await.unwrap();
        assert_eq!(texts(&old).await.len(), 1);
        assert_eq!(sessions.length().await.unwrap(), 2);
        for sid in ["in-old", "in-new"] {
            sessions.destroy(sid).await.unwrap();
        }
    });
    assert_eq!((block_on(texts(&old)), block_on(texts(&new))), (vec![], vec![]));
}

#[test]
fn a_session_in_both_is_that_of_the_new_store_and_counts_once() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    let sessions = ExpressSession::migrating(old.clone(), new.clone());
    block_on(async {
        old.set("id", &session(r#"{"cookie":{},"n":1}"#)).await.unwrap();
        new.set("id", &session(r#"{"cookie":{},"n":2}"#)).await.unwrap();
        assert_eq!(sessions.get("id").await.unwrap().unwrap().get("n").unwrap(), Some(2));
        assert_eq!(sessions.length().await.unwrap(), 1);
        sessions.set("id", &session(r#"{"cookie":{},"n":3}"#)).await.unwrap();
        assert_eq!((texts(&old).await.len(), texts(&new).await.len()), (0, 1));
    });
}

/// A store without conditional writes.
struct Plain(MemoryStore);

#[async_trait::async_trait]
impl Store for Plain {
    fn name(&self) -> &str {
        "plain"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.0.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.0.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn cloakroom_core::Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

#[test]
fn without_conditional_writes_a_set_moves_a_session() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    let migrating = Migrating::new(Plain(old.clone()), new.clone());
    assert!(migrating.atomic().is_none() && migrating.enumerate().is_none());
    block_on(async {
        old.set("id", &SessionData::new()).await.unwrap();
        let mut read = migrating.get("id").await.unwrap().unwrap();
        assert_eq!(migrating.touch("id", &read).await.unwrap(), Touched::Extended);
        read.insert("n", 1).unwrap();
        migrating.set("id", &read).await.unwrap();
        assert_eq!((texts(&old).await.len(), texts(&new).await.len()), (0, 1));
        old.set("other", &SessionData::new()).await.unwrap();
        let error = migrating.move_session("other", None).await.unwrap_err();
        assert_eq!((error.kind(), error.store()), (ErrorKind::Unsupported, "plain"));
        migrating.destroy("other").await.unwrap();
    });
    assert_eq!(block_on(texts(&old)), []);
}

#[test]
fn a_conflict_after_a_move_has_the_current_record() {
    let (old, new) = (MemoryStore::new(), MemoryStore::new());
    block_on(async {
        old.set("id", &session(r#"{"cookie":{},"n":1}"#)).await.unwrap();
        let (first, second) =
            (Migrating::new(old.clone(), new.clone()), Migrating::before(old.clone(), new.clone()));
        let mut read =
            [first.get("id").await.unwrap().unwrap(), second.get("id").await.unwrap().unwrap()];
        for session in &mut read {
            session.insert("n", 2).unwrap();
        }
        let updated = first.atomic().unwrap().update("id", &read[0]).await.unwrap();
        assert!(matches!(updated, Updated::Stored(_)), "{updated:?}");
        let updated = second.atomic().unwrap().update("id", &read[1]).await.unwrap();
        let Updated::Conflict(mut current) = updated else { panic!("{updated:?}") };
        assert!(!is_moving(&current));
        current.insert("n", 3).unwrap();
        let updated = second.atomic().unwrap().update("id", &current).await.unwrap();
        assert!(matches!(updated, Updated::Stored(_)), "{updated:?}");
        first.destroy("id").await.unwrap();
        let updated = second.atomic().unwrap().update("id", &current).await.unwrap();
        assert!(matches!(updated, Updated::Gone), "{updated:?}");
    });
}

/// Both handles would take each other's records for their own, and complete or undo each other's steps for ever.
#[test]
fn a_migration_within_another_one_is_a_config_error_and_harms_no_session() {
    let (a, b, c) = (MemoryStore::new(), MemoryStore::new(), MemoryStore::new());
    let inner = |old: &MemoryStore, new: &MemoryStore| Migrating::new(old.clone(), new.clone());
    let text = r#"{"cookie":{"path":"/"},"n":1}"#;
    for (outer, first) in [
        (Migrating::new(inner(&a, &b), c.clone()), &a),
        (Migrating::before(inner(&a, &b), c.clone()), &b),
        (Migrating::new(a.clone(), inner(&b, &c)), &a),
        (Migrating::before(a.clone(), inner(&b, &c)), &a),
    ] {
        block_on(first.set("id", &session(text))).unwrap();
        let error = block_on(outer.move_session("id", None)).unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Config, false), "{error}");
        let read = block_on(outer.get("id")).unwrap().unwrap();
        assert_eq!(read.loaded_json(), text);
        assert_eq!(block_on(outer.touch("id", &read)).unwrap(), Touched::Extended);
        assert_eq!(block_on(outer.all().try_collect::<Vec<_>>()).unwrap().len(), 1);
        block_on(outer.destroy("id")).unwrap();
        assert_eq!(block_on(outer.length()).unwrap(), 0);
    }
}
