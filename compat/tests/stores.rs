//! The three legacy stores through `promisify_store`, each by the whole suite, and what the adapter adds to them.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod legacy;

use std::{
    error::Error as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use cloakroom_compat::{
    Callback, CallbackAtomic, CallbackEnumerate, CallbackStore, CopyOptions, ExpressSession,
    callbackify_store, copy, promisify_store, verify_copy,
};
use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_core::{Error, ErrorKind, Listed, MemoryStore, SessionData, Store, Touched};
use cloakroom_test_support::Memcached;
use legacy::{Gate, Late};

/// Whether a promise is kept does not depend on how fast the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

mod inline {
    use super::*;

    async fn subject() -> StoreUnderTest {
        let store = Arc::new(legacy::InlineStore::default());
        let handle = || promisify_store(Arc::clone(&store)).with_deadline(PATIENCE);
        StoreUnderTest::new(handle()).with_second_handle(handle())
    }

    suite!(subject, not_offered = [find_by, atomic, neighbour, raw, faults]);
}

mod threaded {
    use super::*;

    async fn subject() -> StoreUnderTest {
        let gate = Gate::default();
        let store = Arc::new(legacy::ThreadedStore::new(gate.clone()));
        let handle =
            || Late(promisify_store(Arc::clone(&store)).with_deadline(PATIENCE), gate.clone());
        StoreUnderTest::new(handle()).with_second_handle(handle())
    }

    suite!(
        subject,
        not_offered = [find_by, atomic, enumerate, touch, neighbour, raw, faults],
        exceptions = [a_runtime_that_lacks_something_is_a_config_error =
            "the call goes on elsewhere, and its outcome is unknown"],
    );
}

mod memcached {
    use super::*;

    async fn subject() -> StoreUnderTest {
        let server = Memcached::start().unwrap();
        let gate = Gate::default();
        let open = || {
            let store = legacy::MemcachedStore::connect(&server.addr(), gate.clone());
            Late(promisify_store(store).with_deadline(PATIENCE), gate.clone())
        };
        let (first, second) = (open(), open());
        StoreUnderTest::new(first).with_second_handle(second).add_guard(server)
    }

    suite!(
        subject,
        ignore = "needs memcached",
        not_offered = [find_by, atomic, enumerate, neighbour, raw, faults],
        exceptions = [a_runtime_that_lacks_something_is_a_config_error =
            "the call goes on elsewhere, and its outcome is unknown"],
    );
}

mod there_and_back {
    use super::*;

    async fn subject() -> StoreUnderTest {
        let store = MemoryStore::new();
        let wrap = |store| promisify_store(callbackify_store(store)).with_deadline(PATIENCE);
        StoreUnderTest::new(wrap(store.clone())).with_second_handle(wrap(store))
    }

    suite!(subject, not_offered = [find_by, neighbour, raw, faults]);
}

/// Keeps every callback it is given, or drops it, and never answers.
#[derive(Default)]
struct Silent {
    kept: Mutex<Vec<Callback<Option<SessionData>>>>,
    written: Mutex<Vec<Callback<()>>>,
}

impl CallbackStore for Silent {
    fn name(&self) -> &str {
        "silent"
    }
    fn get(&self, _sid: &str, callback: Callback<Option<SessionData>>) {
        self.kept.lock().unwrap().push(callback);
    }
    fn set(&self, _sid: &str, _session: &SessionData, callback: Callback<()>) {
        self.written.lock().unwrap().push(callback);
    }
    fn destroy(&self, _sid: &str, callback: Callback<()>) {
        drop(callback);
    }
    fn touch(&self, _sid: &str, _session: &SessionData, callback: Callback<Touched>) {
        callback.ok(Touched::NotOffered);
    }
    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_never_answers_meets_the_deadline() {
    let store = promisify_store(Silent::default());
    let started = tokio::time::Instant::now();
    let error = store.get("id").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.store(), error.operation()),
        (ErrorKind::Timeout, "silent", "get")
    );
    assert_eq!(started.elapsed().as_secs(), 5);
    assert!(!error.outcome_unknown(), "a read changes nothing");

    let store = store.with_deadline(Duration::from_millis(20));
    let error = store.set("id", &SessionData::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "silent: set: no answer within 20ms");
    assert!(error.outcome_unknown() && error.is_retryable());
}

#[tokio::test]
async fn a_dropped_callback_does_not_wait_for_the_deadline() {
    let started = Instant::now();
    let error = promisify_store(Silent::default()).destroy("id").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.store(), error.operation()),
        (ErrorKind::Unavailable, "silent", "destroy")
    );
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Fails each read in its own way, and claims that it may have written.
struct Claims(fn(Callback<Option<SessionData>>));

