//! A request, or a part of it, that is dropped while a new session is stored.

use std::sync::atomic::Ordering;

use cloakroom_core::{Enumerate, Store};
use cloakroom_tower::Session;
use futures::{FutureExt, TryStreamExt, executor::block_on};
use http::StatusCode;

use crate::{
    counting::count,
    orders::{Login, drive, end, engine, load, login, store},
    steps::next_turn,
};

/// The browser has closed the connection, such as when its user has clicked twice.
#[test]
fn a_login_that_is_dropped_is_stored_completely_or_not_at_all() {
    // Deadlines need a timer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    for (has_atomic, how) in [
        (true, Login::Keeping),
        (true, Login::Fresh),
        (false, Login::Keeping),
        (false, Login::Fresh),
    ] {
        let (mut turns, mut undone, mut is_done) = (0, 0, false);
        while !is_done {
            let steps = store(has_atomic);
            let engine = engine(&steps);
            let session = drive(load(&engine, "a"));
            let mut work = Box::pin(login(&engine, session, how));
            for _ in 0..turns {
                next_turn();
                is_done = (&mut work).now_or_never().is_some();
            }
            drop(work);
            turns += 1;
            let is_old_there = block_on(steps.memory.get("a")).unwrap().is_some();
            // The browser goes on with the cookie that it has.
            let next = drive(load(&engine, "a"));
            next.insert("n", 1).unwrap();
            drive(end(&engine, &next)).unwrap();
            let ids: Vec<String> = block_on(steps.memory.ids().try_collect()).unwrap();
            if is_old_there {
                assert_eq!(ids, ["a"], "{has_atomic} {how:?} {turns}");
                let record = block_on(steps.memory.get("a")).unwrap().unwrap();
                assert!(record.contains("n") && record.contains("cart"));
                undone += 1;
            } else {
                assert!(ids.len() <= 1, "{has_atomic} {how:?} {turns}");
            }
        }
        assert!(undone > 2 && undone < turns, "{undone} of {turns}");
    }
}

/// The handler goes on, such as when it gives the store a time of its own.
#[test]
fn what_a_save_that_was_dropped_has_left_is_written_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    for has_atomic in [true, false] {
        for keeps in [true, false] {
            for turns in 0..9 {
                let steps = store(has_atomic);
                let engine = engine(&steps);
                let session = drive(load(&engine, "a"));
                new_id(&session, keeps);
                session.insert("user", "ann").unwrap();
                count(&session);
                drop_save_after(turns, &session);
                let answer = drive(end(&engine, &session));
                let text = format!("{has_atomic} {keeps} {turns} {answer:?}");
                let line = answer.ok().and_then(|(_, line)| line).expect(&text);
                let sid = line["connect.sid=s%3A".len()..].split('.').next().unwrap();
                let ids: Vec<String> = block_on(steps.memory.ids().try_collect()).unwrap();
                assert_eq!(ids, [sid], "{text}");
                let record = block_on(steps.memory.get(sid)).unwrap().unwrap();
                assert_eq!(record.get::<String>("user").unwrap().as_deref(), Some("ann"), "{text}");
                assert_eq!(record.contains("cart"), keeps, "{text}");
                assert_eq!(record.get::<u8>("count").unwrap(), Some(1), "{text}");
            }
        }
    }
}

fn new_id(session: &Session, keeps: bool) {
    drive(async {
        if keeps { session.regenerate_keeping_data().await } else { session.regenerate().await }
    })
    .unwrap();
}

fn drop_save_after(turns: usize, session: &Session) {
    let mut save = Box::pin(session.save());
    for _ in 0..turns {
        next_turn();
        if (&mut save).now_or_never().is_some() {
            break;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Then {
    IsDropped,
    Fails,
    Regenerates,
    RollsBack,
    Destroys,
    Unsets,
}

/// The handler ends the request in another way. The browser has one session then, or none if it has logged out.
#[test]
fn a_save_that_was_dropped_leaves_no_second_session_and_ends_none() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    for (has_atomic, keeps) in [(true, true), (true, false), (false, true), (false, false)] {
        for then in [
            Then::IsDropped,
            Then::Fails,
            Then::Regenerates,
            Then::RollsBack,
            Then::Destroys,
            Then::Unsets,
        ] {
            for turns in 0..9 {
                let text = format!("{has_atomic} {keeps} {then:?} {turns}");
                let steps = store(has_atomic);
                let engine = engine(&steps);
                let session = drive(load(&engine, "a"));
                new_id(&session, keeps);
                session.insert("user", "ann").unwrap();
                drop_save_after(turns, &session);
                let is_old_there = block_on(steps.memory.get("a")).unwrap().is_some();
                let mut status = StatusCode::OK;
                match then {
                    Then::IsDropped => {}
                    Then::Fails => status = StatusCode::INTERNAL_SERVER_ERROR,
                    Then::Regenerates => drive(session.regenerate()).unwrap(),
                    Then::RollsBack => drive(session.rollback()).unwrap(),
                    Then::Destroys => drive(session.destroy()).unwrap(),
                    Then::Unsets => session.unset().unwrap(),
                }
                let line = match then {
                    Then::IsDropped => None,
                    _ => drive(engine.commit_with_status(&session, status)).expect(&text),
                };
                drop(session);
                let line = line.map(|line| line.to_str().unwrap().to_owned());
                // The browser goes on with the cookie that it has.
                let sid = match &line {
                    Some(line) => line.strip_prefix("connect.sid=s%3A"),
                    None => Some("a."),
                };
                let sid = sid.map(|sid| sid.split('.').next().unwrap());
                if let Some(sid) = sid {
                    let next = drive(load(&engine, sid));
                    next.insert("n", 1).unwrap();
                    drive(end(&engine, &next)).unwrap();
                }
                let ids: Vec<String> = block_on(steps.memory.ids().try_collect()).unwrap();
                match then {
                    // Nobody has the cookie of a session that was stored completely.
                    Then::IsDropped if !is_old_there => assert!(ids.len() <= 1, "{text} {ids:?}"),
                    Then::Destroys | Then::Unsets => assert!(ids.is_empty(), "{text} {ids:?}"),
                    _ => assert_eq!(
                        ids.iter().map(|id| &**id).collect::<Vec<_>>(),
                        [sid.unwrap()],
                        "{text}"
                    ),
                }
            }
        }
    }
}

/// The browser keeps its cookie. A `save` before that has stored the old session, and not the new one.
#[test]
fn a_login_without_an_answer_leaves_no_second_session() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    for has_saved in [false, true] {
        for keeps in [false, true] {
            let steps = store(true);
            let engine = engine(&steps);
            let session = drive(load(&engine, "a"));
            if has_saved {
                session.insert("n", 0).unwrap();
                assert!(drive(session.save()).unwrap());
            }
            new_id(&session, keeps);
            session.insert("user", "ann").unwrap();
            steps.loses_answers.store(true, Ordering::Relaxed);
            drive(end(&engine, &session)).unwrap_err();
            steps.loses_answers.store(false, Ordering::Relaxed);
            drop(session);
            let next = drive(load(&engine, "a"));
            next.insert("n", 1).unwrap();
            drive(end(&engine, &next)).unwrap();
            let ids: Vec<String> = block_on(steps.memory.ids().try_collect()).unwrap();
            assert_eq!(ids, ["a"], "{has_saved} {keeps}");
        }
    }
}
