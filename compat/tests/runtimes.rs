//! A handle belongs to no runtime.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    future::{Future, pending, poll_fn},
    sync::{LazyLock, Mutex},
    task::Poll,
    thread,
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_compat::{
    Callback, CallbackAtomic, CallbackEnumerate, CallbackStore, ExpressSession, callbackify_store,
    promisify, promisify_store,
};
use cloakroom_core::{
    Atomic, Enumerate, Error, ErrorKind, MemoryStore, SessionData, Store, Touched,
};
use futures::executor::block_on;
use tokio::runtime::{Builder, Runtime};

/// Never answers.
struct Silent;

#[async_trait]
impl Store for Silent {
    fn name(&self) -> &str {
        "silent"
    }
    async fn get(&self, _sid: &str) -> Result<Option<SessionData>, Error> {
        pending().await
    }
    async fn set(&self, _sid: &str, _session: &SessionData) -> Result<(), Error> {
        pending().await
    }
    async fn destroy(&self, _sid: &str) -> Result<(), Error> {
        pending().await
    }
    async fn touch(&self, _sid: &str, _session: &SessionData) -> Result<Touched, Error> {
        pending().await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

/// Keeps its callbacks and never answers.
#[derive(Default)]
struct Keeps(Mutex<Vec<Box<dyn std::any::Any + Send>>>);

impl CallbackStore for Keeps {
    fn name(&self) -> &str {
        "keeps"
    }
    fn get(&self, _sid: &str, callback: Callback<Option<SessionData>>) {
        self.0.lock().unwrap().push(Box::new(callback));
    }
    fn set(&self, _sid: &str, _session: &SessionData, callback: Callback<()>) {
        self.0.lock().unwrap().push(Box::new(callback));
    }
    fn destroy(&self, _sid: &str, callback: Callback<()>) {
        self.0.lock().unwrap().push(Box::new(callback));
    }
    fn touch(&self, _sid: &str, _session: &SessionData, callback: Callback<Touched>) {
        self.0.lock().unwrap().push(Box::new(callback));
    }
    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        None
    }
}

/// Every operation that has to wait, and whether it writes.
async fn all_operations(store: &dyn Store) -> Vec<(bool, Error)> {
    let session = SessionData::new();
    vec![
        (false, store.get("id").await.unwrap_err()),
        (true, store.set("id", &session).await.unwrap_err()),
        (true, store.destroy("id").await.unwrap_err()),
        (true, store.touch("id", &session).await.unwrap_err()),
    ]
}

#[test]
fn without_timers_what_has_to_wait_is_a_config_error() {
    let stores: [Box<dyn Store>; 2] =
        [Box::new(ExpressSession::new(Silent)), Box::new(promisify_store(Keeps::default()))];
    let without_timers = Builder::new_current_thread().build().unwrap();
    for store in &stores {
        for errors in
            [block_on(all_operations(store)), without_timers.block_on(all_operations(store))]
        {
            for (writes, error) in errors {
                assert_eq!(error.kind(), ErrorKind::Config, "{error}");
                assert!(error.to_string().contains("enable_time"), "{error}");
                assert_eq!(error.outcome_unknown(), writes, "the store has begun it: {error}");
            }
        }
    }
}

#[test]
fn without_timers_what_is_ready_works() {
    let sessions = ExpressSession::new(MemoryStore::new());
    let without_timers = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    without_timers.block_on(async {
        sessions.set("id", &SessionData::new()).await.unwrap();
        let tasks: Vec<_> = (0..20)
            .map(|number: usize| {
                let sessions = sessions.clone();
                let name = format!("task{number}");
                tokio::spawn(async move {
                    sessions.modify("id", |session| session.insert(&name, 1)).await.unwrap()
                })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap().is_some());
        }
    });
    assert_eq!(block_on(sessions.get("id")).unwrap().unwrap().len(), 20);
}

static SESSIONS: LazyLock<ExpressSession> = LazyLock::new(|| {
    // Each call runs as a task of the runtime that it is made on.
    ExpressSession::new(promisify_store(callbackify_store(MemoryStore::new())))
});

#[test]
fn a_handle_in_a_static_works_on_runtimes_that_end() {
    let count = |session: &mut SessionData| {
        let count = session.get::<u32>("count")?.unwrap_or_default();
        session.insert("count", count + 1)
    };
    Runtime::new().unwrap().block_on(SESSIONS.set("id", &SessionData::new())).unwrap();
    for round in 0..25 {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(move || {
                    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                    // It ends in the middle of their calls.
                    for _ in 0..10 {
                        runtime.spawn(SESSIONS.modify("id", count));
                    }
                    runtime.block_on(SESSIONS.modify("id", count)).unwrap().unwrap();
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        let read = || async { SESSIONS.get("id").await };
        let session = Runtime::new().unwrap().block_on(read()).unwrap().unwrap();
        assert!(session.get::<u32>("count").unwrap() >= Some(4 * (round + 1)));
    }
}

#[test]
fn a_runtime_that_stands_still_does_not_stop_the_writers_of_others() {
    let (still, other) = (
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_current_thread().enable_all().build().unwrap(),
    );
    // From the other runtime, it has to wait for each answer.
    let store = callbackify_store(MemoryStore::new()).on(other.handle().clone());
    let sessions = ExpressSession::new(promisify_store(store));
    other.block_on(sessions.set("still", &SessionData::new())).unwrap();
    let mut stands = Box::pin(sessions.modify("still", |session| session.insert("a", 1)));
    // It takes the turn and is never polled again.
    let is_ready = poll_fn(|cx| Poll::Ready(stands.as_mut().poll(cx).is_ready()));
    assert!(!still.block_on(is_ready));
    let changed = other.block_on(sessions.modify("still", |session| session.insert("b", 1)));
    assert!(changed.unwrap().is_some());
}

#[test]
fn a_runtime_that_has_ended_has_sent_nothing() {
    let runtime = Runtime::new().unwrap();
    let store = callbackify_store(MemoryStore::new()).on(runtime.handle().clone());
    drop(runtime);
    let session = SessionData::new();
    let error = block_on(promisify(|callback| store.set("id", &session, callback))).unwrap_err();
    assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Unavailable, false));
    assert_eq!(error.to_string(), "memory: set: the runtime shut down before the call began");
}

#[test]
fn a_runtime_that_ends_during_a_read_has_written_nothing() {
    for (writes, runtime) in [(false, Runtime::new().unwrap()), (true, Runtime::new().unwrap())] {
        let store = callbackify_store(Silent).on(runtime.handle().clone());
        let session = SessionData::new();
        let answer = thread::scope(|scope| {
            let call = scope.spawn(|| {
                if writes {
                    block_on(promisify(|callback| store.set("id", &session, callback)))
                } else {
                    block_on(promisify(|callback| store.get("id", callback))).map(drop)
                }
            });
            // Whether it has begun by then or not, a read is one.
            thread::sleep(Duration::from_millis(50));
            runtime.shutdown_background();
            call.join().unwrap()
        });
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(writes || !error.outcome_unknown(), "{error:?}");
    }
}
