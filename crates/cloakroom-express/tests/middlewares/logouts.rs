//! Logouts that keep the session's other members, and the requests that they meet.

use std::time::Duration;

use cloakroom_express::{flash, passport};
use cloakroom_tower::Session;
use http::StatusCode;

use crate::site::Site;

const CART: (&str, &str) = ("cart", "[1.0]");
const ANN: (&str, &str) = ("passport", r#"{"user":"ann","extra":1.0}"#);
/// What Passport leaves of the two.
const LEFT: &str = r#"cart=[1.0] passport={"extra":1.0}"#;

/// Asserts that a session is gone, or has no user.
async fn assert_out(site: &Site, session: &Session) {
    let stored = site.stored(&session.id()).await.unwrap_or_default();
    assert!(!stored.contains("user"), "{stored}");
}

#[tokio::test]
async fn a_session_that_moves_as_its_user_logs_out_is_logged_out_whichever_comes_first() {
    for moves_first in [true, false] {
        let mut site = Site::safe(&[CART, ANN]).await;
        let (moving, leaving) = (site.visit().await, site.visit().await);
        moving.regenerate_keeping_data().await.unwrap();
        if moves_first {
            assert!(site.engine.commit(&moving).await.unwrap().is_some());
        }
        passport::logout_keeping_data(&leaving).await.unwrap();
        site.end(&leaving).await;
        if !moves_first {
            // As with any other logout: what did not happen must not look as if it had.
            site.engine.commit(&moving).await.unwrap_err();
            assert_eq!(site.engine.cookie_after_error(&moving), None);
        }
        assert_out(&site, &moving).await;
        assert_eq!(site.stored(&leaving.id()).await.as_deref(), Some(LEFT));
        assert_eq!(site.visit().await.id(), leaving.id());
    }
}

#[tokio::test]
async fn a_login_as_another_user_that_meets_a_logout_with_the_data_is_an_error() {
    let mut site = Site::safe(&[CART, ANN]).await;
    let (slow, leaving) = (site.visit().await, site.visit().await);
    passport::logout_keeping_data(&leaving).await.unwrap();
    site.end(&leaving).await;
    passport::login_keeping_data(&slow, "bob").await.unwrap();
    site.engine.commit(&slow).await.unwrap_err();
    assert_out(&site, &slow).await;
}

#[tokio::test]
async fn two_logouts_at_once_that_keep_the_data_leave_one_session() {
    let mut site = Site::safe(&[CART, ANN]).await;
    let (first, second) = (site.visit().await, site.visit().await);
    for session in [&first, &second] {
        passport::logout_keeping_data(session).await.unwrap();
        flash::add(session, "info", "goodbye").unwrap();
    }
    site.end(&first).await;
    assert_eq!(site.engine.commit(&second).await.unwrap(), None);
    let stored = format!("{LEFT} flash={{\"info\":[\"goodbye\"]}}");
    assert_eq!(site.stored(&first.id()).await.as_deref(), Some(&*stored));
    assert_eq!(site.stored(&second.id()).await, None);
}

#[tokio::test]
async fn a_logout_keeps_what_another_request_has_added_since_it_began() {
    let mut site = Site::safe(&[CART, ANN]).await;
    let (leaving, adding) = (site.visit().await, site.visit().await);
    adding.insert("seen", 1).unwrap();
    site.engine.commit(&adding).await.unwrap();
    passport::logout_keeping_data(&leaving).await.unwrap();
    site.end(&leaving).await;
    let stored = format!("{LEFT} seen=1");
    assert_eq!(site.stored(&leaving.id()).await.as_deref(), Some(&*stored));
}

#[tokio::test]
async fn a_logout_keeps_the_life_of_the_session_and_its_end() {
    for mut site in [Site::safe(&[CART, ANN]).await, Site::express(&[CART, ANN]).await] {
        let session = site.visit().await;
        session.set_max_age(Duration::from_secs(3_600)).unwrap();
        session.set_end_after(Duration::from_secs(7_200)).unwrap();
        let end = session.ends_at_ms().unwrap();
        site.end(&session).await;
        let session = site.visit().await;
        passport::logout_keeping_data(&session).await.unwrap();
        site.end(&session).await;
        let session = site.visit().await;
        assert_eq!(session.cookie().original_max_age_ms(), Some(3_600_000));
        assert!(end.is_some() && session.ends_at_ms().unwrap() == end);
    }
}

/// Other languages write it, and it says when the session ends.
#[tokio::test]
async fn a_logout_keeps_an_expiry_without_a_max_age() {
    let mut site = Site::safe(&[CART, ANN]).await;
    let id = site.visit().await.id();
    let text = r#"{"cookie":{"path":"/","expires":"2100-01-01T00:00:00.000Z"},"cart":[1.0]}"#;
    let record = cloakroom_core::SessionData::from_json(text).unwrap();
    site.engine.store().set(&id, &record).await.unwrap();
    let session = site.visit().await;
    passport::logout_keeping_data(&session).await.unwrap();
    site.end(&session).await;
    let cookie = site.visit().await.cookie();
    let end = record.cookie().expires_ms();
    assert!(end.is_some() && cookie.expires_ms() == end && cookie.original_max_age_ms().is_none());
}

/// The old session ends at once, so what it leaves has to be stored at once.
#[tokio::test]
async fn a_logout_that_keeps_the_data_stays_one_if_the_request_fails() {
    let site = Site::safe(&[CART, ANN]).await;
    let session = site.visit().await;
    let old = session.id();
    passport::logout_keeping_data(&session).await.unwrap();
    session.insert("late", 1).unwrap();
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    let line = site.engine.commit_with_status(&session, failed).await.unwrap().unwrap();
    assert!(line.to_str().unwrap().starts_with("connect.sid=s%3A"));
    assert_eq!(site.stored(&old).await, None);
    assert_eq!(site.stored(&session.id()).await.as_deref(), Some(LEFT));
}

#[tokio::test]
async fn a_logout_of_a_visitor_without_a_session_stores_nothing() {
    let mut site = Site::safe(&[]).await;
    let session = site.visit().await;
    passport::logout_keeping_data(&session).await.unwrap();
    site.end(&session).await;
    assert_eq!(site.stored(&session.id()).await, None);
}

/// Other languages can store it. Express drops it when it reads the session.
#[tokio::test]
async fn a_member_that_express_could_not_keep_stops_no_logout() {
    let mut site = Site::safe(&[CART, ANN]).await;
    let session = site.visit().await;
    let text = r#"{"cookie":{"path":"/"},"cart":[1.0],"save":1,"passport":{"user":"ann"}}"#;
    let record = cloakroom_core::SessionData::from_json(text).unwrap();
    site.engine.store().set(&session.id(), &record).await.unwrap();
    let session = site.visit().await;
    passport::logout_keeping_data(&session).await.unwrap();
    site.end(&session).await;
    assert_eq!(site.stored(&session.id()).await.as_deref(), Some("cart=[1.0] passport={}"));
}
