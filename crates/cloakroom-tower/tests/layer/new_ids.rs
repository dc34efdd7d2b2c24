//! New ids: `regenerate`, with the data or without, and what comes between the old one and the new one.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use cloakroom_core::{Enumerate, ErrorKind, Secrets, Store};
use cloakroom_tower::{Session, SessionOptions, TouchAfter, Unset};
use http::StatusCode;

use crate::{log::Log, site::Site};

#[tokio::test]
async fn a_new_id_is_stored_before_the_old_one_is_destroyed() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    site.store.calls();
    let reply = site
        .visit(async |session: Session| {
            session.regenerate().await?;
            assert!(session.is_new() && session.get::<i32>("n")?.is_none());
            session.insert("user", 7)
        })
        .await;
    // The second one is the marker.
    assert_eq!(site.store.calls(), ["get_and_touch", "create", "create", "destroy"]);
    assert_eq!(reply.lines().len(), 1);
    assert_ne!(site.sid(), old);
    assert!(site.record(&old).await.is_none());
    assert_eq!((site.member("user").await, site.member("n").await), (Some(7), None));
}

/// As in Express, whatever `saveUninitialized` says: the browser's old id is worth nothing now.
#[tokio::test]
async fn a_new_id_is_stored_even_if_its_session_is_empty() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.calls();
    let reply = site.visit(async |session: Session| session.regenerate().await).await;
    assert_eq!(site.store.calls(), ["get_and_touch", "create", "create", "destroy"]);
    assert_eq!(reply.lines().len(), 1);
    let site = Site::new();
    site.visit(async |session: Session| session.regenerate().await).await;
    assert!(site.store.calls().is_empty(), "there was no old one");
}

#[tokio::test]
async fn a_login_that_cannot_be_stored_costs_nobody_the_old_session() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.fail(&["create"], ErrorKind::Unavailable);
    let reply = site
        .visit(async |session: Session| {
            session.regenerate().await?;
            session.insert("user", 7)
        })
        .await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.lines().is_empty());
    assert_eq!(site.member("n").await, Some(1));
    assert_eq!(site.told(), ["log: create: told to fail"]);
}

#[tokio::test]
async fn a_new_id_can_keep_the_data_and_what_others_add_to_it() {
    let site = Site::for_a_minute();
    site.write("n", 1).await;
    let old = site.sid();
    site.store.calls();
    let memory = site.store.memory().clone();
    let sid = old.clone();
    site.visit(move |session: Session| {
        let (memory, sid) = (memory.clone(), sid.clone());
        async move {
            session.insert("mine", 2)?;
            session.regenerate_keeping_data().await?;
            let mut theirs = memory.get(&sid).await?.unwrap();
            theirs.insert("theirs", 3)?;
            memory.set(&sid, &theirs).await
        }
    })
    .await;
    // The old record is marked, and ends by a write that others could not have come between.
    assert_eq!(
        site.store.calls(),
        ["get_and_touch", "get", "create", "create", "update", "destroy"]
    );
    assert_ne!(site.sid(), old);
    assert!(site.record(&old).await.is_none());
    for (name, value) in [("n", 1), ("mine", 2), ("theirs", 3)] {
        assert_eq!(site.member(name).await, Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_new_id_for_data_that_was_logged_out_meanwhile_is_not_stored() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    let (memory, sid) = (site.store.memory().clone(), old.clone());
    let reply = site
        .visit(move |session: Session| {
            let (memory, sid) = (memory.clone(), sid.clone());
            async move {
                session.regenerate_keeping_data().await?;
                memory.destroy(&sid).await
            }
        })
        .await;
    // It may have been a login.
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(reply.lines().is_empty());
    assert_eq!(site.store.memory().length().await.unwrap(), 0);
}

/// Another request comes between the steps in which the data moves to its new id.
#[tokio::test]
async fn nothing_comes_between_the_old_id_and_the_new_one() {
    for is_logout in [true, false] {
        let site = Site::new();
        site.write("n", 1).await;
        let old = site.sid();
        let sid = old.clone();
        site.store.before("create", move |memory| {
            if is_logout {
                return futures::executor::block_on(memory.destroy(&sid)).unwrap();
            }
            let mut theirs = futures::executor::block_on(memory.get(&sid)).unwrap().unwrap();
            theirs.insert("theirs", 3).unwrap();
            futures::executor::block_on(memory.set(&sid, &theirs)).unwrap();
        });
        let reply = site
            .visit(async |session: Session| {
                session.insert("mine", 2)?;
                session.regenerate_keeping_data().await
            })
            .await;
        let length = site.store.memory().length().await.unwrap();
        assert!(site.record(&old).await.is_none());
        if is_logout {
            assert_eq!((length, reply.status), (0, StatusCode::INTERNAL_SERVER_ERROR));
        } else {
            assert_eq!((length, reply.lines().len()), (1, 1));
            for (name, value) in [("n", 1), ("mine", 2), ("theirs", 3)] {
                assert_eq!(site.member(name).await, Some(value), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn an_old_id_ends_whatever_life_the_store_gives() {
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let options = SessionOptions::new();
    let site = Site::with_all(options, secrets, Log::with_own_life, |_| {});
    site.write("n", 1).await;
    let old = site.sid();
    site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    assert!(site.record(&old).await.is_none());
    assert_eq!(site.member("n").await, Some(1));
}

/// It would be a session beside the one that the browser has, and outlive its logout.
#[tokio::test]
async fn a_new_id_whose_old_one_cannot_end_is_taken_back() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    site.store.fail(&["update"], ErrorKind::Unavailable);
    let reply = site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(site.store.memory().length().await.unwrap(), 1);
    assert!(site.record(&old).await.is_some());
}

/// The answer to the end of the old one is lost: it may be the new one that is left.
#[tokio::test]
async fn a_new_id_is_not_taken_back_when_the_old_one_may_have_ended() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.calls();
    site.store.fail(&["update"], ErrorKind::Timeout);
    let reply = site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    // The last one lets a logout end the old one, too, if it is there.
    let calls = ["get_and_touch", "get", "create", "create", "update", "create"];
    assert_eq!(site.store.calls(), calls);
}

#[tokio::test]
async fn what_is_left_of_an_old_id_costs_nobody_the_new_one() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    site.store.fail(&["destroy"], ErrorKind::Unavailable);
    let reply = site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 1));
    assert!(site.record(&old).await.is_none());
    assert_eq!(site.told(), ["log: destroy: told to fail"]);
}

#[tokio::test]
async fn a_session_that_was_moved_by_hand_is_told_even_if_it_cannot_be_extended() {
    let site = Site::with(|options| {
        options.cookie.max_age = Some(crate::site::MINUTE);
        options.expiry.touch_after = TouchAfter::Elapsed(std::time::Duration::from_secs(10));
    });
    site.write("n", 1).await;
    site.clock.advance(20_000);
    let store = site.store.clone();
    let reply = site
        .visit(async move |session: Session| {
            session.regenerate_keeping_data().await?;
            session.save().await?;
            store.fail(&["update"], ErrorKind::Unavailable);
            Ok(())
        })
        .await;
    assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 1));
    assert_eq!(site.member("n").await, Some(1), "under the new id");
}

