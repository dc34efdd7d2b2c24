//! The suite, on a handle before the migration, on one during it, and on both in turns.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_compat::Migrating;
use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, MemoryOptions, MemoryStore, SessionData, Store,
    Touched, Updated,
};

pub(crate) fn memory(clock: &Clock) -> MemoryStore {
    let mut options = MemoryOptions::default();
    options.clock = clock.clone();
    MemoryStore::with_options(options)
}

/// Two stores, and the clock of both.
struct Two {
    old: MemoryStore,
    new: MemoryStore,
    clock: Clock,
}

impl Two {
    fn new(clock: &Clock) -> Self {
        Self { old: memory(clock), new: memory(clock), clock: clock.clone() }
    }

    fn before(&self) -> Migrating {
        Migrating::before(self.old.clone(), self.new.clone()).with_clock(self.clock.clone())
    }

    fn during(&self) -> Migrating {
        Migrating::new(self.old.clone(), self.new.clone()).with_clock(self.clock.clone())
    }

    fn in_turns(&self) -> InTurns {
        InTurns { handles: [self.before(), self.during()], calls: AtomicUsize::new(0) }
    }
}

fn subject<S: Store + 'static>(open: impl Fn(&Two) -> S) -> StoreUnderTest {
    let clock = Clock::fixed(1_700_000_000_000);
    let (two, beside) = (Two::new(&clock), Two::new(&clock));
    StoreUnderTest::new(open(&two))
        .with_second_handle(open(&two))
        .with_neighbour(open(&beside))
        .with_clock(clock)
}

mod before {
    cloakroom_conformance::suite!(
        || async { super::subject(super::Two::before) },
        not_offered = [find_by, raw, faults],
    );
}

mod during {
    cloakroom_conformance::suite!(
        || async { super::subject(super::Two::during) },
        not_offered = [find_by, raw, faults],
    );
}

suite!(|| async { subject(Two::in_turns) }, not_offered = [find_by, raw, faults]);

/// Each call goes to the other handle, so sessions are written in the old store and then moved, all the time.
struct InTurns {
    handles: [Migrating; 2],
    calls: AtomicUsize,
}

impl InTurns {
    fn next(&self) -> &Migrating {
        &self.handles[self.calls.fetch_add(1, Relaxed) % 2]
    }

    fn atomic(&self) -> &dyn Atomic {
        self.next().atomic().unwrap()
    }
}

#[async_trait]
impl Store for InTurns {
    fn name(&self) -> &str {
        self.handles[0].name()
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.next().get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.next().set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.next().destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.next().touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.handles[1].enumerate()
    }
}

#[async_trait]
impl Atomic for InTurns {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        self.atomic().create(sid, session).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.atomic().update(sid, session).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        self.atomic().get_and_touch(sid, ttl).await
    }
}
