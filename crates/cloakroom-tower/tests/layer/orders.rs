//! Moves to a new id and logouts that meet, in every order of their calls to the store.

use cloakroom_core::{Enumerate, Error, Secrets, SessionData, Store};
use cloakroom_tower::{RequestHead, Session, SessionEngine, SessionOptions};
use futures::executor::block_on;

use crate::{
    site::NOW,
    steps::{Request, Steps, in_every_order, next_turn},
};

/// How often requests are interrupted at most, where two of them meet.
const SWITCHES: usize = 3;

/// The id and the `Set-Cookie` line that a request ends with.
pub(crate) type Answer = Result<(String, Option<String>), Error>;

pub(crate) fn engine(steps: &Steps) -> SessionEngine {
    let mut options = SessionOptions::new();
    options.expiry.clock = cloakroom_core::Clock::fixed(NOW);
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    options.engine(steps.clone(), secrets).unwrap()
}

/// A store with a session `a` that has a cart.
pub(crate) fn store(has_atomic: bool) -> Steps {
    let steps = Steps::new(has_atomic);
    let record = SessionData::from_json(r#"{"cookie":{},"cart":["tea"]}"#).unwrap();
    block_on(steps.memory.set("a", &record)).unwrap();
    steps
}

pub(crate) async fn load(engine: &SessionEngine, sid: &str) -> Session {
    let cookie = Secrets::new(["keyboard cat"]).unwrap().cookie_value(sid);
    let request =
        http::Request::get("/").header("cookie", format!("connect.sid={cookie}")).body(()).unwrap();
    engine.load(RequestHead::from(&request)).await.unwrap().unwrap()
}

pub(crate) async fn end(engine: &SessionEngine, session: &Session) -> Answer {
    let line = engine.commit(session).await?;
    Ok((session.id(), line.map(|line| line.to_str().unwrap().to_owned())))
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Login {
    Keeping,
    Fresh,
    SavedByHand,
}

pub(crate) async fn login(engine: &SessionEngine, session: Session, how: Login) -> Answer {
    match how {
        Login::Fresh => session.regenerate().await?,
        Login::Keeping | Login::SavedByHand => session.regenerate_keeping_data().await?,
    }
    session.insert("user", "ann")?;
    if how == Login::SavedByHand {
        session.save().await?;
    }
    end(engine, &session).await
}

pub(crate) async fn logout(engine: &SessionEngine, session: Session) -> Answer {
    session.destroy().await?;
    end(engine, &session).await
}

/// The members of the session that a `Set-Cookie` line leads to.
pub(crate) fn behind(steps: &Steps, answer: &Answer) -> Option<(Option<String>, bool)> {
    let (sid, line) = answer.as_ref().ok()?;
    line.as_ref().filter(|line| line.contains(sid))?;
    let record = block_on(steps.memory.get(sid)).unwrap()?;
    Some((record.get("user").unwrap(), record.contains("cart")))
}

pub(crate) fn is_empty(steps: &Steps) -> bool {
    block_on(steps.memory.length()).unwrap() == 0
}

/// Both have loaded the session when the first of them moves it, as with a double click.
#[test]
fn two_logins_at_once_are_two_logins_with_the_cart() {
    for has_atomic in [true, false] {
        for how in [Login::Keeping, Login::SavedByHand] {
            let orders = in_every_order(
                SWITCHES,
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
                        let found = behind(steps, answer).expect("a session behind the cookie");
                        assert_eq!(found, (Some("ann".to_owned()), true));
                    }
                    assert!(block_on(steps.memory.get("a")).unwrap().is_none());
                },
            );
            assert!(orders > 50, "{orders}");
        }
    }
}

