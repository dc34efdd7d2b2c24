//! Requests that meet: no change is lost, and what was destroyed stays so.

use std::collections::BTreeMap;

use cloakroom_core::{Clock, Secrets, Session as Record, Store};
use cloakroom_tower::{RequestHead, Session, SessionEngine, SessionOptions};
use futures::executor::block_on;
use http::Request;
use proptest::prelude::*;

use crate::{log::Log, site::NOW};

const SID: &str = "abc";

struct Bench {
    store: Log,
    engine: SessionEngine,
}

impl Bench {
    fn new(record: &str) -> Self {
        let clock = Clock::fixed(NOW);
        let store = Log::new(&clock);
        let mut options = SessionOptions::new();
        options.clock = clock;
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        let engine = SessionEngine::with_options(store.clone(), secrets, options).unwrap();
        block_on(store.memory().set(SID, &Record::from_json(record).unwrap())).unwrap();
        Self { store, engine }
    }

    fn load(&self) -> Session {
        let cookie = Secrets::new(["keyboard cat"]).unwrap().cookie_value(SID);
        let request =
            Request::get("/").header("cookie", format!("connect.sid={cookie}")).body(()).unwrap();
        block_on(self.engine.load(RequestHead::from(&request))).unwrap().unwrap()
    }

    fn commit(&self, session: &Session) -> Option<http::HeaderValue> {
        block_on(self.engine.commit(session)).unwrap()
    }

    fn record(&self) -> Option<Record> {
        block_on(self.store.memory().get(SID)).unwrap()
    }
}

/// Runs what has to wait, for which deadlines need a timer.
fn with_time(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work);
}

