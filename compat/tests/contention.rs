//! Many writers of one session: their counts are exact, they try little, and none stops the others.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation};
use cloakroom_compat::{ExpressSession, ExpressSessionOptions};
use cloakroom_core::{Atomic, Error, ErrorKind, MemoryStore, SessionData, Store, Updated};
use cloakroom_test_backends::{Calls, Instead};
use futures::{
    FutureExt,
    executor::block_on,
    future::{join_all, try_join_all},
};
use tokio::{sync::Barrier, task::yield_now};

/// A store that lets others run before each step, counts the tries of a write, and is silent when told.
#[derive(Clone)]
struct Slow {
    name: &'static str,
    store: MemoryStore,
    tries: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
    reads_hang: Arc<AtomicBool>,
    /// The next update never ends.
    update_hangs: Arc<AtomicBool>,
}

impl Slow {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            store: MemoryStore::new(),
            tries: Arc::default(),
            reads: Arc::default(),
            reads_hang: Arc::default(),
            update_hangs: Arc::default(),
        }
    }

    async fn with_session(name: &'static str) -> Self {
        let slow = Self::new(name);
        slow.store.set("id", &SessionData::new()).await.unwrap();
        slow
    }

    async fn count(&self) -> usize {
        let session = self.store.get("id").await.unwrap().unwrap();
        session.get("count").unwrap().unwrap_or_default()
    }
}

#[async_trait]
impl Calls for Slow {
    fn behind(&self) -> &dyn Store {
        &self.store
    }
    fn name(&self) -> &str {
        self.name
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.reads.fetch_add(1, Relaxed);
        yield_now().await;
        if self.reads_hang.load(Relaxed) {
            pending::<()>().await;
        }
        self.store.get(sid).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.tries.fetch_add(1, Relaxed);
        yield_now().await;
        if self.update_hangs.swap(false, Relaxed) {
            pending::<()>().await;
        }
        self.store.update(sid, session).await
    }
}

/// A deadline that no machine is too slow for.
fn patient() -> ExpressSessionOptions {
    let mut options = ExpressSessionOptions::default();
    options.deadline = Some(Duration::from_secs(600));
    options
}

fn add_one(session: &mut SessionData) -> Result<(), Error> {
    let count = session.get::<usize>("count")?.unwrap_or_default();
    session.insert("count", count + 1)
}

/// Each handle adds one `times` times, all at once.
async fn write(handles: Vec<ExpressSession>, times: usize) {
    let start = Arc::new(Barrier::new(handles.len()));
    let tasks: Vec<_> = handles
        .into_iter()
        .map(|sessions| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                for _ in 0..times {
                    assert!(sessions.modify("id", add_one).await.unwrap().is_some());
                }
            })
        })
        .collect();
    try_join_all(tasks).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_process_need_one_try_each() {
    let store = Slow::with_session("clones").await;
    let sessions = ExpressSession::with_options(Instead(store.clone()), patient());
    write((0..128).map(|_| sessions.clone()).collect(), 5).await;
    assert_eq!((store.count().await, store.tries.load(Relaxed)), (640, 640));

    let store = Slow::with_session("handles").await;
    let handle = |_| ExpressSession::with_options(Instead(store.clone()), patient());
    write((0..128).map(handle).collect(), 5).await;
    assert_eq!((store.count().await, store.tries.load(Relaxed)), (640, 640));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_stand_in_no_common_line_lose_nothing() {
    let store = Slow::with_session("first").await;
    // Lines are per name, so that each of these names is like a process of its own.
    let handle =
        |name| ExpressSession::with_options(Instead(Slow { name, ..store.clone() }), patient());
    let names = ["first", "second", "third", "fourth"];
    write((0..32).flat_map(|_| names.map(handle)).collect(), 5).await;
    assert_eq!(store.count().await, 640);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_need_no_runtime() {
    let sessions = ExpressSession::new(MemoryStore::new());
    sessions.set("id", &SessionData::new()).await.unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert!(block_on(sessions.modify("id", add_one)).unwrap().is_some());
                }
            });
        }
    });
    let session = sessions.get("id").await.unwrap().unwrap();
    assert_eq!(session.get::<usize>("count").unwrap(), Some(1_600));
}

