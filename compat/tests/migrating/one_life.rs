//! A store that gives all sessions one life, as Memcached does with the option `ttl`.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_compat::Migrating;
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, MemoryStore, SessionData, Store, Touched, Updated,
};
use futures::{executor::block_on, stream::TryStreamExt};

use crate::suite::memory;

const NOW: i64 = 1_700_000_000_000;

/// A minute, unless it is a copy, whose time wins.
#[derive(Clone)]
struct OneLife(MemoryStore);

impl OneLife {
    fn lives(session: &SessionData) -> SessionData {
        match session.store_expiry_ms() {
            Some(_) => session.clone(),
            None => session.clone().with_store_expiry_ms(NOW + 60_000),
        }
    }

    fn atomic_of(&self) -> &dyn Atomic {
        self.0.atomic().unwrap()
    }

    async fn seconds_left(&self) -> u64 {
        let listed: Vec<_> = self.0.all().try_collect().await.unwrap();
        listed[0].time_left.unwrap().as_secs()
    }
}

#[async_trait]
impl Store for OneLife {
    fn name(&self) -> &str {
        "one life"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.0.set(sid, &Self::lives(session)).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.0.touch(sid, &Self::lives(session)).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.0.enumerate()
    }
}

#[async_trait]
impl Atomic for OneLife {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.atomic_of().create(sid, &Self::lives(session)).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.atomic_of().update(sid, &Self::lives(session)).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        _: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.atomic_of().get_and_touch(sid, Some(Duration::from_secs(60))).await
    }
}

#[test]
fn a_session_gets_the_life_that_the_store_gives_to_all() {
    let clock = Clock::fixed(NOW);
    let mut day = SessionData::new();
    day.set_max_age(Duration::from_secs(86_400), NOW).unwrap();
    for is_before in [true, false] {
        for way in ["set", "create", "replace", "move"] {
            let (one_life, other) = (OneLife(memory(&clock)), memory(&clock));
            block_on(async {
                match way {
                    "replace" => one_life.0.set("id", &SessionData::new()).await.unwrap(),
                    "move" if !is_before => other.set("id", &SessionData::new()).await.unwrap(),
                    _ => {}
                }
                let handle = if is_before {
                    Migrating::before(one_life.clone(), other)
                } else {
                    Migrating::new(other, one_life.clone())
                };
                let handle = handle.with_clock(clock.clone());
                if way == "create" {
                    handle.atomic().unwrap().create("id", &day).await.map(drop).unwrap();
                } else {
                    handle.set("id", &day).await.unwrap();
                }
                assert!(one_life.seconds_left().await <= 60, "{way}, before: {is_before}");
            });
        }
    }
}
