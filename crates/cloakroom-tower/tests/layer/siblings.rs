//! Two logins from one session, as with a double click: a logout of one ends the other.

use std::time::Duration;

use cloakroom_core::{Enumerate, ErrorKind, marker_name};
use cloakroom_tower::Session;
use futures::executor::block_on;

use crate::{
    orders::{Answer, Login, behind, drive, engine, is_empty, load, login, logout, store},
    site::Site,
    steps::{Request, in_every_order},
};

const HOUR_MS: i64 = 3_600_000;

#[test]
fn a_logout_of_one_of_two_logins_ends_the_other() {
    for (has_atomic, how) in every_way() {
        for logged_out in [0, 1] {
            let orders = in_every_order(
                2,
                || {
                    let steps = store(has_atomic);
                    let engine = engine(&steps);
                    let requests = (0..2).map(|_| {
                        let engine = engine.clone();
                        let session = drive(load(&engine, "a"));
                        let login = async move { login(&engine, session, how).await };
                        Box::pin(login) as Request<Answer>
                    });
                    let requests = requests.collect();
                    (steps, requests)
                },
                |steps, answers| {
                    for answer in &answers {
                        let (user, _) = behind(steps, answer).expect("a session behind the cookie");
                        assert_eq!(user.as_deref(), Some("ann"));
                    }
                    // By another process.
                    let engine = engine(steps);
                    let sid = &answers[logged_out].as_ref().unwrap().0;
                    let ends = async { logout(&engine, load(&engine, sid).await).await };
                    drive(ends).unwrap();
                    assert!(is_empty(steps), "{has_atomic} {how:?} {answers:?}");
                },
            );
            assert!(orders > 30, "{orders}");
        }
    }
}

/// The browser logs out of the login whose answer came first, while the other one is on its way.
#[test]
fn a_logout_that_meets_the_other_login_leaves_nothing_behind() {
    for (has_atomic, how) in every_way() {
        let orders = in_every_order(
            2,
            || {
                let steps = store(has_atomic);
                let engine = engine(&steps);
                let engines = (engine.clone(), engine);
                let session = drive(load(&engines.0, "a"));
                let both = async move {
                    let (sid, _) = login(&engines.0, session, how).await?;
                    let session = load(&engines.0, &sid).await;
                    logout(&engines.0, session).await
                };
                let session = drive(load(&engines.1, "a"));
                let other = async move { login(&engines.1, session, how).await };
                (steps, vec![Box::pin(both) as Request<Answer>, Box::pin(other)])
            },
            |steps, answers| {
                assert!(answers[0].is_ok(), "{answers:?}");
                assert!(is_empty(steps), "{has_atomic} {how:?} {answers:?}");
            },
        );
        assert!(orders > 50, "{orders}");
    }
}

/// The first login moves on, such as when the user proves who they are once more, while the second one is on its way.
#[test]
fn a_login_that_moves_on_ends_with_the_other() {
    for has_atomic in [true, false] {
        for logged_out in [0, 1] {
            let orders = in_every_order(
                2,
                || {
                    let steps = store(has_atomic);
                    let engine = engine(&steps);
                    let engines = (engine.clone(), engine);
                    let session = drive(load(&engines.0, "a"));
                    let twice = async move {
                        let (sid, _) = login(&engines.0, session, Login::Keeping).await?;
                        let session = load(&engines.0, &sid).await;
                        login(&engines.0, session, Login::Fresh).await
                    };
                    let session = drive(load(&engines.1, "a"));
                    let once = async move { login(&engines.1, session, Login::Keeping).await };
                    (steps, vec![Box::pin(twice) as Request<Answer>, Box::pin(once)])
                },
                |steps, answers| {
                    let engine = engine(steps);
                    let sid = &answers[logged_out].as_ref().unwrap().0;
                    let ends = async { logout(&engine, load(&engine, sid).await).await };
                    drive(ends).unwrap();
                    assert!(is_empty(steps), "{has_atomic} {answers:?}");
                },
            );
            assert!(orders > 50, "{orders}");
        }
    }
}

