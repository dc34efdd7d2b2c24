//! Handles that outlive the response, and what may be printed of them.

use std::sync::{Arc, Mutex};

use cloakroom_core::ErrorKind;
use cloakroom_tower::Session;
use tower::{Layer, ServiceExt, service_fn};

use crate::site::Site;

/// Such as in a streaming body, or in a task.
#[tokio::test]
async fn a_handle_that_is_used_after_the_response_has_begun_gets_an_error() {
    let site = Site::new();
    let leaked: Arc<Mutex<Option<Session>>> = Arc::default();
    let keep = Arc::clone(&leaked);
    site.visit(move |session: Session| {
        *keep.lock().unwrap() = Some(session.clone());
        async move { session.insert("n", 1) }
    })
    .await;
    site.store.calls();
    let session = leaked.lock().unwrap().take().unwrap();
    let errors = [
        session.get::<i32>("n").unwrap_err(),
        session.insert("n", 2).unwrap_err(),
        session.remove::<i32>("n").unwrap_err(),
        session.modify("n", |n: Option<i32>| n.unwrap_or(1)).unwrap_err(),
        session.with(|_| ()).unwrap_err(),
        session.set_cookie(session.cookie()).unwrap_err(),
        session.set_max_age(None).unwrap_err(),
        session.set_end_after(None).unwrap_err(),
        session.ends_at_ms().unwrap_err(),
        session.read::<serde_json::Value>().unwrap_err(),
        session.clear().unwrap_err(),
        session.rollback().await.unwrap_err(),
        session.touch().unwrap_err(),
        session.unset().unwrap_err(),
        session.save().await.unwrap_err(),
        session.reload().await.unwrap_err(),
        session.regenerate().await.unwrap_err(),
        session.regenerate_keeping_data().await.unwrap_err(),
        session.destroy().await.unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("the response has begun"), "{error}");
    }
    assert!(site.store.calls().is_empty());
    assert_eq!(site.member("n").await, Some(1));
}

/// Nothing that a handle changed would be written, so none may pretend.
#[tokio::test]
async fn handles_are_closed_when_the_service_fails_or_is_dropped() {
    let site = Site::new();
    for fails in [true, false] {
        let leaked: Arc<Mutex<Option<Session>>> = Arc::default();
        let keep = Arc::clone(&leaked);
        let service = site.layer.layer(service_fn(move |request: http::Request<()>| {
            *keep.lock().unwrap() = request.extensions().get::<Session>().cloned();
            async move {
                if !fails {
                    std::future::pending::<()>().await;
                }
                Err::<http::Response<()>, _>(std::io::Error::other("failed"))
            }
        }));
        let mut call = Box::pin(service.oneshot(http::Request::new(())));
        assert_eq!(futures::poll!(call.as_mut()).is_ready(), fails);
        drop(call);
        let session = leaked.lock().unwrap().take().unwrap();
        assert_eq!(session.insert("n", 1).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

/// A handler may keep a change that keeps the session, and the session keeps its changes until it is written.
#[tokio::test]
async fn nothing_is_kept_when_the_request_has_ended() {
    let site = Site::new();
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    site.visit(async move |session: Session| {
        let inner = session.clone();
        let change = move |n: Option<i32>| {
            let _held = (&held, &inner);
            n.unwrap_or_default() + 1
        };
        session.modify("n", change).map(drop)
    })
    .await;
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// A save that is not polled any more has the turn.
#[tokio::test]
async fn a_turn_that_does_not_come_is_an_error_by_the_deadline() {
    let site =
        Site::with(|options| options.failure.deadline = Some(std::time::Duration::from_millis(20)));
    site.write("n", 1).await;
    let store = site.store.clone();
    let reply = site
        .visit(async move |session: Session| {
            session.insert("n", 2)?;
            store.hang();
            let mut save = Box::pin(session.save());
            assert!(futures::poll!(save.as_mut()).is_pending());
            store.go_on();
            let error = session.destroy().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            drop(save);
            session.destroy().await
        })
        .await;
    assert!(reply.lines()[0].starts_with("connect.sid=; "));
}

#[tokio::test]
async fn a_session_is_committed_once() {
    let site = Site::new();
    let engine = site.layer.engine();
    let request = http::Request::new(());
    let session = engine.load((&request).into()).await.unwrap().unwrap();
    session.insert("n", 1).unwrap();
    assert!(engine.commit(&session).await.unwrap().is_some());
    assert!(engine.commit(&session).await.unwrap().is_none());
    assert_eq!(site.store.calls(), ["create"]);
}

#[tokio::test]
async fn a_session_that_was_destroyed_is_an_error_to_use() {
    let site = Site::new();
    site.write("n", 1).await;
    site.visit(async |session: Session| {
        session.destroy().await?;
        let errors = [
            session.get::<i32>("n").unwrap_err(),
            session.insert("n", 2).unwrap_err(),
            session.touch().unwrap_err(),
            session.save().await.unwrap_err(),
            session.destroy().await.unwrap_err(),
            session.regenerate_keeping_data().await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::Unsupported));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn clones_are_handles_on_one_session() {
    let site = Site::new();
    site.visit(async |session: Session| {
        let other = session.clone();
        session.insert("n", 1)?;
        assert_eq!(
            session.with(|_| other.get::<i32>("n"))??,
            Some(1),
            "even in the middle of a look"
        );
        assert_eq!(other.get::<i32>("n")?, Some(1));
        assert_eq!(other.id(), session.id());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_express_would_lose_is_refused_by_name() {
    let site = Site::new();
    site.visit(async |session: Session| {
        let error = session.insert("touch", 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("\"touch\""), "{error}");
        let error = session.insert("n", "text").and_then(|()| session.get::<u32>("n")).unwrap_err();
        assert!(!error.to_string().contains("text"), "{error}");
        assert!(session.remove::<i32>("n").is_err(), "it is still there");
        assert_eq!(session.remove::<String>("n")?.as_deref(), Some("text"));
        assert_eq!(session.remove::<String>("n")?, None);
        assert_eq!(session.remove::<serde_json::Value>("cookie")?, None, "that stays");
        Ok(())
    })
    .await;
    assert!(site.store.calls().is_empty());
}

#[tokio::test]
async fn nothing_that_is_printed_holds_an_id_a_secret_or_data() {
    let site = Site::new();
    site.write("n", 4_711).await;
    let sid = site.sid();
    let printed: Arc<Mutex<String>> = Arc::default();
    let kept = Arc::clone(&printed);
    site.visit(move |session: Session| {
        *kept.lock().unwrap() =
            format!("{session:?} {:?} {:?}", session.engine(), session.cookie());
        async { Ok(()) }
    })
    .await;
    let printed = format!("{} {:?}", printed.lock().unwrap(), site.layer);
    for secret in [&*sid, "keyboard cat", "4711"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
