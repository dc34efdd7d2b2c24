//! Runs tasks one step at a time, in an order that a seed decides, and kills some of them half-way.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, FindBy, Listed, MemoryStore, SessionData, Store, Touched,
    Updated,
};
use futures::stream::{BoxStream, StreamExt};

/// A generator of numbers: xorshift, so that a seed gives the same order everywhere.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

pub(crate) struct Task<'a> {
    pub(crate) work: Pin<Box<dyn Future<Output = ()> + 'a>>,
    /// Its process can be killed between any two steps.
    pub(crate) is_mortal: bool,
}

/// Polls the tasks until all have ended or are killed.
pub(crate) fn run(numbers: &mut Numbers, mut tasks: Vec<Task<'_>>) {
    let mut context = Context::from_waker(Waker::noop());
    let mut steps = 0;
    while !tasks.is_empty() {
        steps += 1;
        assert!(steps < 100_000, "the tasks do not end");
        let at = numbers.below(tasks.len());
        let is_over = tasks[at].work.as_mut().poll(&mut context).is_ready();
        if is_over || tasks[at].is_mortal && numbers.below(12) == 0 {
            drop(tasks.swap_remove(at));
        }
    }
}

/// Lets the scheduler choose another task.
pub(crate) async fn step() {
    let mut is_over = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Updates by the text that was read, as most stores do. What is read again under the same text is the same to them.
pub(crate) async fn update_by_text(
    store: &MemoryStore,
    sid: &str,
    session: &SessionData,
) -> Result<Updated, Error> {
    let Some(current) = store.get(sid).await? else { return Ok(Updated::Gone) };
    if current.loaded_json() != session.loaded_json() {
        return Ok(Updated::Conflict(current));
    }
    let revision = current.revision().cloned().unwrap();
    store.atomic().unwrap().update(sid, &session.clone().with_revision(revision)).await
}

/// A store to which the way takes a step, and another one back.
#[derive(Clone)]
pub(crate) struct Far(pub(crate) MemoryStore);

async fn far<T>(call: impl Future<Output = T>) -> T {
    step().await;
    let answer = call.await;
    step().await;
    answer
}

#[async_trait]
impl Store for Far {
    fn name(&self) -> &str {
        "far"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        far(self.0.get(sid)).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        far(self.0.set(sid, session)).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        far(self.0.destroy(sid)).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        far(self.0.touch(sid, session)).await
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
        far(self.0.create(sid, session)).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        far(update_by_text(&self.0, sid, session)).await
    }
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        far(self.0.get_and_touch(sid, ttl)).await
    }
}

#[async_trait]
impl Enumerate for Far {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.0.ids().then(|item| far(async { item })).boxed()
    }
    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        self.0.all().then(|item| far(async { item })).boxed()
    }
    async fn length(&self) -> Result<u64, Error> {
        far(self.0.length()).await
    }
    async fn clear(&self) -> Result<(), Error> {
        far(self.0.clear()).await
    }
    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}
