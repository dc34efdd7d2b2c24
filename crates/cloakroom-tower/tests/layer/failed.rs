//! Requests that fail: what the handler changed is not stored, wherever the layer is.

use cloakroom_core::{Enumerate, Error, Store};
use cloakroom_tower::{Session, SessionOptions};
use http::{Request, StatusCode};

use crate::site::{Reply, Site};

/// A visit that is answered with this status.
async fn visit<F>(
    site: &Site,
    status: StatusCode,
    handler: impl Fn(Session) -> F + Clone + Send + Sync + 'static,
) -> Reply
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let cookie = site.cookie.lock().unwrap().clone();
    let mut request = Request::get("/");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let reply = site
        .respond(request.body(()).unwrap(), async move |session: Option<Session>| {
            handler(session.unwrap()).await.unwrap();
            (status, String::new())
        })
        .await;
    if let Some(line) = reply.lines().last() {
        *site.cookie.lock().unwrap() = line.split(';').next().map(str::to_owned);
    }
    reply
}

/// A handler that failed, a panic that was caught, and what a timeout answers: 408 in tower-http, 503 or 504 elsewhere.
const FAILED: [StatusCode; 4] = [
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
    StatusCode::REQUEST_TIMEOUT,
];

#[tokio::test]
async fn nothing_of_a_failed_request_is_stored() {
    for status in FAILED {
        let site = Site::new();
        let reply = visit(&site, status, async |session| session.insert("n", 1)).await;
        assert!(site.store.calls().is_empty() && reply.lines().is_empty(), "{status}");
        site.write("n", 1).await;
        let sid = site.sid();
        site.store.calls();
        for unsets in [false, true] {
            let reply = visit(&site, status, move |session| async move {
                session.insert("n", 2)?;
                session.touch()?;
                if unsets { session.unset() } else { session.regenerate().await }
            })
            .await;
            assert_eq!(site.store.calls(), ["get_and_touch"], "{status}");
            assert!(reply.lines().is_empty());
        }
        assert_eq!((site.sid(), site.member("n").await), (sid, Some(1)));
    }
}

#[tokio::test]
async fn what_succeeds_is_stored_and_so_is_what_the_browser_is_to_blame_for() {
    for status in [StatusCode::OK, StatusCode::SEE_OTHER, StatusCode::UNPROCESSABLE_ENTITY] {
        let site = Site::new();
        visit(&site, status, async |session| session.insert("n", 1)).await;
        assert_eq!(site.member("n").await, Some(1), "{status}");
    }
}

#[tokio::test]
async fn a_login_that_was_saved_by_hand_stays() {
    for status in FAILED {
        let site = Site::new();
        site.write("cart", 1).await;
        let old = site.sid();
        let reply = visit(&site, status, async |session| {
            session.regenerate_keeping_data().await?;
            session.insert("user", 7)?;
            session.save().await?;
            session.insert("user", 8)?;
            session.insert("late", 1)
        })
        .await;
        assert_eq!(reply.lines().len(), 1, "the browser gets the new id");
        assert_ne!(site.sid(), old);
        for (name, value) in [("cart", Some(1)), ("user", Some(7)), ("late", None)] {
            assert_eq!(site.member(name).await, value, "{status} {name}");
        }
        // Another new id was begun after that.
        let reply = visit(&site, status, async |session| {
            session.regenerate().await?;
            session.insert("user", 9)?;
            session.save().await?;
            session.regenerate().await
        })
        .await;
        assert_eq!((reply.lines().len(), site.member("user").await), (1, Some(9)));
    }
}

#[tokio::test]
async fn a_logout_stays_one() {
    let site = Site::new();
    site.write("n", 1).await;
    let sid = site.sid();
    let reply = visit(&site, FAILED[0], async |session| {
        session.destroy().await?;
        session.regenerate().await?;
        session.insert("flash", 1)
    })
    .await;
    assert!(reply.lines()[0].starts_with("connect.sid=; "));
    assert!(site.record(&sid).await.is_none());
    assert_eq!(site.store.memory().length().await.unwrap(), 0);
}

#[tokio::test]
async fn an_option_stores_it_all_the_same_as_express_does() {
    for options in [SessionOptions::express(), SessionOptions::new()] {
        let secrets = cloakroom_core::Secrets::new(["keyboard cat"]).unwrap();
        let site = Site::with_all(
            options,
            secrets,
            |store| store,
            |options| options.failure.store_failed = true,
        );
        visit(&site, FAILED[0], async |session| session.insert("n", 1)).await;
        assert_eq!(site.member("n").await, Some(1));
    }
    assert!(
        SessionOptions::express().failure.store_failed
            && !SessionOptions::new().failure.store_failed
    );
    let mut options = SessionOptions::express();
    options.failure.store_failed = false;
    let secrets = cloakroom_core::Secrets::new(["keyboard cat"]).unwrap();
    let store = cloakroom_core::MemoryStore::new();
    let error = options.layer(store, secrets).unwrap_err();
    assert!(error.to_string().contains("\"store_failed\""), "{error}");
}

/// What is outside, and drops the request, leaves the same behind as what is inside, and answers.
#[tokio::test]
async fn a_request_that_is_dropped_is_not_stored() {
    let site = Site::new();
    let mut dropped = Box::pin(site.visit(async |session: Session| {
        session.insert("n", 1)?;
        std::future::pending().await
    }));
    assert!(futures::poll!(dropped.as_mut()).is_pending());
    drop(dropped);
    assert!(site.store.calls().is_empty());
    assert!(site.store.memory().get("x").await.unwrap().is_none());
}