impl CallbackStore for Claims {
    fn name(&self) -> &str {
        "claims"
    }
    fn get(&self, _sid: &str, callback: Callback<Option<SessionData>>) {
        (self.0)(callback);
    }
    fn set(&self, _sid: &str, _session: &SessionData, callback: Callback<()>) {
        drop(callback);
    }
    fn destroy(&self, _sid: &str, callback: Callback<()>) {
        drop(callback);
    }
    fn touch(&self, _sid: &str, _session: &SessionData, callback: Callback<Touched>) {
        drop(callback);
    }
    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        None
    }
}

#[tokio::test]
async fn the_outcome_of_a_read_is_known() {
    let claims: [fn(Callback<Option<SessionData>>); 4] = [
        drop,
        |callback| drop(callback.into_fn()),
        |_| std::panic::resume_unwind(Box::new("on purpose")),
        |callback| {
            let error = Error::new(ErrorKind::Unavailable, "claims", "get", "hung up");
            callback.err(error.with_outcome_unknown());
        },
    ];
    for claim in claims {
        let error = promisify_store(Claims(claim)).get("id").await.unwrap_err();
        assert!(!error.outcome_unknown(), "{error}");
        let sessions = ExpressSession::new(promisify_store(Claims(claim)));
        assert!(!sessions.get("id").await.unwrap_err().outcome_unknown());
        let error = sessions.set("id", &SessionData::new()).await.unwrap_err();
        assert!(error.outcome_unknown(), "a write may have been done: {error}");
    }
}

#[tokio::test]
async fn what_a_store_lacks_is_not_offered() {
    let silent = promisify_store(Silent::default());
    assert_eq!(silent.touch("id", &SessionData::new()).await.unwrap(), Touched::NotOffered);
    assert!(silent.atomic().is_none() && silent.enumerate().is_none());
    let whole = promisify_store(callbackify_store(MemoryStore::new()));
    assert!(whole.atomic().is_some() && whole.enumerate().is_some());
}

#[test]
fn an_inline_store_needs_no_runtime() {
    let store = promisify_store(legacy::InlineStore::default());
    futures::executor::block_on(async {
        store.set("id", &SessionData::new()).await.unwrap();
        assert_eq!(store.get("id").await.unwrap(), Some(SessionData::new()));
    });
}

#[test]
fn callbackify_without_a_runtime_says_so() {
    let store = callbackify_store(MemoryStore::new());
    let answer = futures::executor::block_on(cloakroom_compat::promisify(|callback| {
        store.get("id", callback)
    }));
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Config);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = store.on(runtime.handle().clone());
    let answer = futures::executor::block_on(cloakroom_compat::promisify(|callback| {
        store.get("id", callback)
    }));
    assert_eq!(answer.unwrap(), None);
}

#[test]
fn callbackify_whose_runtime_ends_drops_the_callback_and_nobody_hangs() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = callbackify_store(MemoryStore::new()).on(runtime.handle().clone());
    drop(runtime);
    let answer = futures::executor::block_on(cloakroom_compat::promisify(|callback| {
        store.get("id", callback)
    }));
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Has a record that it cannot list.
struct Unlisted;

impl CallbackStore for Unlisted {
    fn name(&self) -> &str {
        "unlisted"
    }
    fn get(&self, _sid: &str, callback: Callback<Option<SessionData>>) {
        callback.ok(Some(SessionData::new()));
    }
    fn set(&self, _sid: &str, _session: &SessionData, callback: Callback<()>) {
        callback.ok(());
    }
    fn destroy(&self, _sid: &str, callback: Callback<()>) {
        callback.ok(());
    }
    fn touch(&self, _sid: &str, _session: &SessionData, callback: Callback<Touched>) {
        callback.ok(Touched::Extended);
    }
    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        Some(self)
    }
}

impl CallbackEnumerate for Unlisted {
    fn all(&self, callback: Callback<Vec<Listed>>) {
        callback.err(Error::new(ErrorKind::TooLarge, "unlisted", "all", "too large"));
    }
    fn length(&self, callback: Callback<u64>) {
        callback.ok(2);
    }
    fn clear(&self, callback: Callback<()>) {
        callback.ok(());
    }
}

/// After the error of one record, a copy and `destroy_where` go on. Here they have seen none of the others.
#[tokio::test]
async fn a_record_that_a_callback_cannot_list_ends_the_whole_listing() {
    let (store, to) = (promisify_store(Unlisted), MemoryStore::new());
    let error = copy(&store, &to, &CopyOptions::default(), |_| ()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Other, false), "{error}");
    let source = error.source().and_then(|source| source.downcast_ref::<Error>()).unwrap();
    assert_eq!(source.kind(), ErrorKind::TooLarge);
    let error = verify_copy(&to, &store, &CopyOptions::default(), |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    let sessions = ExpressSession::new(store);
    let error = sessions.destroy_where(|_, _| true).await.unwrap_err();
    assert!(error.to_string().contains("it stopped; sessions destroyed before that: 0"), "{error}");
}
