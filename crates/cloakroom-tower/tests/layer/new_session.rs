//! A new session is made when somebody first asks something of it. What can fail of that is done when it is loaded.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use std::time::Duration;

use cloakroom_core::{Clock, ErrorKind, MemoryStore, Secrets, Store};
use cloakroom_tower::{RequestHead, Session, SessionEngine, SessionOptions};
use futures::executor::block_on;
use http::Request;

fn engine(store: &MemoryStore, options: SessionOptions) -> SessionEngine {
    options.engine(store.clone(), Secrets::new(["keyboard cat"]).unwrap()).unwrap()
}

fn load(engine: &SessionEngine) -> Session {
    block_on(engine.load(RequestHead::from(&Request::new(())))).unwrap().unwrap()
}

/// A record alone takes more allocations than that.
#[test]
fn a_request_that_asks_nothing_of_its_session_pays_for_no_record() {
    let options =
        SessionOptions::new().with_cookie(|cookie| cookie.with_max_age(Duration::from_secs(60)));
    let engine = engine(&MemoryStore::new(), options);
    let asking = |asks: fn(&Session)| {
        let counted = allocation_counter::measure(|| {
            let session = load(&engine);
            asks(&session);
            assert_eq!(block_on(engine.commit(&session)).unwrap(), None);
        });
        counted.count_total
    };
    // The first one also makes what `block_on` keeps for this thread.
    asking(|_| {});
    let nothing = asking(|_| {});
    assert!(nothing <= 3, "{nothing}");
    let reads = asking(|session| assert_eq!(session.get::<u8>("n").unwrap(), None));
    assert_eq!(reads, nothing, "nobody has put a member into it");
    let id = asking(|session| assert_eq!(session.id().len(), 32));
    assert!(id > nothing + 5, "{id}");
}

/// The handler would otherwise run with an id that all such sessions share.
#[test]
fn a_session_that_cannot_be_made_fails_the_request() {
    for options in
        [SessionOptions::new(), SessionOptions::next_session(), SessionOptions::express()]
    {
        let told = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&told);
        // JavaScript's dates end 8.64e15 ms after 1970. The options are accepted, because it depends on the clock
        // whether the life ends before that.
        let max_age = Duration::from_millis(8_640_000_000_000_000 - 1_000);
        let clock = Clock::fixed(1_000);
        let options = options
            .with_cookie(|cookie| cookie.with_max_age(max_age))
            .with_expiry(|expiry| expiry.with_clock(clock.clone()))
            .with_failure(|failure| {
                failure.with_on_error(move |_| {
                    counted.fetch_add(1, SeqCst);
                })
            });
        let engine = engine(&MemoryStore::new(), options);
        let session = load(&engine);
        clock.advance(1);
        let request = Request::new(());
        let error = block_on(engine.load(RequestHead::from(&request))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        assert_eq!(told.load(SeqCst), 1);
        // What could fail was done by the time that the session was loaded.
        assert_ne!(session.id(), "");
        session.insert("n", 1).unwrap();
        assert_eq!(told.load(SeqCst), 1);
    }
}

#[test]
fn an_option_that_is_a_function_is_called_before_the_handler() {
    for options in [SessionOptions::new(), SessionOptions::express()] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let options = options.with_ids(|ids| {
            ids.with_genid(move |_| Ok(format!("id {}", counted.fetch_add(1, SeqCst))))
        });
        let session = load(&engine(&MemoryStore::new(), options));
        assert_eq!(calls.load(SeqCst), 1);
        assert_eq!(session.id(), "id 0");
        assert_eq!(calls.load(SeqCst), 1);
    }
}

#[test]
fn a_session_that_is_first_asked_after_the_response_answers_and_cannot_be_changed() {
    let store = MemoryStore::new();
    let engine = engine(&store, SessionOptions::new());
    let session = load(&engine);
    assert_eq!(block_on(engine.commit(&session)).unwrap(), None);
    let errors = [
        session.get::<u8>("n").unwrap_err(),
        session.insert("n", 1).unwrap_err(),
        block_on(session.save()).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    assert!(session.is_new());
    assert_eq!(session.id(), session.clone().id());
    assert_eq!(session.cookie().path(), Some("/"));
    assert_eq!(block_on(engine.commit(&session)).unwrap(), None);
    assert_eq!(block_on(store.enumerate().unwrap().length()).unwrap(), 0);
}

#[test]
fn handles_that_ask_at_once_get_one_session() {
    let store = MemoryStore::new();
    let engine = engine(&store, SessionOptions::new());
    for _ in 0..50 {
        let session = load(&engine);
        let ids: Vec<String> = std::thread::scope(|scope| {
            let asking = [(); 4].map(|()| scope.spawn(|| session.id()));
            asking.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        session.insert("n", 1).unwrap();
        assert!(block_on(engine.commit(&session)).unwrap().is_some());
        assert_eq!(block_on(store.get(&ids[0])).unwrap().unwrap().get("n").unwrap(), Some(1));
    }
}

/// Either the end stores what a handle has put in, or the handle is told that it came too late.
#[test]
fn a_change_that_races_with_the_end_is_stored_or_an_error() {
    let store = MemoryStore::new();
    let engine = engine(&store, SessionOptions::new());
    for _ in 0..500 {
        let session = load(&engine);
        let (changed, line) = std::thread::scope(|scope| {
            let changing = scope.spawn(|| session.insert("n", 1));
            let line = block_on(engine.commit(&session)).unwrap();
            (changing.join().unwrap(), line)
        });
        let stored = block_on(store.get(&session.id())).unwrap();
        assert_eq!(changed.is_ok(), stored.is_some());
        assert_eq!(changed.is_ok(), line.is_some());
    }
}

#[test]
fn a_session_that_is_stored_in_any_case_is_stored_unasked() {
    let store = MemoryStore::new();
    let engine = engine(&store, SessionOptions::new().with_save_uninitialized(true));
    let session = load(&engine);
    assert!(block_on(engine.commit(&session)).unwrap().is_some());
    assert!(block_on(store.get(&session.id())).unwrap().is_some());
}
