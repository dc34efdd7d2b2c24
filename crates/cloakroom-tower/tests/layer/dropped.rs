//! A request, or a part of it, that is dropped while a new session is stored.

use cloakroom_core::{Enumerate, Store};
use futures::{FutureExt, TryStreamExt, executor::block_on};

use crate::{
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
                drive(async {
                    if keeps {
                        session.regenerate_keeping_data().await.unwrap();
                    } else {
                        session.regenerate().await.unwrap();
                    }
                });
                session.insert("user", "ann").unwrap();
                let mut save = Box::pin(session.save());
                for _ in 0..turns {
                    next_turn();
                    if (&mut save).now_or_never().is_some() {
                        break;
                    }
                }
                drop(save);
                let answer = drive(end(&engine, &session));
                let text = format!("{has_atomic} {keeps} {turns} {answer:?}");
                let line = answer.ok().and_then(|(_, line)| line).expect(&text);
                let sid = line["connect.sid=s%3A".len()..].split('.').next().unwrap();
                let ids: Vec<String> = block_on(steps.memory.ids().try_collect()).unwrap();
                assert_eq!(ids, [sid], "{text}");
                let record = block_on(steps.memory.get(sid)).unwrap().unwrap();
                assert_eq!(record.get::<String>("user").unwrap().as_deref(), Some("ann"), "{text}");
                assert_eq!(record.contains("cart"), keeps, "{text}");
            }
        }
    }
}