#[test]
fn two_requests_keep_each_others_members() {
    let bench = Bench::new(r#"{"cookie":{},"a":1,"b":1,"c":1}"#);
    let (first, second) = (bench.load(), bench.load());
    first.insert("a", 2).unwrap();
    first.remove("c").unwrap();
    second.insert("b", 2).unwrap();
    bench.commit(&first);
    bench.commit(&second);
    assert_eq!(bench.record().unwrap().to_json(), r#"{"cookie":{},"a":2,"b":2}"#);
}

#[test]
fn what_node_writes_in_between_is_kept() {
    let bench = Bench::new(r#"{"cookie":{},"a":1}"#);
    let session = bench.load();
    session.insert("rust", true).unwrap();
    // Express knows nothing of revisions: it sets the text.
    let theirs = Record::from_json(r#"{"cookie":{},"a":1,"node":true}"#).unwrap();
    block_on(bench.store.memory().set(SID, &theirs)).unwrap();
    bench.commit(&session);
    assert_eq!(bench.record().unwrap().to_json(), r#"{"cookie":{},"a":1,"node":true,"rust":true}"#);
}

#[test]
fn a_request_that_outlives_a_logout_brings_nothing_back_and_leaves_the_browser_alone() {
    let bench = Bench::new(r#"{"cookie":{},"a":1}"#);
    let (slow, logout) = (bench.load(), bench.load());
    slow.insert("a", 2).unwrap();
    block_on(logout.destroy()).unwrap();
    let cleared = bench.commit(&logout).unwrap();
    assert!(cleared.to_str().unwrap().starts_with("connect.sid=; "), "{cleared:?}");
    assert_eq!(bench.commit(&slow), None);
    assert!(bench.record().is_none());
}

#[test]
fn a_reader_that_outlives_a_logout_brings_nothing_back() {
    let bench = Bench::new(r#"{"cookie":{},"a":1}"#);
    let (slow, logout) = (bench.load(), bench.load());
    block_on(logout.destroy()).unwrap();
    bench.commit(&logout);
    assert_eq!(bench.commit(&slow), None);
    assert!(bench.record().is_none());
}

#[test]
fn a_change_made_while_a_save_is_under_way_is_not_lost() {
    let bench = Bench::new(r#"{"cookie":{},"a":1,"b":1,"c":1}"#);
    let session = bench.load();
    session.insert("a", 2).unwrap();
    session.remove("c").unwrap();
    // The store answers when the changes are made.
    bench.store.hang();
    let change = async {
        session.insert("b", 2).unwrap();
        session.insert("c", 1).unwrap();
        let mut cookie = session.cookie();
        cookie.set_priority(Some("high"));
        session.set_cookie(cookie).unwrap();
        bench.store.go_on();
    };
    with_time(async {
        let (saved, ()) = futures::join!(session.save(), change);
        saved.unwrap();
    });
    bench.commit(&session);
    let stored = r#"{"cookie":{"priority":"high"},"a":2,"b":2,"c":1}"#;
    assert_eq!(bench.record().unwrap().to_json(), stored);
}

#[test]
fn two_handles_that_save_a_new_session_store_it_once() {
    let bench = Bench::new(r#"{"cookie":{}}"#);
    let request = Request::new(());
    let session = block_on(bench.engine.load(RequestHead::from(&request))).unwrap().unwrap();
    session.insert("n", 1).unwrap();
    let other = session.clone();
    // The store answers when both have asked.
    bench.store.hang();
    with_time(async {
        let both = async { futures::join!(session.save(), other.save()) };
        let go_on = async { bench.store.go_on() };
        let ((first, second), ()) = futures::join!(both, go_on);
        assert!(first.unwrap() && second.unwrap());
    });
    use cloakroom_core::Enumerate;
    assert_eq!(block_on(bench.store.memory().length()).unwrap(), 2, "with the one that was there");
}

fn count(session: &Session) -> u32 {
    session.modify("count", |count: Option<u32>| count.unwrap_or_default() + 1).unwrap()
}

#[test]
fn requests_that_count_at_the_same_time_count_right() {
    let bench = Bench::new(r#"{"cookie":{},"count":5}"#);
    let requests: Vec<Session> = (0..10).map(|_| bench.load()).collect();
    for session in &requests {
        assert_eq!((count(session), count(session)), (6, 7));
    }
    for session in &requests {
        bench.commit(session);
    }
    assert_eq!(bench.record().unwrap().get::<u32>("count").unwrap(), Some(25));
}

#[test]
fn the_first_ones_to_count_count_right_too() {
    let bench = Bench::new(r#"{"cookie":{}}"#);
    let (first, second) = (bench.load(), bench.load());
    assert_eq!((count(&first), count(&second)), (1, 1));
    bench.commit(&first);
    bench.commit(&second);
    assert_eq!(bench.record().unwrap().get::<u32>("count").unwrap(), Some(2));
}

#[test]
fn what_is_counted_while_a_save_is_under_way_is_counted_once() {
    let bench = Bench::new(r#"{"cookie":{},"count":0}"#);
    let (session, other) = (bench.load(), bench.load());
    count(&session);
    bench.store.hang();
    let during = async {
        count(&session);
        bench.store.go_on();
    };
    with_time(async {
        let (saved, ()) = futures::join!(session.save(), during);
        saved.unwrap();
    });
    assert_eq!(bench.record().unwrap().get::<u32>("count").unwrap(), Some(1));
    count(&other);
    bench.commit(&other);
    bench.commit(&session);
    assert_eq!(bench.record().unwrap().get::<u32>("count").unwrap(), Some(3));
}

#[test]
fn a_change_that_changes_the_member_itself_is_made_anew() {
    let bench = Bench::new(r#"{"cookie":{},"count":1}"#);
    let session = bench.load();
    let (inner, is_first) = (session.clone(), std::sync::atomic::AtomicBool::new(true));
    let change = move |count: Option<u32>| {
        if is_first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            inner.insert("count", 10).unwrap();
        }
        count.unwrap_or_default() + 1
    };
    assert_eq!(session.modify("count", change).unwrap(), 11);
    assert_eq!(session.get::<u32>("count").unwrap(), Some(11));
}

/// Such as a handle that a task has kept, and that saves when the handler is done.
#[test]
fn the_end_of_a_request_waits_for_a_save() {
    let bench = Bench::new(r#"{"cookie":{}}"#);
    let request = Request::new(());
    let session = block_on(bench.engine.load(RequestHead::from(&request))).unwrap().unwrap();
    session.insert("n", 1).unwrap();
    bench.store.hang();
    with_time(async {
        let go_on = async { bench.store.go_on() };
        let both = async { futures::join!(session.save(), bench.engine.commit(&session)) };
        let ((saved, line), ()) = futures::join!(both, go_on);
        assert!(saved.unwrap());
        let id = session.id();
        assert!(line.unwrap().unwrap().to_str().unwrap().contains(&format!("s%3A{id}.")));
        assert!(bench.store.memory().get(&id).await.unwrap().is_some());
    });
    assert_eq!(bench.store.calls(), ["create"]);
}

#[test]
fn a_value_that_was_set_after_it_was_counted_is_the_value() {
    let bench = Bench::new(r#"{"cookie":{},"a":1,"b":1}"#);
    let (first, second) = (bench.load(), bench.load());
    for session in [&first, &second] {
        for name in ["a", "b"] {
            session.modify(name, |count: Option<u32>| count.unwrap_or_default() + 1).unwrap();
        }
    }
    first.insert("a", 100).unwrap();
    first.remove("b").unwrap();
    bench.commit(&second);
    bench.commit(&first);
    assert_eq!(bench.record().unwrap().to_json(), r#"{"cookie":{},"a":100}"#);
}

#[test]
fn a_count_that_another_request_has_made_a_text_of_is_an_error_and_not_lost_in_silence() {
    let bench = Bench::new(r#"{"cookie":{},"count":5}"#);
    let (first, second) = (bench.load(), bench.load());
    count(&first);
    second.insert("count", "many").unwrap();
    bench.commit(&second);
    let error = block_on(bench.engine.commit(&first)).unwrap_err();
    assert_eq!(error.kind(), cloakroom_core::ErrorKind::InvalidData);
    assert!(error.to_string().contains("\"count\"") && !error.to_string().contains("many"));
    assert!(second.modify("count", |count: Option<u32>| count.unwrap_or_default()).is_err());
}

/// The members of a session.
type Members = BTreeMap<u8, u8>;

/// What a request does to one member, by its name.
type Changes = BTreeMap<u8, Option<u8>>;

/// A step in a history of requests that meet.
#[derive(Clone, Debug)]
enum Step {
    Load,
    /// One of the open requests changes members.
    Change(usize, Changes),
    /// One of them counts.
    Count(usize),
    Save(usize),
    Commit(usize),
    Destroy(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let changes = prop::collection::btree_map(0..4_u8, prop::option::of(0..10_u8), 1..3);
    let step = prop_oneof![
        3 => Just(Step::Load),
        4 => (0..4_usize, changes).prop_map(|(at, changes)| Step::Change(at, changes)),
        2 => (0..4_usize).prop_map(Step::Count),
        1 => (0..4_usize).prop_map(Step::Save),
        3 => (0..4_usize).prop_map(Step::Commit),
        1 => (0..4_usize).prop_map(Step::Destroy),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    /// The model is a map, to which each request's own changes are applied when it writes; once destroyed, it is gone.
    #[test]
    fn any_requests_that_meet_lose_nothing_and_revive_nothing(steps in steps()) {
        let bench = Bench::new(r#"{"cookie":{},"count":0}"#);
        // What is counted in the store, and by each open request since it was last in step with the store.
        let mut counted = 0;
        let mut counting: Vec<u32> = Vec::new();
        let mut stored: Option<Members> = Some(BTreeMap::new());
        // A request, what it sees, and what it saw when it was last in step with the store.
        let mut open: Vec<(Session, Members, Members)> = Vec::new();
        let write = |stored: &mut Option<Members>, now: &Members, was: &Members| {
            if let Some(stored) = stored {
                for name in 0..4 {
                    match (now.get(&name), was.get(&name)) {
                        (now, was) if now == was => {}
                        (Some(value), _) => drop(stored.insert(name, *value)),
                        (None, _) => drop(stored.remove(&name)),
                    }
                }
            }
        };
        for step in steps {
            match step {
                Step::Load => {
                    if let Some(stored) = &stored {
                        open.push((bench.load(), stored.clone(), stored.clone()));
                        counting.push(0);
                    }
                }
                Step::Change(at, changes) => {
                    if let Some((session, now, _)) = open.get_mut(at) {
                        for (name, value) in changes {
                            match value {
                                Some(value) => {
                                    session.insert(&name.to_string(), value).unwrap();
                                    now.insert(name, value);
                                }
                                None => {
                                    session.remove(&name.to_string()).unwrap();
                                    now.remove(&name);
                                }
                            }
                        }
                    }
                }
                Step::Count(at) => {
                    if let Some((session, _, _)) = open.get(at) {
                        count(session);
                        counting[at] += 1;
                    }
                }
                Step::Save(at) => {
                    if let Some((session, now, was)) = open.get_mut(at) {
                        prop_assert_eq!(block_on(session.save()).unwrap(), stored.is_some());
                        write(&mut stored, now, was);
                        if let Some(stored) = &stored {
                            (*now, *was) = (stored.clone(), stored.clone());
                            counted += std::mem::take(&mut counting[at]);
                        }
                    }
                }
                Step::Commit(at) => {
                    if at < open.len() {
                        let (session, now, was) = open.remove(at);
                        bench.commit(&session);
                        write(&mut stored, &now, &was);
                        counted += counting.remove(at);
                    }
                }
                Step::Destroy(at) => {
                    if at < open.len() {
                        let (session, _, _) = open.remove(at);
                        counting.remove(at);
                        block_on(session.destroy()).unwrap();
                        bench.commit(&session);
                        stored = None;
                    }
                }
            }
            let record = bench.record();
            prop_assert_eq!(record.is_some(), stored.is_some());
            if let (Some(record), Some(stored)) = (record, &stored) {
                prop_assert_eq!(record.get::<u32>("count").unwrap(), Some(counted));
                let members: Members = record
                    .iter()
                    .filter(|member| member.name() != "count")
                    .map(|member| (member.name().parse().unwrap(), member.value().unwrap()))
                    .collect();
                prop_assert_eq!(&members, stored);
            }
        }
    }
}
