//! Where the calls of `callbackify_store` run, and what their callbacks receive if the store panics.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread::{self, ThreadId},
    time::Duration,
};

use async_trait::async_trait;
use cloakroom_compat::{
    Callback, CallbackStore, Callbackified, callbackify_store, promisify, promisify_store,
};
use cloakroom_core::{
    Atomic, Enumerate, Error, ErrorKind, FindBy, Listed, MemoryStore, SessionData, Store, Touched,
};
use futures::{
    executor::block_on,
    stream::{self, BoxStream, StreamExt, TryStreamExt},
};
use tokio::{
    runtime::{Builder, Handle, Id, Runtime},
    sync::Notify,
    task::yield_now,
    time::sleep,
};

/// The answer at the first poll, if it is there.
fn at_once<T>(call: impl Future<Output = Result<T, Error>>) -> Option<Result<T, Error>> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn idle() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn an_answer_that_is_there_at_once_needs_no_task() {
    // Nobody runs its tasks.
    let runtime = idle();
    let store = callbackify_store(MemoryStore::new()).on(runtime.handle().clone());
    let session = SessionData::new();
    at_once(promisify(|callback| store.set("id", &session, callback))).unwrap().unwrap();
    let found = at_once(promisify(|callback| store.get("id", callback))).unwrap().unwrap();
    assert_eq!(found, Some(session));
    assert_eq!(runtime.metrics().num_alive_tasks(), 1, "the one that watches the runtime");
    drop(store);
    runtime.block_on(yield_now());
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
}

/// A callback whose answer runs a function at once, by a waker that does not wait for an executor.
fn callback(then: impl Fn() + Send + Sync + 'static) -> Callback<Option<SessionData>> {
    struct Then<F>(F);
    impl<F: Fn() + Send + Sync + 'static> Wake for Then<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }
    let (sender, callbacks) = mpsc::channel();
    let answer = promisify(move |callback| sender.send(callback).unwrap());
    let waker = Waker::from(Arc::new(Then(then)));
    assert!(pin!(answer).poll(&mut Context::from_waker(&waker)).is_pending());
    callbacks.recv().unwrap()
}

struct Chain {
    store: Callbackified<MemoryStore>,
    done: Notify,
}

fn next(chain: Arc<Chain>, number: usize) {
    if number == 100_000 {
        return chain.done.notify_one();
    }
    let following = Arc::clone(&chain);
    let then = callback(move || next(Arc::clone(&following), number + 1));
    chain.store.get("id", then);
}

#[test]
fn a_chain_of_calls_does_not_nest() {
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.build().unwrap();
        for own in [false, true] {
            let mut store = callbackify_store(MemoryStore::new());
            if own {
                store = store.on(runtime.handle().clone());
            }
            let chain = Arc::new(Chain { store, done: Notify::new() });
            runtime.block_on(async {
                next(Arc::clone(&chain), 0);
                chain.done.notified().await;
            });
        }
    }
}

#[test]
fn a_waker_that_panics_does_not_change_where_later_calls_run() {
    // Nobody runs its tasks.
    let runtime = idle();
    let store = callbackify_store(MemoryStore::new()).on(runtime.handle().clone());
    store.get("id", callback(|| panic!("on purpose")));
    assert!(at_once(promisify(|callback| store.get("id", callback))).is_some());
}

type Steps = Arc<Mutex<Vec<(ThreadId, Option<Id>)>>>;

/// Notes where it runs, waits, notes it again, and does as it is told.
#[derive(Clone)]
struct Noting {
    steps: Steps,
    panics_at: Option<usize>,
}

impl Noting {
    fn new(panics_at: Option<usize>) -> Self {
        Self { steps: Steps::default(), panics_at }
    }

    async fn work(&self) {
        for step in 0..2 {
            let place = (thread::current().id(), Handle::try_current().ok().map(|here| here.id()));
            self.steps.lock().unwrap().push(place);
            assert!(self.panics_at != Some(step), "session of ann");
            yield_now().await;
        }
    }
}

