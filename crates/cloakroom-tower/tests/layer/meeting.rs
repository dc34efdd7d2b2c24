//! Requests that meet, and handles on one request: no change is lost, and what was destroyed stays so.

use cloakroom_core::{Enumerate, SessionData, Store};
use cloakroom_tower::RequestHead;
use futures::executor::block_on;
use http::Request;

use crate::bench::{Bench, SID, with_time};

#[test]
fn two_requests_keep_each_others_members() {
    let bench = Bench::new(r#"{"cookie":{},"a":1,"b":1,"c":1}"#);
    let (first, second) = (bench.load(), bench.load());
    first.insert("a", 2).unwrap();
    first.remove::<i32>("c").unwrap();
    second.insert("b", 2).unwrap();
    bench.commit(&first);
    bench.commit(&second);
    assert_eq!(bench.record().unwrap().to_json(), r#"{"cookie":{},"a":2,"b":2}"#);
}

/// `delete` and an assignment, in JavaScript.
#[test]
fn a_member_that_was_removed_and_set_again_comes_last_whoever_it_meets() {
    let bench = Bench::new(r#"{"cookie":{},"a":1,"b":1}"#);
    let (first, second) = (bench.load(), bench.load());
    first.remove::<i32>("a").unwrap();
    first.insert("a", 1).unwrap();
    second.insert("c", 1).unwrap();
    bench.commit(&second);
    bench.commit(&first);
    assert_eq!(bench.record().unwrap().to_json(), r#"{"cookie":{},"b":1,"c":1,"a":1}"#);

    let (first, second) = (bench.load(), bench.load());
    first.remove::<i32>("b").unwrap();
    first.modify("b", |b: Option<i32>| b.unwrap_or(5)).unwrap();
    second.insert("d", 1).unwrap();
    bench.commit(&second);
    bench.commit(&first);
    assert_eq!(bench.record().unwrap().to_json(), r#"{"cookie":{},"c":1,"a":1,"d":1,"b":5}"#);
}

#[test]
fn a_member_that_is_set_again_while_a_save_is_under_way_comes_last() {
    for changed_before in [false, true] {
        let bench = Bench::new(r#"{"cookie":{},"a":1,"b":1}"#);
        let session = bench.load();
        session.insert("c", 1).unwrap();
        if changed_before {
            session.insert("a", 2).unwrap();
            session.insert("a", 3).unwrap();
        }
        bench.store.hang();
        let change = async {
            let a = session.remove::<i32>("a").unwrap();
            session.insert("a", a).unwrap();
            bench.store.go_on();
        };
        with_time(async {
            let (saved, ()) = futures::join!(session.save(), change);
            saved.unwrap();
        });
        bench.commit(&session);
        let a = if changed_before { 3 } else { 1 };
        let stored = format!(r#"{{"cookie":{{}},"b":1,"c":1,"a":{a}}}"#);
        assert_eq!(bench.record().unwrap().to_json(), stored);
    }
}

#[test]
fn what_node_writes_in_between_is_kept() {
    let bench = Bench::new(r#"{"cookie":{},"a":1}"#);
    let session = bench.load();
    session.insert("rust", true).unwrap();
    // Express knows nothing of revisions: it sets the text.
    let theirs = SessionData::from_json(r#"{"cookie":{},"a":1,"node":true}"#).unwrap();
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
    session.remove::<i32>("c").unwrap();
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
    assert_eq!(block_on(bench.store.memory().length()).unwrap(), 2, "with the one that was there");
}

/// Two handles of one request, such as in a `join!`.
#[test]
fn a_new_id_is_not_undone_by_a_save_that_was_under_way() {
    let bench = Bench::new(r#"{"cookie":{},"a":1}"#);
    let session = bench.load();
    session.insert("a", 2).unwrap();
    bench.store.hang();
    with_time(async {
        let login = async {
            session.regenerate().await.unwrap();
            session.insert("user", "ann").unwrap();
        };
        let go_on = async { bench.store.go_on() };
        let (saved, (), ()) = futures::join!(session.save(), login, go_on);
        assert!(saved.unwrap());
    });
    assert_ne!(session.id(), SID);
    bench.commit(&session).expect("the new id is told");
    assert!(bench.record().is_none());
}

#[test]
fn a_reload_brings_no_session_back_that_was_destroyed_meanwhile() {
    let bench = Bench::new(r#"{"cookie":{},"a":1}"#);
    let session = bench.load();
    bench.store.hang();
    with_time(async {
        let go_on = async { bench.store.go_on() };
        let (reloaded, destroyed, ()) = futures::join!(session.reload(), session.destroy(), go_on);
        assert!(reloaded.unwrap());
        destroyed.unwrap();
    });
    assert!(session.insert("a", 2).is_err());
    bench.commit(&session);
    assert!(bench.record().is_none());
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