#[tokio::test]
async fn a_change_may_change_the_same_session_itself() {
    let sessions = ExpressSession::new(MemoryStore::new());
    sessions.set("id", &SessionData::new()).await.unwrap();
    let mut calls = 0;
    let changed = sessions.modify("id", |session| {
        calls += 1;
        if calls == 1 {
            block_on(sessions.modify("id", add_one))?;
        }
        add_one(session)
    });
    assert_eq!(changed.await.unwrap().unwrap().get::<usize>("count").unwrap(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_writer_does_not_make_the_others_time_out() {
    let store = Slow::with_session("stuck").await;
    store.update_hangs.store(true, Relaxed);
    let sessions = ExpressSession::new(Instead(store.clone()));
    let answers = join_all((0..50).map(|_| sessions.modify("id", add_one))).await;
    let errors: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].kind(), ErrorKind::Timeout);
    assert!(errors[0].outcome_unknown(), "its update was under way");
    assert_eq!(store.count().await, 49);
}

#[tokio::test(start_paused = true)]
async fn what_waits_until_the_deadline_has_sent_nothing() {
    let store = Slow::with_session("silent").await;
    store.reads_hang.store(true, Relaxed);
    let sessions = ExpressSession::new(Instead(store.clone()));
    let started = tokio::time::Instant::now();
    let answers = join_all((0..50).map(|_| sessions.modify("id", add_one))).await;
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Timeout, false));
    }
    assert_eq!(store.tries.load(Relaxed), 0);
    // The line is empty again.
    store.reads_hang.store(false, Relaxed);
    assert!(sessions.modify("id", add_one).await.unwrap().is_some());
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

/// A store that is far away, and whose own deadline is longer than the handle's by default.
struct Far(MemoryStore);

impl Far {
    async fn answers(&self, operation: &'static str) -> Result<(), Error> {
        let limit = Duration::from_secs(15);
        let operation = Operation::start("far", operation, Idempotency::Once, limit);
        let trip = tokio::time::sleep(Duration::from_millis(300));
        operation.within(trip).await.ok_or_else(|| operation.timeout())
    }
}

#[async_trait]
impl Calls for Far {
    fn behind(&self) -> &dyn Store {
        &self.0
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.answers("get").await?;
        self.0.get(sid).await
    }
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        self.answers("update").await?;
        self.0.update(sid, session).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_store_includes_the_wait_for_the_turn() {
    let memory = MemoryStore::new();
    // No other test writes it: the queue of a session is for all stores of one name.
    memory.set("far", &SessionData::new()).await.unwrap();
    let sessions = ExpressSession::new(Instead(Far(memory)));
    let began = tokio::time::Instant::now();
    try_join_all((0..20).map(|_| sessions.modify("far", add_one))).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(12), "one after the other");
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_dropped_gives_up_its_turn_and_its_place() {
    let store = Slow::with_session("dropped").await;
    let sessions = ExpressSession::new(Instead(store.clone()));
    for during in ["nothing", "its read", "its update"] {
        store.reads_hang.store(during == "its read", Relaxed);
        store.update_hangs.store(during == "its update", Relaxed);
        let mut writers: Vec<_> =
            (0..4).map(|_| Box::pin(sessions.modify("id", add_one))).collect();
        for writer in writers.iter_mut().filter(|_| during != "nothing") {
            // The store lets others run once before it reads, and once before it writes.
            assert!((0..3).all(|_| writer.now_or_never().is_none()));
        }
        // The holder of the turn, and two that wait for it.
        let last = writers.pop().unwrap();
        drop(writers);
        store.reads_hang.store(false, Relaxed);
        let before = store.count().await;
        let started = tokio::time::Instant::now();
        assert!(last.await.unwrap().is_some());
        assert_eq!(started.elapsed(), Duration::ZERO, "nobody had to be waited for");
        assert_eq!(store.count().await, before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_turn_holds_no_record_and_leaves_nothing_behind() {
    const WRITERS: usize = 10_000;
    let store = Slow::with_session("many").await;
    store.reads_hang.store(true, Relaxed);
    let sessions = ExpressSession::new(Instead(store.clone()));
    let left = allocation_counter::measure(|| {
        let mut writers = Vec::new();
        let waiting = allocation_counter::measure(|| {
            for _ in 0..WRITERS {
                let mut writer = Box::pin(sessions.modify("id", add_one));
                assert!(writer.as_mut().now_or_never().is_none());
                writers.push(writer);
            }
        });
        assert_eq!(store.reads.load(Relaxed), 1, "only the one whose turn it is reads");
        let bytes = waiting.bytes_max as usize / WRITERS;
        assert!(bytes < 8_192, "{bytes} bytes a writer");
        drop(writers);
    });
    assert!(left.bytes_current < 4_096, "{} bytes are left", left.bytes_current);
}
