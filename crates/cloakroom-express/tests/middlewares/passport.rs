//! Logins and logouts.

use cloakroom_core::ErrorKind;
use cloakroom_express::passport;
use cloakroom_tower::SessionOptions;

use crate::site::Site;

const CART: (&str, &str) = ("cart", "[1.0]");
const ANN: (&str, &str) = ("passport", r#"{"user":"ann","extra":1.0}"#);

#[tokio::test]
async fn a_login_gets_a_new_id_and_drops_what_was_there() {
    for mut site in [Site::safe(&[CART, ANN]).await, Site::express(&[CART, ANN]).await] {
        let session = site.visit().await;
        let old = session.id();
        passport::login(&session, 7).await.unwrap();
        assert_eq!(passport::user::<u64>(&session).unwrap(), Some(7));
        site.end(&session).await;
        assert_ne!(session.id(), old);
        assert_eq!(site.stored(&old).await, None);
        assert_eq!(site.stored(&session.id()).await.as_deref(), Some(r#"passport={"user":7}"#));
        assert_eq!(passport::user::<u64>(&site.visit().await).unwrap(), Some(7));
    }
}

#[tokio::test]
async fn a_login_that_keeps_the_data_keeps_every_byte() {
    for mut site in [Site::safe(&[CART, ANN]).await, Site::express(&[CART, ANN]).await] {
        let session = site.visit().await;
        let old = session.id();
        passport::login_keeping_data(&session, "bob").await.unwrap();
        site.end(&session).await;
        assert_eq!(site.stored(&old).await, None);
        let stored = r#"cart=[1.0] passport={"user":"bob","extra":1.0}"#;
        assert_eq!(site.stored(&session.id()).await.as_deref(), Some(stored));
    }
}

#[tokio::test]
async fn a_user_that_passport_would_not_find_changes_nothing() {
    let mut site = Site::safe(&[CART, ANN]).await;
    let session = site.visit().await;
    let id = session.id();
    for refused in [
        passport::login(&session, "").await,
        passport::login(&session, None::<u64>).await,
        passport::login_keeping_data(&session, false).await,
        passport::login(&session, u64::MAX).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidData);
    }
    assert_eq!(passport::user::<String>(&session).unwrap().as_deref(), Some("ann"));
    site.end(&session).await;
    assert_eq!(session.id(), id);
}

#[tokio::test]
async fn a_user_of_another_type_is_an_error_that_shows_nothing() {
    let site = Site::safe(&[ANN]).await;
    let error = passport::user::<u64>(&site.visit().await).unwrap_err();
    assert_eq!(error.to_string(), "session: user: passport.user is not a valid u64");
    assert!(!format!("{error:?}").contains("ann"));
}

#[tokio::test]
async fn a_logout_leaves_nothing_and_stores_no_empty_session() {
    let mut frugal = SessionOptions::express();
    (frugal.resave, frugal.save_uninitialized) = (false, false);
    for (options, is_express) in
        [(SessionOptions::new(), false), (SessionOptions::express(), true), (frugal, true)]
    {
        let site = Site::with(options, &[CART, ANN]).await;
        let session = site.visit().await;
        let old = session.id();
        passport::logout(&session).await.unwrap();
        assert_eq!(passport::user::<String>(&session).unwrap(), None);
        let line = site.engine.commit(&session).await.unwrap().unwrap();
        assert_eq!(site.stored(&old).await, None);
        // Express stores it, since a session with a new id counts as modified whatever `saveUninitialized` says.
        assert_eq!(site.stored(&session.id()).await.as_deref(), is_express.then_some(""));
        assert_eq!(line.to_str().unwrap().starts_with("connect.sid=s%3A"), is_express);
    }
}

#[tokio::test]
async fn a_logout_that_keeps_the_data_leaves_what_passport_leaves() {
    for mut site in [Site::safe(&[CART, ANN]).await, Site::express(&[CART, ANN]).await] {
        let session = site.visit().await;
        let old = session.id();
        passport::logout_keeping_data(&session).await.unwrap();
        site.end(&session).await;
        assert_eq!(site.stored(&old).await, None);
        let stored = r#"cart=[1.0] passport={"extra":1.0}"#;
        assert_eq!(site.stored(&session.id()).await.as_deref(), Some(stored));
    }
}

#[tokio::test]
async fn a_slower_request_does_not_undo_a_logout() {
    for keeps in [false, true] {
        let mut site = Site::safe(&[CART, ANN]).await;
        let (slow, session) = (site.visit().await, site.visit().await);
        let old = session.id();
        if keeps {
            passport::logout_keeping_data(&session).await.unwrap();
        } else {
            passport::logout(&session).await.unwrap();
        }
        site.end(&session).await;
        slow.insert("seen", 1).unwrap();
        site.end(&slow).await;
        assert_eq!(site.stored(&old).await, None, "{keeps}");
        assert_eq!(passport::user::<String>(&site.visit().await).unwrap(), None, "{keeps}");
    }
    // The express preset brings it back, as Express does.
    let mut site = Site::express(&[CART, ANN]).await;
    let (slow, session) = (site.visit().await, site.visit().await);
    passport::logout(&session).await.unwrap();
    site.engine.commit(&session).await.unwrap();
    slow.insert("seen", 1).unwrap();
    site.end(&slow).await;
    assert!(site.stored(&slow.id()).await.unwrap().contains(r#""user":"ann""#));
}

#[tokio::test]
async fn a_user_who_no_longer_exists_is_forgotten_and_the_rest_stays() {
    let mut site = Site::safe(&[CART, ("passport", r#"{"user":"gone"}"#)]).await;
    let session = site.visit().await;
    passport::forget_user(&session).unwrap();
    site.end(&session).await;
    assert_eq!(site.stored(&session.id()).await.as_deref(), Some("cart=[1.0] passport={}"));
}

#[tokio::test]
async fn the_way_back_is_taken_once_and_leads_to_this_site_only() {
    for (noted, path) in [
        (r#""/a/b?x=1&y=%20""#, Some("/a/b?x=1&y=%20")),
        (r#""\/a""#, Some("/a")),
        (r#""//evil.example""#, None),
        (r#""https://evil.example/""#, None),
        ("7", None),
        ("null", None),
    ] {
        let mut site = Site::safe(&[("returnTo", noted), CART]).await;
        let session = site.visit().await;
        assert_eq!(passport::take_return_to(&session).unwrap().as_deref(), path, "{noted}");
        assert_eq!(passport::take_return_to(&session).unwrap(), None);
        site.end(&session).await;
        assert_eq!(site.stored(&session.id()).await.as_deref(), Some("cart=[1.0]"));
    }
    let session = Site::safe(&[CART]).await.visit().await;
    passport::set_return_to(&session, "/a").unwrap();
    passport::set_return_to(&session, "//evil.example").unwrap();
    assert_eq!(passport::take_return_to(&session).unwrap(), None);
}