#[tokio::test]
async fn a_new_id_that_is_stored_stays_the_sessions_when_the_old_one_cannot_be_destroyed() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    let store = site.store.clone();
    let reply = site
        .visit(async move |session: Session| {
            session.regenerate().await?;
            session.insert("user", 7)?;
            store.fail(&["destroy"], ErrorKind::Timeout);
            assert!(session.save().await.is_err());
            store.fail(&[], ErrorKind::Timeout);
            Ok(())
        })
        .await;
    let saved = ["get_and_touch", "create", "create", "destroy", "create"];
    let ended = ["update", "create", "get", "destroy"];
    assert_eq!(site.store.calls()[1..], [&saved[..], &ended].concat());
    assert_eq!(reply.lines().len(), 1);
    assert!(site.record(&old).await.is_none());
    assert_eq!(site.member("user").await, Some(7));
}

#[tokio::test]
async fn an_old_id_ends_also_when_its_new_session_is_unset() {
    let site = Site::with(|options| options.unset = Unset::Keep);
    site.write("n", 1).await;
    let old = site.sid();
    let reply = site
        .visit(async |session: Session| {
            session.regenerate().await?;
            session.unset()
        })
        .await;
    assert!(site.record(&old).await.is_none());
    assert!(reply.lines()[0].starts_with("connect.sid=; "));
}

#[tokio::test]
async fn an_id_that_is_taken_is_left_to_its_owner() {
    let made = Arc::new(AtomicUsize::new(0));
    let site = Site::with(|options| {
        // Each id twice: 0, 0, 1, 1, and so on.
        options.ids.genid =
            Some(Arc::new(move |_| Ok((made.fetch_add(1, Ordering::Relaxed) / 2).to_string())));
    });
    site.write("n", 1).await;
    assert_eq!(site.sid(), "0");
    *site.cookie.lock().unwrap() = None;
    site.write("n", 2).await;
    assert_eq!(site.sid(), "1");
    assert_eq!(site.record("0").await.unwrap().get::<i32>("n").unwrap(), Some(1));
}

#[tokio::test]
async fn ids_that_are_always_taken_are_an_error() {
    let site = Site::with(|options| options.ids.genid = Some(Arc::new(|_| Ok("same".to_owned()))));
    site.write("n", 1).await;
    *site.cookie.lock().unwrap() = None;
    let reply = site.write("n", 2).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(site.record("same").await.unwrap().get::<i32>("n").unwrap(), Some(1));
}

/// Without `Atomic`, too, where the store cannot say that an id is taken.
#[tokio::test]
async fn a_login_whose_new_id_is_the_old_one_is_an_error() {
    for keeps in [true, false] {
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        let site = Site::with_all(SessionOptions::new(), secrets, Log::without_atomic, |options| {
            options.ids.genid = Some(Arc::new(|_| Ok("same".to_owned())));
        });
        site.write("n", 1).await;
        for saves in [true, false] {
            let reply = site
                .visit(async move |session: Session| {
                    if keeps {
                        session.regenerate_keeping_data().await?;
                    } else {
                        session.regenerate().await?;
                    }
                    session.insert("user", 7)?;
                    if saves {
                        let error = session.save().await.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::InvalidId);
                    }
                    Ok(())
                })
                .await;
            assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert!(reply.lines().is_empty());
            assert_eq!((site.member("n").await, site.member("user").await), (Some(1), None));
        }
        site.write("n", 2).await;
        assert_eq!(site.member("n").await, Some(2), "the session goes on");
    }
}

#[tokio::test]
async fn without_conditional_writes_another_id_is_tried_if_the_new_one_is_the_old_one() {
    let made = Arc::new(AtomicUsize::new(0));
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let site = Site::with_all(SessionOptions::new(), secrets, Log::without_atomic, |options| {
        // Each id twice: 0, 0, 1, 1, and so on.
        options.ids.genid =
            Some(Arc::new(move |_| Ok((made.fetch_add(1, Ordering::Relaxed) / 2).to_string())));
    });
    site.write("n", 1).await;
    assert_eq!(site.sid(), "0");
    site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    assert_eq!((&*site.sid(), site.member("n").await), ("1", Some(1)));
    assert!(site.record("0").await.is_none());
}
