//! Ids that one of the two stores refuses, as Memcached refuses some characters and a table ids that are too long: a
//! session with such an id is in the other store.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_compat::Migrating;
use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, MemoryStore, SessionData, Store, Touched,
    Updated,
};
use cloakroom_test_backends::{Calls, Instead};
use futures::executor::block_on;

use crate::suite::memory;

/// A store that refuses the ids that end with a dollar, or all.
#[derive(Clone)]
struct Picky(MemoryStore, &'static str);

impl Picky {
    fn check(&self, sid: &str) -> Result<(), Error> {
        if !sid.ends_with(self.1) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidId, "memory", "check", "invalid id"))
    }

    fn atomic_of(&self, sid: &str) -> Result<&dyn Atomic, Error> {
        self.check(sid)?;
        Ok(self.0.atomic().unwrap())
    }
}

#[async_trait]
impl Store for Picky {
    fn name(&self) -> &str {
        "memory"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.check(sid)?;
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.check(sid)?;
        self.0.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.check(sid)?;
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.check(sid)?;
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
impl Atomic for Picky {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.atomic_of(sid)?.create(sid, session).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.atomic_of(sid)?.update(sid, session).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.atomic_of(sid)?.get_and_touch(sid, ttl).await
    }
}

#[test]
fn a_session_whose_id_the_new_store_refuses_stays_usable_in_the_old_one() {
    let (old, new) = (MemoryStore::new(), Picky(MemoryStore::new(), "$"));
    block_on(async {
        let handle = Migrating::new(old.clone(), new.clone());
        let atomic = handle.atomic().unwrap();
        for sid in ["a$", "b$"] {
            old.set(sid, &SessionData::new()).await.unwrap();
        }
        let mut read = handle.get("a$").await.unwrap().unwrap();
        assert_eq!(handle.touch("a$", &read).await.unwrap(), Touched::Extended);
        assert!(atomic.get_and_touch("a$", None).await.unwrap().is_some());
        assert_eq!(atomic.create("a$", &SessionData::new()).await.unwrap(), Created::Exists);
        read.insert("n", 1).unwrap();
        let refused = [
            atomic.update("a$", &read).await.unwrap_err(),
            handle.set("a$", &read).await.unwrap_err(),
            handle.set("c$", &read).await.unwrap_err(),
            atomic.create("c$", &read).await.unwrap_err(),
            handle.move_session("a$", None).await.unwrap_err(),
        ];
        for error in refused {
            assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidId, "check"));
            assert!(!error.outcome_unknown(), "{error}");
        }
        assert_eq!(handle.get("c$").await.unwrap(), None);
        let ended = handle.get("a$").await.unwrap().unwrap().with_store_expiry_ms(0);
        assert!(matches!(atomic.update("a$", &ended).await.unwrap(), Updated::Stored(_)));
        handle.destroy("b$").await.unwrap();
        assert_eq!(old.length().await.unwrap(), 0);
    });
}

#[test]
fn an_id_that_both_stores_refuse_is_invalid() {
    let stores = || Picky(MemoryStore::new(), "$");
    for handle in [Migrating::new(stores(), stores()), Migrating::before(stores(), stores())] {
        let atomic = handle.atomic().unwrap();
        let session = SessionData::new();
        let errors = block_on(async {
            [
                handle.get("$").await.unwrap_err(),
                handle.set("$", &session).await.unwrap_err(),
                handle.touch("$", &session).await.unwrap_err(),
                handle.destroy("$").await.unwrap_err(),
                atomic.create("$", &session).await.unwrap_err(),
                atomic.get_and_touch("$", None).await.unwrap_err(),
                handle.move_session("$", None).await.unwrap_err(),
            ]
        });
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::InvalidId), "{errors:?}");
    }
}

/// A store that cannot be reached for a logout.
struct Down(MemoryStore);

#[async_trait]
impl Calls for Down {
    fn behind(&self) -> &dyn Store {
        &self.0
    }
    async fn destroy(&self, _: &str) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Unavailable, "down", "destroy", "down").with_outcome_unknown())
    }
}

/// Only that one can have the session, so a logout has not happened.
#[test]
fn the_error_of_the_store_that_accepts_the_id_is_told() {
    let picky = || Picky(MemoryStore::new(), "$");
    let down = || Instead(Down(MemoryStore::new()));
    for handle in [Migrating::new(picky(), down()), Migrating::new(down(), picky())] {
        let error = block_on(handle.destroy("a$")).unwrap_err();
        assert_eq!((error.kind(), error.store()), (ErrorKind::Unavailable, "down"));
        assert!(error.outcome_unknown());
    }
}

fn subject(open: impl Fn(MemoryStore, Picky) -> Migrating) -> StoreUnderTest {
    let clock = Clock::fixed(1_700_000_000_000);
    let two = || (memory(&clock), Picky(memory(&clock), ""));
    let (store, picky) = two();
    let (beside, picky_beside) = two();
    let open = |store, picky| open(store, picky).with_clock(clock.clone());
    StoreUnderTest::new(open(store.clone(), picky.clone()))
        .with_second_handle(open(store, picky))
        .with_neighbour(open(beside, picky_beside))
        .with_clock(clock.clone())
}

mod refused_by_the_new_store {
    cloakroom_conformance::suite!(
        || async { super::subject(super::Migrating::before) },
        not_offered = [find_by, raw, faults],
    );
}

mod refused_by_the_old_store {
    cloakroom_conformance::suite!(
        || async { super::subject(|store, picky| super::Migrating::new(picky, store)) },
        not_offered = [find_by, raw, faults],
    );
}