#[async_trait]
impl Store for Noting {
    fn name(&self) -> &str {
        "noting"
    }
    async fn get(&self, _sid: &str) -> Result<Option<SessionData>, Error> {
        self.work().await;
        Ok(None)
    }
    async fn set(&self, _sid: &str, _session: &SessionData) -> Result<(), Error> {
        self.work().await;
        Ok(())
    }
    async fn destroy(&self, _sid: &str) -> Result<(), Error> {
        Ok(())
    }
    async fn touch(&self, _sid: &str, _session: &SessionData) -> Result<Touched, Error> {
        Ok(Touched::NotOffered)
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

#[test]
fn what_has_to_wait_goes_on_as_a_task_of_the_runtime() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let noting = Noting::new(None);
    let store = callbackify_store(noting.clone()).on(runtime.handle().clone());
    // This thread belongs to no runtime.
    assert_eq!(block_on(promisify(|callback| store.get("id", callback))).unwrap(), None);
    let (here, home) = (thread::current().id(), Some(runtime.handle().id()));
    let steps = noting.steps.lock().unwrap();
    assert_eq!(steps[0], (here, home), "it begins here, inside of the runtime");
    // The first step is repeated by nobody.
    assert_eq!(steps.len(), 2);
    assert!(steps[1].0 != here && steps[1].1 == home, "it goes on there");
}

#[test]
fn a_call_from_another_runtime_is_a_task_from_the_beginning() {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let noting = Noting::new(None);
    let store = callbackify_store(noting.clone()).on(runtime.handle().clone());
    idle().block_on(promisify(|callback| store.get("id", callback))).unwrap();
    let (here, home) = (thread::current().id(), Some(runtime.handle().id()));
    let steps = noting.steps.lock().unwrap();
    assert_eq!(steps.len(), 2);
    assert!(steps.iter().all(|(thread, runtime)| *thread != here && *runtime == home));
}

#[test]
fn a_store_that_panics_is_an_error_and_does_not_take_its_caller_along() {
    let runtime = Runtime::new().unwrap();
    for panics_at in [0, 1] {
        let store = callbackify_store(Noting::new(Some(panics_at))).on(runtime.handle().clone());
        let read = block_on(promisify(|callback| store.get("id", callback))).unwrap_err();
        let session = SessionData::new();
        let write =
            block_on(promisify(|callback| store.set("id", &session, callback))).unwrap_err();
        for error in [&read, &write] {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(!format!("{error} {error:?}").contains("ann"));
        }
        assert!(!read.outcome_unknown(), "a read has written nothing");
        assert!(write.outcome_unknown(), "it may have written");
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Waits in vain for a session.
struct Silent;

#[async_trait]
impl Store for Silent {
    fn name(&self) -> &str {
        "silent"
    }
    async fn get(&self, _sid: &str) -> Result<Option<SessionData>, Error> {
        std::future::pending().await
    }
    async fn set(&self, _sid: &str, _session: &SessionData) -> Result<(), Error> {
        std::future::pending().await
    }
    async fn destroy(&self, _sid: &str) -> Result<(), Error> {
        Ok(())
    }
    async fn touch(&self, _sid: &str, _session: &SessionData) -> Result<Touched, Error> {
        Ok(Touched::NotOffered)
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

/// Lists two sessions that live for a minute, with a pause between them.
#[async_trait]
impl Enumerate for Silent {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.all().map_ok(|listed| listed.id).boxed()
    }
    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        let listed = |sid| Listed::new(sid, SessionData::new(), MINUTE);
        let first = stream::iter([Ok(listed("first"))]);
        first
            .chain(stream::once(async move {
                sleep(PAUSE).await;
                Ok(listed("last"))
            }))
            .boxed()
    }
    async fn length(&self) -> Result<u64, Error> {
        Ok(2)
    }
    async fn clear(&self) -> Result<(), Error> {
        Ok(())
    }
    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

/// Connect's `all` answers with all sessions at once, when the last one has arrived.
#[tokio::test]
async fn the_time_left_counts_from_the_answer() {
    let store = callbackify_store(Silent);
    let listed = promisify(|callback| store.enumerate().unwrap().all(callback)).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed[0].time_left.unwrap() <= MINUTE - PAUSE, "{:?}", listed[0].time_left);
}

#[test]
fn a_runtime_that_ends_under_a_call_that_has_begun_leaves_its_outcome_open() {
    let runtime = idle();
    let store = callbackify_store(Silent).on(runtime.handle().clone());
    let session = SessionData::new();
    let mut call = pin!(promisify(|callback| store.set("id", &session, callback)));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(runtime);
    let error = block_on(call).unwrap_err();
    assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Unavailable, true));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_around_the_call_holds_for_what_waits() {
    let store = promisify_store(callbackify_store(Silent)).with_deadline(Duration::from_millis(20));
    let error = store.get("id").await.unwrap_err();
    assert_eq!(error.to_string(), "silent: get: no answer within 20ms");
}
