//! Cookies whose session has moved or ended: whoever still sends one can end, block and slow down nobody.

use cloakroom_core::{Enumerate, Store, marker_name};
use cloakroom_tower::Session;
use http::{Request, StatusCode};

use crate::site::{Reply, Site};

fn with_cookie(cookie: &str) -> Request<()> {
    Request::get("/").header("cookie", cookie).body(()).unwrap()
}

/// A login that comes with this cookie. The browser of the site does not see its answer.
async fn login_with(site: &Site, cookie: &str) -> Reply {
    site.send(with_cookie(cookie), async |session: Session| {
        session.regenerate().await?;
        session.insert("user", 8)
    })
    .await
}

fn pair(reply: &Reply) -> String {
    reply.lines()[0].split(';').next().unwrap().to_owned()
}

/// A site with a browser that has logged in, and the cookie that it had before.
async fn logged_in() -> (Site, String) {
    let site = Site::new();
    site.write("cart", 1).await;
    let old = site.cookie.lock().unwrap().clone().unwrap();
    site.visit(async |session: Session| {
        session.regenerate_keeping_data().await?;
        session.insert("user", 7)
    })
    .await;
    (site, old)
}

fn sid_of(cookie: &str) -> String {
    let value = cloakroom_core::find_cookie(cookie.as_bytes(), "connect.sid").unwrap();
    value.strip_prefix("s:").unwrap().rsplit_once('.').unwrap().0.to_owned()
}

/// Such as a bot that never takes a new cookie.
#[tokio::test]
async fn logins_with_a_dead_cookie_cost_the_same_each_time_and_leave_no_marker() {
    let (site, old) = logged_in().await;
    let first = site.sid();
    site.store.calls();
    login_with(&site, &old).await;
    let calls = site.store.calls();
    let mut last = String::new();
    for _ in 0..20 {
        site.clock.advance(30_000);
        let reply = login_with(&site, &old).await;
        assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 1));
        assert_eq!(site.store.calls(), calls);
        last = pair(&reply);
    }
    for id in [sid_of(&old), first, sid_of(&last)] {
        assert!(site.record(&marker_name(&id)).await.is_none());
    }
}

/// Whoever knows the old id must not get hold of what the browser has become.
#[tokio::test]
async fn a_login_with_a_dead_cookie_does_not_end_with_the_browsers() {
    let (site, old) = logged_in().await;
    let stranger = pair(&login_with(&site, &old).await);
    site.send(with_cookie(&stranger), async |session: Session| session.destroy().await).await;
    assert_eq!(site.member("user").await, Some(7));
}

/// The browser keeps the old cookie too, such as one of another path, and sends it with the next login.
#[tokio::test]
async fn a_logout_keeps_nobody_from_logging_in_again_with_the_cookie_before_it() {
    let (site, old) = logged_in().await;
    site.visit(async |session: Session| session.destroy().await).await;
    let reply = login_with(&site, &old).await;
    assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 1));
    assert_eq!(site.store.memory().length().await.unwrap(), 1);
}

/// All of them have loaded the session before the first one moves it.
#[tokio::test]
async fn many_logins_that_race_cost_and_remember_no_more_than_a_few() {
    let site = Site::new();
    site.write("cart", 1).await;
    let (sid, cookie) = (site.sid(), site.cookie.lock().unwrap().clone().unwrap());
    let engine = site.layer.engine();
    let mut sessions = Vec::new();
    for _ in 0..40 {
        sessions.push(engine.load((&with_cookie(&cookie)).into()).await.unwrap().unwrap());
    }
    for session in &sessions {
        session.regenerate_keeping_data().await.unwrap();
        site.store.calls();
        assert!(engine.commit(session).await.unwrap().is_some());
        let calls = site.store.calls().len();
        assert!(calls < 40, "{calls}");
    }
    for id in [&sid, &sessions[0].id(), &sessions[39].id()] {
        let mark = site.record(&marker_name(id)).await.unwrap();
        for name in ["movedTo", "endsWith"] {
            let ids: Vec<String> = mark.get(name).unwrap().unwrap();
            assert!(ids.len() <= 8, "{name}: {}", ids.len());
        }
    }
    // The first two end together whatever comes later.
    site.store.memory().destroy(&sessions[39].id()).await.unwrap();
    site.store.calls();
    let last = engine.load((&with_cookie(&cookie)).into()).await.unwrap().unwrap();
    last.destroy().await.unwrap();
    let calls = site.store.calls().len();
    assert!(calls < 150, "{calls}");
    assert!(site.record(&sessions[0].id()).await.is_none());
}

/// A session that gets a new id with every request, and a browser that sends the first one.
#[tokio::test]
async fn a_logout_follows_a_bounded_number_of_moves() {
    let site = Site::new();
    site.write("cart", 1).await;
    let old = site.cookie.lock().unwrap().clone().unwrap();
    for _ in 0..100 {
        site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    }
    site.store.calls();
    let reply =
        site.send(with_cookie(&old), async |session: Session| session.destroy().await).await;
    assert_eq!(reply.status, StatusCode::OK);
    let calls = site.store.calls().len();
    assert!(calls < 200, "{calls}");
}

/// The request asks for a new id no longer.
#[tokio::test]
async fn a_new_id_that_was_rolled_back_replaces_no_newer_cookie() {
    let (site, old) = logged_in().await;
    let reply = site
        .send(with_cookie(&old), async |session: Session| {
            session.regenerate().await?;
            session.rollback().await?;
            session.insert("flash", 1)
        })
        .await;
    assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 0));
    assert_eq!(site.store.memory().length().await.unwrap(), 1);
}

/// The marker has expired when it writes.
#[tokio::test]
async fn a_slow_request_that_came_with_a_dead_cookie_leaves_a_newer_one_alone() {
    let (site, old) = logged_in().await;
    let engine = site.layer.engine();
    for saves in [false, true] {
        let slow = engine.load((&with_cookie(&old)).into()).await.unwrap().unwrap();
        site.clock.advance(61_000);
        slow.insert("flash", 1).unwrap();
        if saves {
            assert!(!slow.save().await.unwrap());
        }
        assert_eq!(engine.commit(&slow).await.unwrap(), None);
        let told = site.told();
        assert!(told.len() == 1 && told[0].contains("too long"), "{told:?}");
        assert_eq!(site.store.memory().length().await.unwrap(), 1);
    }
}