/// Both of two logins that are linked move on at once.
#[test]
fn logins_that_both_move_on_still_end_together() {
    for has_atomic in [true, false] {
        for logged_out in [0, 1] {
            let orders = in_every_order(
                2,
                || {
                    let steps = store(has_atomic);
                    let engine = engine(&steps);
                    let sessions = [drive(load(&engine, "a")), drive(load(&engine, "a"))];
                    let requests = sessions.map(|session| {
                        let (sid, _) = drive(login(&engine, session, Login::Keeping)).unwrap();
                        let session = drive(load(&engine, &sid));
                        let engine = engine.clone();
                        let moves = async move { login(&engine, session, Login::Keeping).await };
                        Box::pin(moves) as Request<Answer>
                    });
                    (steps, requests.into())
                },
                |steps, answers| {
                    let engine = engine(steps);
                    let sid = &answers[logged_out].as_ref().unwrap().0;
                    let ends = async { logout(&engine, load(&engine, sid).await).await };
                    drive(ends).unwrap();
                    assert!(is_empty(steps), "{has_atomic} {answers:?}");
                },
            );
            assert!(orders > 50, "{orders}");
        }
    }
}

#[test]
fn three_logins_end_together() {
    for has_atomic in [true, false] {
        let orders = in_every_order(
            1,
            || {
                let steps = store(has_atomic);
                let engine = engine(&steps);
                let logins = [Login::Keeping, Login::Fresh, Login::SavedByHand].map(|how| {
                    let engine = engine.clone();
                    let session = drive(load(&engine, "a"));
                    Box::pin(async move { login(&engine, session, how).await }) as Request<Answer>
                });
                (steps, logins.into())
            },
            |steps, answers| {
                let engine = engine(steps);
                let sid = &answers[1].as_ref().unwrap().0;
                let ends = async { logout(&engine, load(&engine, sid).await).await };
                drive(ends).unwrap();
                assert!(is_empty(steps), "{has_atomic} {answers:?}");
            },
        );
        assert!(orders > 100, "{orders}");
    }
}

fn every_way() -> impl Iterator<Item = (bool, Login)> {
    let ways = [Login::Keeping, Login::Fresh, Login::SavedByHand];
    [true, false].into_iter().flat_map(move |has_atomic| ways.map(|how| (has_atomic, how)))
}

/// A site whose browser has logged in twice at once, and the id that it has not kept.
async fn logged_in_twice(site: &Site) -> String {
    site.write("cart", 1).await;
    let cookie = site.cookie.lock().unwrap().clone().unwrap();
    let load = async || {
        let request = http::Request::get("/").header("cookie", &*cookie).body(()).unwrap();
        site.layer.engine().load((&request).into()).await.unwrap().unwrap()
    };
    let (first, second) = (load().await, load().await);
    for session in [&first, &second] {
        session.regenerate_keeping_data().await.unwrap();
        session.insert("user", 7).unwrap();
        let line = site.layer.engine().commit(session).await.unwrap().unwrap();
        let pair = line.to_str().unwrap().split(';').next().unwrap().to_owned();
        *site.cookie.lock().unwrap() = Some(pair);
    }
    assert_eq!(site.store.memory().length().await.unwrap(), 2);
    first.id()
}

/// The user stays for hours, and the session lives on with each visit.
#[tokio::test]
async fn a_logout_hours_later_ends_the_other_login_too() {
    for max_age in [None, Some(std::time::Duration::from_secs(5 * 3_600))] {
        for moves_on in [false, true] {
            let site = Site::with(|options| options.cookie.max_age = max_age);
            let other = logged_in_twice(&site).await;
            for _ in 0..4 {
                site.clock.advance(HOUR_MS);
                site.read().await;
                if moves_on {
                    site.visit(async |session: Session| session.regenerate_keeping_data().await)
                        .await;
                }
            }
            assert!(site.record(&other).await.is_some());
            site.visit(async |session: Session| session.destroy().await).await;
            assert!(site.record(&other).await.is_none(), "{max_age:?} {moves_on}");
            assert_eq!(site.store.memory().length().await.unwrap(), 0);
        }
    }
}

