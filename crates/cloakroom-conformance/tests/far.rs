//! The suite is fair to a store that is far away: its answers take time, and a call whose future
//! was dropped goes on.

use std::{
    future::Future,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_conformance::{Outcome, StoreUnderTest, run};
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, FindBy, Listed, MemoryStore, SessionData, Store, Touched,
    Updated,
};
use futures::{StreamExt, executor::block_on, stream::BoxStream};
use tokio::runtime::Runtime;

#[derive(Clone)]
struct Far(MemoryStore, SlowTouches);

/// How many touches take most of a second, which is all that a short session has at first.
type SlowTouches = Arc<AtomicU64>;

/// The tasks of the stores, so that these work on any runtime.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("threads for a runtime"));

/// Runs on a task of its own. Each fourth call takes milliseconds on its way there and back.
async fn far<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let is_slow = CALLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(4);
    let task = RUNTIME.spawn(async move {
        travel(is_slow).await;
        let answer = call.await;
        travel(is_slow).await;
        answer
    });
    task.await.unwrap_or_else(|error| panic!("{error}"))
}

async fn travel(is_slow: bool) {
    if is_slow {
        tokio::time::sleep(Duration::from_millis(2)).await;
    } else {
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl Store for Far {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let (store, sid) = (self.0.clone(), sid.to_owned());
        far(async move { store.get(&sid).await }).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let (store, sid, session) = (self.0.clone(), sid.to_owned(), session.clone());
        far(async move { store.set(&sid, &session).await }).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let (store, sid) = (self.0.clone(), sid.to_owned());
        far(async move { store.destroy(&sid).await }).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let (store, sid, session) = (self.0.clone(), sid.to_owned(), session.clone());
        if self
            .1
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
        {
            far(async { tokio::time::sleep(Duration::from_millis(700)).await }).await;
        }
        far(async move { store.touch(&sid, &session).await }).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

#[async_trait]
impl Atomic for Far {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let (store, sid, session) = (self.0.clone(), sid.to_owned(), session.clone());
        far(async move { store.create(&sid, &session).await }).await
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let (store, sid, session) = (self.0.clone(), sid.to_owned(), session.clone());
        far(async move { store.update(&sid, &session).await }).await
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let (store, sid) = (self.0.clone(), sid.to_owned());
        far(async move { store.get_and_touch(&sid, ttl).await }).await
    }
}

#[async_trait]
impl Enumerate for Far {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.0.ids().then(far_item).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.0.all().then(far_item).boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        let store = self.0.clone();
        far(async move { store.length().await }).await
    }

    async fn clear(&self) -> Result<(), Error> {
        let store = self.0.clone();
        far(async move { store.clear().await }).await
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

async fn far_item<T: Send>(item: T) -> T {
    travel(false).await;
    item
}

fn passes_all_cases(slow_touches: u64) {
    let report = block_on(run(move || async move {
        let slow_touches = Arc::new(AtomicU64::new(slow_touches));
        let store = Far(MemoryStore::new(), Arc::clone(&slow_touches));
        let neighbour = Far(MemoryStore::new(), slow_touches);
        StoreUnderTest::new(store.clone()).with_second_handle(store).with_neighbour(neighbour)
    }));
    assert!(report.is_conformant(), "{report}");
    for case in report.with_outcome(Outcome::NotOffered) {
        assert!(
            ["find_by", "raw", "faults"].contains(&case.reason.as_deref().unwrap_or_default()),
            "{report}"
        );
    }
}

#[test]
fn a_far_store_passes_all_cases() {
    passes_all_cases(0);
}

#[test]
fn a_store_that_is_slower_than_a_short_session_passes_all_cases() {
    passes_all_cases(2);
}
