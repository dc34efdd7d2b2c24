//! Requests whose end fails half-way: what was saved stays within the browser's reach, and what is left over ends later.

use std::time::Duration;

use cloakroom_core::{Enumerate, ErrorKind, Secrets, Store};
use cloakroom_tower::{Session, SessionOptions};
use http::StatusCode;

use crate::{log::Log, site::Site};

const KINDS: [ErrorKind; 3] = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::TooLarge];

#[tokio::test]
async fn a_login_that_was_saved_is_told_when_the_end_of_the_request_fails() {
    for kind in KINDS {
        for fails in [&["update"][..], &["update", "get", "touch", "create"]] {
            for keeps in [false, true] {
                let site = Site::new();
                site.write("cart", 1).await;
                let (old, store) = (site.sid(), site.store.clone());
                let reply = site
                    .visit(async move |session: Session| {
                        if keeps {
                            session.regenerate_keeping_data().await?;
                        } else {
                            session.regenerate().await?;
                        }
                        session.insert("user", 7)?;
                        assert!(session.save().await?);
                        session.insert("late", 1)?;
                        store.fail(fails, kind);
                        Ok(())
                    })
                    .await;
                assert!(reply.status.is_server_error(), "{}", reply.status);
                assert_eq!(reply.lines().len(), 1, "{kind:?} {fails:?}");
                assert!(site.record(&old).await.is_none() && site.sid() != old);
                assert_eq!((site.member("user").await, site.member("late").await), (Some(7), None));
            }
        }
    }
}

/// The browser may have a newer cookie by then.
#[tokio::test]
async fn a_login_that_was_saved_and_logged_out_is_not_told() {
    let site = Site::new();
    site.write("cart", 1).await;
    let store = site.store.clone();
    let reply = site
        .visit(async move |session: Session| {
            session.regenerate().await?;
            session.insert("user", 7)?;
            session.save().await?;
            session.insert("late", 1)?;
            store.memory().destroy(&session.id()).await?;
            store.fail(&["update"], ErrorKind::Unavailable);
            Ok(())
        })
        .await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.lines().is_empty());
}

/// The new session is stored, and the old one may be gone.
#[tokio::test]
async fn a_login_that_is_stored_and_not_finished_is_told() {
    for (keeps, fails) in [(false, "destroy"), (true, "update")] {
        let site = Site::new();
        site.write("cart", 1).await;
        let old = site.sid();
        site.store.fail(&[fails], ErrorKind::Timeout);
        let reply = site
            .visit(async move |session: Session| {
                if keeps {
                    session.regenerate_keeping_data().await?;
                } else {
                    session.regenerate().await?;
                }
                session.insert("user", 7)
            })
            .await;
        assert_eq!((reply.status, reply.lines().len()), (StatusCode::SERVICE_UNAVAILABLE, 1));
        assert_ne!(site.sid(), old);
        assert_eq!(site.member("user").await, Some(7));
        // The next write ends what is left, and so does the logout, also in another process.
        site.store.fail(&[], ErrorKind::Timeout);
        if keeps {
            let site = site.rebuilt(Secrets::new(["keyboard cat"]).unwrap(), |_| {});
            site.visit(async |session: Session| session.destroy().await).await;
            assert_eq!(site.store.memory().length().await.unwrap(), 0);
        } else {
            site.write("n", 1).await;
            assert_eq!(site.store.memory().length().await.unwrap(), 1);
        }
    }
}

/// A store that gives every record one life ends an old session by `destroy` alone.
#[tokio::test]
async fn an_old_session_that_cannot_be_destroyed_is_destroyed_later() {
    for is_logout in [false, true] {
        let secrets = || Secrets::new(["keyboard cat"]).unwrap();
        let site = Site::with_all(SessionOptions::new(), secrets(), Log::with_own_life, |_| {});
        site.write("cart", 1).await;
        let old = site.sid();
        site.store.fail(&["destroy"], ErrorKind::Unavailable);
        let reply =
            site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
        assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 1));
        assert!(site.record(&old).await.is_some());
        site.store.fail(&[], ErrorKind::Unavailable);
        if is_logout {
            // Another process knows nothing of it but the marker.
            let site = site.rebuilt(secrets(), |_| {});
            site.visit(async |session: Session| session.destroy().await).await;
            assert_eq!(site.store.memory().length().await.unwrap(), 0);
        } else {
            site.write("n", 1).await;
            assert!(site.record(&old).await.is_none());
            site.store.calls();
            site.write("n", 2).await;
            assert!(!site.store.calls().contains(&"destroy"), "it ends once");
        }
    }
}

/// The part of the store that has it does not answer, and another user's session is elsewhere.
#[tokio::test]
async fn what_is_left_over_of_one_user_fails_nobody_elses_write() {
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let site = Site::with_all(SessionOptions::new(), secrets, Log::with_own_life, |options| {
        options.failure.deadline = Some(Duration::from_secs(8));
    });
    site.write("cart", 1).await;
    site.store.fail(&["destroy"], ErrorKind::Unavailable);
    site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    site.store.fail(&[], ErrorKind::Unavailable);
    site.store.hang_on("destroy");
    *site.cookie.lock().unwrap() = None;
    for saves in [true, false] {
        let reply = site
            .visit(async move |session: Session| {
                session.insert("n", 1)?;
                if saves {
                    session.save().await?;
                }
                Ok(())
            })
            .await;
        assert_eq!((reply.status, &*reply.body), (StatusCode::OK, "ok"));
        *site.cookie.lock().unwrap() = None;
    }
}

/// Its mark leads from the old session to a new one that could not be taken back.
#[tokio::test]
async fn without_conditional_writes_a_failed_login_does_not_end_the_session_that_stays() {
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let site = Site::with_all(SessionOptions::new(), secrets, Log::without_atomic, |_| {});
    site.write("n", 1).await;
    let old = site.sid();
    let store = site.store.clone();
    let reply = site
        .visit(async move |session: Session| {
            session.regenerate().await?;
            // The new session is set, then the marker; then the store goes away.
            let stores = (store.clone(), store.clone());
            store.before("set", move |_| {
                stores.0.before("set", move |_| {
                    stores.1.fail(&["get", "destroy"], ErrorKind::Unavailable);
                });
            });
            Ok(())
        })
        .await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    site.store.fail(&[], ErrorKind::Unavailable);
    assert_eq!(site.sid(), old);
    site.write("n", 2).await;
    assert_eq!(site.member("n").await, Some(2));
    assert_eq!(site.store.memory().length().await.unwrap(), 1, "the new one ends later");
}

/// The deadline is one for all that the end of a request asks.
#[tokio::test]
async fn an_end_that_fails_at_its_deadline_asks_nothing_more() {
    let deadline = Duration::from_millis(50);
    let site = Site::with(|options| options.failure.deadline = Some(deadline));
    site.write("cart", 1).await;
    let store = site.store.clone();
    let reply = site
        .visit(async move |session: Session| {
            session.regenerate().await?;
            session.save().await?;
            session.insert("late", 1)?;
            let (failing, id) = (store.clone(), session.id());
            store.calls();
            store.before("update", move |memory| {
                std::thread::sleep(deadline * 2);
                let theirs = cloakroom_core::SessionData::new();
                futures::executor::block_on(memory.set(&id, &theirs)).unwrap();
                failing.fail(&["update"], ErrorKind::Unavailable);
            });
            Ok(())
        })
        .await;
    assert_eq!((reply.status, reply.lines().len()), (StatusCode::SERVICE_UNAVAILABLE, 1));
    assert_eq!(site.store.calls(), ["update", "update"]);
}