/// A session that no other login stands beside costs no more.
#[test]
fn a_login_that_is_alone_costs_one_marker() {
    let site = Site::new();
    block_on(async {
        site.write("cart", 1).await;
        site.store.calls();
        site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
        let calls = ["get_and_touch", "get", "create", "create", "update", "destroy"];
        assert_eq!(site.store.calls(), calls);
    });
}

/// The user tries again when the marker of the first try has had its minute.
#[tokio::test]
async fn a_logout_that_failed_half_way_ends_the_other_login_when_it_is_tried_again() {
    let site = Site::new();
    let other = logged_in_twice(&site).await;
    let store = site.store.clone();
    // The browser's own session has ended and is marked, when the store goes away.
    site.store.before("update", move |_| store.fail(&["destroy"], ErrorKind::Timeout));
    site.visit(async |session: Session| {
        assert!(session.destroy().await.is_err());
        Ok(())
    })
    .await;
    assert!(site.record(&other).await.is_some());
    site.store.fail(&[], ErrorKind::Timeout);
    site.clock.advance(61_000);
    let reply = site.visit(async |session: Session| session.destroy().await).await;
    assert!(reply.lines()[0].starts_with("connect.sid=; "));
    assert_eq!(site.store.memory().length().await.unwrap(), 0);
}

/// The browser keeps the shorter one, and each visit makes it live on.
#[tokio::test]
async fn a_login_that_was_given_a_longer_life_ends_with_the_shorter_one() {
    let hour = Duration::from_secs(3_600);
    let site = Site::with(|options| options.cookie.max_age = Some(hour));
    site.write("cart", 1).await;
    let cookie = site.cookie.lock().unwrap().clone().unwrap();
    let request = http::Request::get("/").header("cookie", &*cookie).body(()).unwrap();
    let engine = site.layer.engine();
    let long = engine.load((&request).into()).await.unwrap().unwrap();
    let short = engine.load((&request).into()).await.unwrap().unwrap();
    long.regenerate_keeping_data().await.unwrap();
    long.set_max_age(Some(hour * 720)).unwrap();
    engine.commit(&long).await.unwrap();
    short.regenerate_keeping_data().await.unwrap();
    let line = engine.commit(&short).await.unwrap().unwrap();
    let pair = line.to_str().unwrap().split(';').next().unwrap().to_owned();
    *site.cookie.lock().unwrap() = Some(pair);
    for visit in 0..10 {
        site.clock.advance(HOUR_MS / 2);
        site.read().await;
        if visit == 5 {
            site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
        }
    }
    assert!(site.record(&long.id()).await.is_some());
    site.visit(async |session: Session| session.destroy().await).await;
    assert_eq!(site.store.memory().length().await.unwrap(), 0);
}

/// Such as an id that changes each quarter of an hour, for two weeks.
#[tokio::test]
async fn a_login_that_moves_on_again_and_again_leaves_no_trail() {
    let site = Site::new();
    let other = logged_in_twice(&site).await;
    let (mut ids, mut calls) = (vec![site.sid()], Vec::new());
    for _ in 0..40 {
        site.clock.advance(HOUR_MS / 4);
        site.store.calls();
        site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
        calls.push(site.store.calls().len());
        ids.push(site.sid());
    }
    assert_eq!(calls[20], calls[39]);
    let mark = site.record(&marker_name(&other)).await.unwrap();
    assert!(mark.get::<Vec<String>>("endsWith").unwrap().unwrap().len() <= 8);
    site.clock.advance(61_000);
    let last = ids.pop().unwrap();
    assert!(site.record(&marker_name(&last)).await.is_some());
    for id in ids {
        assert!(site.record(&marker_name(&id)).await.is_none(), "it has handed on its links");
    }
    site.store.calls();
    site.visit(async |session: Session| session.destroy().await).await;
    let calls = site.store.calls().len();
    assert!(calls < 60, "{calls}");
    assert_eq!(site.store.memory().length().await.unwrap(), 0);
    site.clock.advance(61_000);
    for id in [other, last] {
        assert!(site.record(&marker_name(&id)).await.is_none());
    }
}
