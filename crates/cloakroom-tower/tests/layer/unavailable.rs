//! A store that is unavailable, refuses, or does not answer.

use std::time::Duration;

use cloakroom_core::{ErrorKind, Secrets};
use cloakroom_tower::{Session, SessionOptions, WhenUnavailable};
use http::{Response, StatusCode};

use crate::{log::Log, site::Site};

fn site(when_unavailable: WhenUnavailable) -> Site {
    Site::with(|options| options.failure.when_unavailable = when_unavailable)
}

const ALL: [&str; 7] = ["get", "set", "destroy", "touch", "create", "update", "get_and_touch"];

#[tokio::test]
async fn a_store_that_is_unavailable_is_an_error_response() {
    let site = site(WhenUnavailable::Error);
    site.write("n", 1).await;
    for (kind, status) in [
        (ErrorKind::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (ErrorKind::Timeout, StatusCode::SERVICE_UNAVAILABLE),
        (ErrorKind::Other, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        site.store.fail(&ALL, kind);
        let reply = site.visit(async |_| panic!("the handler does not run")).await;
        assert_eq!(reply.status, status);
        assert!(reply.lines().is_empty() && !reply.body.contains("told to fail"));
        assert_eq!(site.told(), ["log: get_and_touch: told to fail"]);
    }
    site.store.fail(&[], ErrorKind::Other);
    assert_eq!(site.read().await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_anonymous_request_can_change_nothing_and_keeps_its_cookie() {
    let site = site(WhenUnavailable::Anonymous);
    site.write("n", 1).await;
    site.store.fail(&ALL, ErrorKind::Unavailable);
    site.store.calls();
    let reply = site
        .visit(async |session: Session| {
            assert_eq!(session.get::<i32>("n")?, None);
            let refusals = [
                session.insert("n", 2).unwrap_err(),
                session.remove::<i32>("n").unwrap_err(),
                session.touch().unwrap_err(),
                session.unset().unwrap_err(),
                session.save().await.unwrap_err(),
                session.reload().await.unwrap_err(),
                session.destroy().await.unwrap_err(),
                session.regenerate().await.unwrap_err(),
            ];
            assert!(refusals.iter().all(|refusal| refusal.kind() == ErrorKind::Unavailable));
            Ok(())
        })
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.lines().is_empty());
    assert_eq!(site.store.calls(), ["get_and_touch", "get"], "it could have been a refusal");
    site.store.fail(&[], ErrorKind::Other);
    assert_eq!(site.member("n").await, Some(1));
}

/// Such as a Redis that cannot save to its disk, a replica, or a user who may only read.
#[tokio::test]
async fn what_refuses_to_extend_is_read_and_tells_it_once() {
    for when_unavailable in
        [WhenUnavailable::Error, WhenUnavailable::Anonymous, WhenUnavailable::ReadOnly]
    {
        let site = Site::with(|options| {
            options.failure.when_unavailable = when_unavailable;
            options.cookie.max_age = Some(crate::site::MINUTE);
        });
        site.write("n", 1).await;
        for kind in [ErrorKind::Unavailable, ErrorKind::Config, ErrorKind::Other] {
            site.store.fail(&["get_and_touch", "touch", "set", "create", "update"], kind);
            site.store.calls();
            for _ in 0..3 {
                // The browser's copy would be due, too.
                site.clock.advance(6_000);
                let reply = site
                    .visit(async |session: Session| {
                        assert_eq!(session.get::<i32>("n")?, Some(1));
                        Ok(())
                    })
                    .await;
                assert_eq!(reply.status, StatusCode::OK, "{when_unavailable:?} {kind:?}");
                assert_eq!(site.store.calls(), ["get_and_touch", "get"]);
            }
            assert_eq!(
                site.told(),
                ["log: get_and_touch: told to fail"],
                "{when_unavailable:?} {kind:?}"
            );
            // A change is lost no more than ever.
            if when_unavailable != WhenUnavailable::ReadOnly {
                let reply = site.write("n", 2).await;
                assert_ne!(reply.status, StatusCode::OK, "{when_unavailable:?} {kind:?}");
                assert_eq!(site.told(), ["log: update: told to fail"]);
            }
            site.store.fail(&[], kind);
            site.read().await;
            assert!(site.told().is_empty());
        }
    }
}

/// Such as a Redis replica, or one that is full.
#[tokio::test]
async fn a_store_that_refuses_writes_can_still_be_read() {
    let site = site(WhenUnavailable::ReadOnly);
    site.write("n", 1).await;
    site.store.fail(&["get_and_touch", "touch", "update"], ErrorKind::Other);
    site.store.calls();
    site.visit(async |session: Session| {
        assert_eq!(session.get::<i32>("n")?, Some(1));
        assert_eq!(session.insert("n", 2).unwrap_err().kind(), ErrorKind::Other);
        Ok(())
    })
    .await;
    assert_eq!(site.store.calls(), ["get_and_touch", "get"]);
    // If nothing can be read either, the session is anonymous.
    site.store.fail(&ALL, ErrorKind::Unavailable);
    site.visit(async |session: Session| {
        assert_eq!(session.get::<i32>("n")?, None);
        assert_eq!(session.insert("n", 2).unwrap_err().kind(), ErrorKind::Unavailable);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_change_that_cannot_be_written_is_an_error_response_whatever_is_told() {
    for when_unavailable in
        [WhenUnavailable::Error, WhenUnavailable::Anonymous, WhenUnavailable::ReadOnly]
    {
        let site = site(when_unavailable);
        site.store.fail(&["create"], ErrorKind::Unavailable);
        let reply = site.write("n", 1).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{when_unavailable:?}");
        assert!(reply.lines().is_empty());
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_an_error_by_the_deadline() {
    let site = Site::with(|options| options.failure.deadline = Some(Duration::from_millis(20)));
    site.write("n", 1).await;
    let stored = site.cookie.lock().unwrap().clone();
    site.store.hang();
    let reply = site.read().await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(site.told(), ["session: load: no answer within 20ms"]);
    *site.cookie.lock().unwrap() = None;
    let reply = site.write("n", 2).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(site.told(), ["session: commit: no answer within 20ms"]);
    *site.cookie.lock().unwrap() = stored;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_locks_nobody_out() {
    for kind in [ErrorKind::Corrupt, ErrorKind::InvalidId] {
        let site = Site::new();
        site.write("n", 1).await;
        let lost = site.sid();
        site.store.fail(&["get_and_touch"], kind);
        site.write("n", 2).await;
        assert_eq!(site.told(), ["log: get_and_touch: told to fail"]);
        assert_ne!(site.sid(), lost);
        assert_eq!(site.member("n").await, Some(2));
        assert!(site.record(&lost).await.is_some(), "it may be another key's");
    }
}

#[tokio::test]
async fn extending_a_session_that_was_only_read_may_fail() {
    let secrets = cloakroom_core::Secrets::new(["keyboard cat"]).unwrap();
    let options = cloakroom_tower::SessionOptions::new();
    let site = Site::with_all(options, secrets, crate::log::Log::without_atomic, |_| {});
    site.write("n", 1).await;
    site.store.fail(&["touch"], ErrorKind::Unavailable);
    assert_eq!(site.read().await.status, StatusCode::OK);
    assert_eq!(site.told(), ["log: touch: told to fail"]);
}

#[tokio::test]
async fn so_may_extending_the_browsers_copy() {
    let site = Site::for_a_minute();
    site.write("n", 1).await;
    site.clock.advance(40_000);
    site.store.fail(&["update"], ErrorKind::Unavailable);
    let reply = site.read().await;
    assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 0));
    assert_eq!(site.told(), ["log: update: told to fail"]);
    // But not when something was changed.
    let reply = site.write("n", 2).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_destroy_that_failed_leaves_the_session_as_it_was() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.fail(&["destroy"], ErrorKind::Unavailable);
    let reply = site
        .visit(async |session: Session| {
            assert!(session.destroy().await.is_err());
            assert_eq!(session.get::<i32>("n")?, Some(1));
            Ok(())
        })
        .await;
    assert!(reply.lines().is_empty());
    assert_eq!(site.member("n").await, Some(1));
}

#[tokio::test]
async fn the_error_response_can_be_ones_own() {
    let site = Site::with(|options| {
        options.failure.error_response = std::sync::Arc::new(|error| {
            let mut response = Response::new(format!("kind {:?}", error.kind()).into());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        });
    });
    site.store.fail(&["create"], ErrorKind::TooLarge);
    let reply = site.write("n", 1).await;
    assert_eq!((reply.status, &*reply.body), (StatusCode::BAD_GATEWAY, "kind TooLarge"));
}

#[tokio::test]
async fn a_store_that_says_it_is_disconnected_is_not_asked() {
    let site =
        Site::with(|options| options.failure.is_connected = Some(std::sync::Arc::new(|| false)));
    let request = http::Request::new(());
    let reply = site.send(request, async |_| Ok(())).await;
    assert_eq!(reply.body, "no session");
}

#[tokio::test]
async fn what_only_reads_has_no_unknown_outcome() {
    let site = Site::with(|options| options.failure.deadline = Some(Duration::from_millis(20)));
    site.write("n", 1).await;
    let store = site.store.clone();
    site.visit(async move |session: Session| {
        store.hang();
        let reload = session.reload().await.unwrap_err();
        assert_eq!((reload.kind(), reload.outcome_unknown()), (ErrorKind::Timeout, false));
        session.insert("n", 2)?;
        let save = session.save().await.unwrap_err();
        assert_eq!((save.kind(), save.outcome_unknown()), (ErrorKind::Timeout, true));
        Ok(())
    })
    .await;
}

/// Without conditional writes, a logout marks the id before it destroys the record.
#[tokio::test]
async fn a_logout_without_conditional_writes_says_if_it_has_begun() {
    for (keeps_marks, is_unknown) in [(true, true), (false, false)] {
        let site = without_atomic();
        site.write("n", 1).await;
        if !keeps_marks {
            site.store.refuse_markers();
        }
        site.store.fail(&["destroy"], ErrorKind::Full);
        site.visit(async move |session: Session| {
            let error = session.destroy().await.unwrap_err();
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Full, is_unknown));
            Ok(())
        })
        .await;
    }
}

/// The mark of the logout is written then, and other requests see it.
#[tokio::test]
async fn a_logout_that_fails_just_after_its_mark_has_an_unknown_outcome() {
    let site = without_atomic();
    site.write("n", 1).await;
    let store = site.store.clone();
    site.visit(async move |session: Session| {
        let failing = store.clone();
        store.before("set", move |_| failing.fail(&["get"], ErrorKind::Full));
        let error = session.destroy().await.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Full, true));
        store.fail(&[], ErrorKind::Full);
        Ok(())
    })
    .await;
}

/// The mark of the move is written then, and stays.
#[tokio::test]
async fn a_move_that_fails_just_after_its_mark_has_an_unknown_outcome() {
    let site = without_atomic();
    site.write("n", 1).await;
    let store = site.store.clone();
    site.visit(async move |session: Session| {
        session.regenerate().await?;
        let (marking, failing) = (store.clone(), store.clone());
        // The first write stores the session under its new id, the second one marks the move.
        store.before("set", move |_| {
            marking.before("set", move |_| failing.fail(&["get"], ErrorKind::Full));
        });
        let error = session.save().await.unwrap_err();
        assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Full, true));
        store.fail(&[], ErrorKind::Full);
        Ok(())
    })
    .await;
}

fn without_atomic() -> Site {
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    Site::with_all(SessionOptions::new(), secrets, Log::without_atomic, |_| {})
}

#[tokio::test]
async fn a_logout_that_failed_half_way_has_an_unknown_outcome() {
    let site = Site::new();
    site.write("n", 1).await;
    // The record is gone; there is no room for the marker of the logout.
    for (refused, is_unknown) in [("destroy", false), ("create", true)] {
        site.store.fail(&[refused], ErrorKind::Full);
        site.visit(async move |session: Session| {
            let error = session.destroy().await.unwrap_err();
            assert_eq!((error.kind(), error.outcome_unknown()), (ErrorKind::Full, is_unknown));
            Ok(())
        })
        .await;
    }
    site.store.fail(&[], ErrorKind::Other);
    assert_eq!(site.member("n").await, None);
}