/// `first` moves the session before the others begin; then each of `sids` is logged out while `a`'s last id moves on.
#[test]
fn after_a_logout_nothing_that_descends_from_the_session_is_alive() {
    for has_atomic in [true, false] {
        for how in [Login::Keeping, Login::Fresh, Login::SavedByHand] {
            // A chain has many orders, so at most this many requests are interrupted there.
            for (moves_before, switches) in [(0, 3), (1, 2), (2, 2)] {
                for logs_out_first_id in [true, false] {
                    let orders = in_every_order(
                        switches,
                        || {
                            let steps = store(has_atomic);
                            let engine = engine(&steps);
                            let mut sid = "a".to_owned();
                            for _ in 0..moves_before {
                                let moves = async {
                                    let session = load(&engine, &sid).await;
                                    login(&engine, session, how).await
                                };
                                sid = drive(moves).unwrap().0;
                            }
                            let ended =
                                if logs_out_first_id { "a".to_owned() } else { sid.clone() };
                            let engines = (engine.clone(), engine);
                            let moves = async move {
                                let session = load(&engines.0, &sid).await;
                                if session.is_new() {
                                    // The logout came first.
                                    return end(&engines.0, &session).await;
                                }
                                login(&engines.0, session, how).await
                            };
                            let ends = async move {
                                let session = load(&engines.1, &ended).await;
                                logout(&engines.1, session).await
                            };
                            (steps, vec![Box::pin(moves) as Request<_>, Box::pin(ends)])
                        },
                        |steps, answers| {
                            assert!(answers[1].is_ok(), "{answers:?}");
                            assert!(is_empty(steps), "{how:?} {moves_before} {answers:?}");
                        },
                    );
                    assert!(orders > 10, "{orders}");
                }
            }
        }
    }
}

#[test]
fn two_moves_and_a_writer_that_meet_a_logout_leave_nothing_behind() {
    for has_atomic in [true, false] {
        let orders = in_every_order(
            1,
            || {
                let steps = store(has_atomic);
                let engine = engine(&steps);
                let mut requests: Vec<Request<Answer>> = Vec::new();
                for how in [Login::Keeping, Login::SavedByHand] {
                    let engine = engine.clone();
                    requests.push(Box::pin(async move {
                        let session = load(&engine, "a").await;
                        if session.is_new() {
                            return end(&engine, &session).await;
                        }
                        login(&engine, session, how).await
                    }));
                }
                requests.push(Box::pin(write(engine.clone())));
                requests.push(Box::pin(async move {
                    let session = load(&engine, "a").await;
                    logout(&engine, session).await
                }));
                (steps, requests)
            },
            |steps, answers| {
                assert!(answers.last().unwrap().is_ok());
                assert!(is_empty(steps), "{answers:?}");
            },
        );
        assert!(orders > 100, "{orders}");
    }
}

/// A request that changes the session `a`.
async fn write(engine: SessionEngine) -> Answer {
    let session = load(&engine, "a").await;
    if !session.is_new() {
        session.insert("n", 1)?;
    }
    end(&engine, &session).await
}

/// Without conditional writes, a write can land after the session has ended, and takes itself back.
#[test]
fn a_write_that_meets_a_logout_leaves_nothing_behind() {
    for has_atomic in [true, false] {
        // It is logged out under its own id, or under the one that it has moved to.
        for moves in [false, true] {
            let orders = in_every_order(
                SWITCHES,
                || {
                    let steps = store(has_atomic);
                    let engine = engine(&steps);
                    let ends = {
                        let engine = engine.clone();
                        async move {
                            let mut session = load(&engine, "a").await;
                            if moves {
                                let (sid, _) = login(&engine, session, Login::Keeping).await?;
                                session = load(&engine, &sid).await;
                            }
                            logout(&engine, session).await
                        }
                    };
                    (steps, vec![Box::pin(write(engine)) as Request<_>, Box::pin(ends)])
                },
                |steps, answers| {
                    assert!(answers[1].is_ok(), "{answers:?}");
                    assert!(is_empty(steps), "{has_atomic} {moves} {answers:?}");
                },
            );
            assert!(orders > 10, "{orders}");
        }
    }
}

/// Two users log in, and one of them gets no further.
#[test]
fn without_conditional_writes_no_login_waits_for_another_users() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    for turns in 0..30 {
        let steps = store(false);
        let record = SessionData::from_json(r#"{"cookie":{}}"#).unwrap();
        block_on(steps.memory.set("b", &record)).unwrap();
        let engine = engine(&steps);
        let sessions = ["a", "b"].map(|sid| drive(load(&engine, sid)));
        let [mut first, mut second] =
            sessions.map(|session| Box::pin(login(&engine, session, Login::Fresh)));
        for _ in 0..turns {
            next_turn();
            if futures::FutureExt::now_or_never(&mut first).is_some() {
                return;
            }
        }
        let is_done = (0..200).any(|_| {
            next_turn();
            futures::FutureExt::now_or_never(&mut second).is_some_and(|answer| answer.is_ok())
        });
        assert!(is_done, "{turns}");
    }
    panic!("the first login is never done");
}

/// Runs a request that meets no other.
pub(crate) fn drive<T>(work: impl Future<Output = T>) -> T {
    let mut work = Box::pin(work);
    loop {
        next_turn();
        if let Some(done) = futures::FutureExt::now_or_never(&mut work) {
            return done;
        }
    }
}
