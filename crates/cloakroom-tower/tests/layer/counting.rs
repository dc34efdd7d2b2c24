//! `modify`: requests that count at the same time count right.

use cloakroom_tower::Session;
use futures::executor::block_on;

use crate::bench::{Bench, SID, with_time};

pub(crate) fn count(session: &Session) -> u32 {
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

#[test]
fn what_was_set_before_it_was_counted_is_what_is_counted_from() {
    let bench = Bench::new(r#"{"cookie":{},"a":5,"b":5,"c":5}"#);
    let (first, second) = (bench.load(), bench.load());
    let add = |session: &Session, name: &str| {
        session.modify(name, |count: Option<u32>| count.unwrap_or_default() + 1).unwrap()
    };
    first.insert("a", 100).unwrap();
    assert_eq!((add(&first, "a"), add(&first, "a")), (101, 102));
    first.remove::<u32>("b").unwrap();
    assert_eq!(add(&first, "b"), 1);
    assert_eq!(add(&first, "c"), 6);
    for name in ["a", "b", "c"] {
        second.insert(name, 50).unwrap();
    }
    bench.commit(&second);
    bench.commit(&first);
    let record = bench.record().unwrap();
    let counts = ["a", "b", "c"].map(|name| record.get::<u32>(name).unwrap());
    assert_eq!(counts, [Some(102), Some(1), Some(51)]);
}

/// It would wait for itself for ever if it were called with the session locked.
#[test]
fn what_is_called_back_can_use_the_session() {
    struct Asks(Session);
    impl serde::Serialize for Asks {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&self.0.id())
        }
    }
    let bench = Bench::new(r#"{"cookie":{},"count":0}"#);
    let session = bench.load();
    session.insert("asked", Asks(session.clone())).unwrap();
    assert_eq!(session.get::<String>("asked").unwrap().as_deref(), Some(SID));
    let asking = session.clone();
    let change = move |count: Option<u32>| {
        assert_eq!(asking.id(), SID);
        count.unwrap_or_default() + 1
    };
    bench.store.hang();
    let during = async {
        session.modify("count", change).unwrap();
        bench.store.go_on();
    };
    with_time(async {
        let (saved, ()) = futures::join!(session.save(), during);
        assert!(saved.unwrap());
    });
    bench.commit(&session);
    assert_eq!(bench.record().unwrap().get::<u32>("count").unwrap(), Some(1));
    let endless = bench.load();
    let inner = endless.clone();
    let error = endless.modify("count", move |count: Option<u32>| {
        let count = count.unwrap_or_default() + 1;
        inner.insert("count", count).unwrap();
        count
    });
    assert!(error.unwrap_err().to_string().contains("the closure changes the session"));
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
    first.remove::<i32>("b").unwrap();
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

/// It is called again when the save is done, for what the record has become.
#[test]
fn what_a_change_changes_besides_is_kept() {
    let bench = Bench::new(r#"{"cookie":{},"count":0}"#);
    let session = bench.load();
    let inner = session.clone();
    let change = move |count: Option<u32>| {
        let count = count.unwrap_or_default() + 1;
        if inner.get::<u32>("calls").unwrap() != Some(2) {
            let calls = inner.get::<u32>("calls").unwrap().unwrap_or_default();
            inner.insert("calls", calls + 1).unwrap();
        }
        count
    };
    bench.store.hang();
    let during = async {
        session.modify("count", change).unwrap();
        bench.store.go_on();
    };
    with_time(async {
        let (saved, ()) = futures::join!(session.save(), during);
        saved.unwrap();
    });
    assert_eq!(session.get::<u32>("calls").unwrap(), Some(2));
    bench.commit(&session);
    let record = bench.record().unwrap();
    assert_eq!(record.get::<u32>("calls").unwrap(), Some(2));
    assert_eq!(record.get::<u32>("count").unwrap(), Some(1));
}
