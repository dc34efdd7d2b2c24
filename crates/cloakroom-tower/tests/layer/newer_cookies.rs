//! A response never replaces a newer cookie, a logout ends all that the browser sent, and a move takes new attributes.

use std::time::Duration;

use cloakroom_core::{
    Cookie, Enumerate, ErrorKind, Secrets, SessionData, Store, is_marker, marker_name,
};
use cloakroom_tower::{IdFormat, Proxy, Secure, Session, SessionOptions};
use http::{Request, StatusCode};

use crate::site::{MINUTE, NOW, Site};

fn with_cookie(cookie: &str) -> Request<()> {
    Request::get("/").header("cookie", cookie).body(()).unwrap()
}

/// Both ways in which a login leaves the old id.
#[derive(Clone, Copy, Debug)]
enum Login {
    Fresh,
    Keeping,
}

async fn login(session: Session, how: Login) -> Result<(), cloakroom_core::Error> {
    match how {
        Login::Fresh => session.regenerate().await?,
        Login::Keeping => session.regenerate_keeping_data().await?,
    }
    session.insert("user", 7)
}

#[tokio::test]
async fn a_slow_read_that_signs_anew_leaves_a_newer_cookie_alone() {
    for how in [Login::Fresh, Login::Keeping] {
        let site = Site::new();
        site.write("n", 1).await;
        let site = site.rebuilt(Secrets::new(["new", "keyboard cat"]).unwrap(), |_| {});
        let old = site.cookie.lock().unwrap().clone().unwrap();
        let slow = site.layer.engine().load((&with_cookie(&old)).into()).await.unwrap().unwrap();
        let reply = site.visit(async move |session: Session| login(session, how).await).await;
        assert_eq!(reply.lines().len(), 1);
        assert_eq!(site.layer.engine().commit(&slow).await.unwrap(), None, "{how:?}");
        // So does one that was logged out.
        let new = site.cookie.lock().unwrap().clone().unwrap();
        let slow = site.layer.engine().load((&with_cookie(&new)).into()).await.unwrap().unwrap();
        slow.insert("n", 2).unwrap();
        assert!(slow.save().await.unwrap());
        site.visit(async |session: Session| session.destroy().await).await;
        assert_eq!(site.layer.engine().commit(&slow).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_cookie_that_cannot_be_judged_is_signed_anew_next_time() {
    let site = Site::new();
    site.write("n", 1).await;
    let site = site.rebuilt(Secrets::new(["new", "keyboard cat"]).unwrap(), |_| {});
    site.store.fail(&["get"], ErrorKind::Unavailable);
    let reply = site.read().await;
    assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 0));
    assert_eq!(site.told(), ["log: get: told to fail"]);
    site.store.fail(&[], ErrorKind::Unavailable);
    assert_eq!(site.read().await.lines().len(), 1);
}

#[tokio::test]
async fn a_request_that_comes_with_the_old_cookie_just_after_a_login_gets_none() {
    for how in [Login::Fresh, Login::Keeping] {
        for by_hand in [false, true] {
            let site = Site::new();
            site.write("n", 1).await;
            let old = site.cookie.lock().unwrap().clone().unwrap();
            site.visit(async move |session: Session| login(session, how).await).await;
            let reply = site
                .send(with_cookie(&old), async move |session: Session| {
                    assert!(session.is_new() && session.get::<i32>("n")?.is_none());
                    session.insert("flash", 1)?;
                    if by_hand {
                        assert!(!session.save().await?);
                    }
                    Ok(())
                })
                .await;
            assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 0), "{how:?}");
            let told = site.told();
            assert!(told.len() == 1 && told[0].contains("moved to a new id"), "{told:?}");
            assert_eq!(site.store.memory().length().await.unwrap(), 1);
            assert_eq!(site.member("user").await, Some(7), "the browser's is the login");
            // Whoever logs in with it means to.
            let reply =
                site.send(with_cookie(&old), async move |session| login(session, how).await).await;
            assert_eq!(reply.lines().len(), 1);
            // In the end it is as any other cookie of a session that is gone.
            site.clock.advance(61_000);
            let reply = site.send(with_cookie(&old), async |session| session.insert("n", 1)).await;
            assert_eq!(reply.lines().len(), 1);
        }
    }
}

/// Of those that meet, the later one finds the session logged out, and the browser may be logged in again.
#[tokio::test]
async fn a_logout_that_comes_second_leaves_a_newer_cookie_alone() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.cookie.lock().unwrap().clone().unwrap();
    let slow = site.layer.engine().load((&with_cookie(&old)).into()).await.unwrap().unwrap();
    let reply = site.visit(async |session: Session| session.destroy().await).await;
    assert!(reply.lines()[0].starts_with("connect.sid=; "));
    site.visit(async |session: Session| login(session, Login::Fresh).await).await;
    slow.destroy().await.unwrap();
    assert_eq!(site.layer.engine().commit(&slow).await.unwrap(), None);
    assert_eq!(site.member("user").await, Some(7));
}

#[tokio::test]
async fn a_late_logout_with_the_old_cookie_ends_what_it_became() {
    for unsets in [false, true] {
        let site = Site::new();
        site.write("n", 1).await;
        let old = site.cookie.lock().unwrap().clone().unwrap();
        for _ in 0..3 {
            site.visit(async |session: Session| login(session, Login::Keeping).await).await;
        }
        let reply =
            site.send(with_cookie(&old), async move |session: Session| {
                if unsets { session.unset() } else { session.destroy().await }
            })
            .await;
        assert!(reply.lines()[0].starts_with("connect.sid=; "));
        assert_eq!(site.store.memory().length().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_logout_ends_every_session_that_the_browser_sent() {
    for unsets in [false, true] {
        let site = Site::new();
        let mut cookies = Vec::new();
        for _ in 0..3 {
            *site.cookie.lock().unwrap() = None;
            site.write("n", 1).await;
            cookies.push(site.cookie.lock().unwrap().clone().unwrap());
        }
        let stranger = cookies.pop().unwrap();
        let reply = site
            .send(with_cookie(&cookies.join("; ")), async move |session: Session| {
                if unsets { session.unset() } else { session.destroy().await }
            })
            .await;
        assert!(reply.lines()[0].starts_with("connect.sid=; "));
        let seen = site
            .send(with_cookie(&cookies.join("; ")), async |session: Session| {
                assert!(session.is_new());
                Ok(())
            })
            .await;
        assert_eq!(seen.status, StatusCode::OK);
        assert_eq!(site.store.memory().length().await.unwrap(), 1);
        site.send(with_cookie(&stranger), async |session: Session| {
            assert!(!session.is_new());
            Ok(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_move_takes_the_options_attributes_and_keeps_the_life() {
    let hour = Duration::from_secs(3_600);
    for options in [SessionOptions::new(), SessionOptions::express()] {
        for life in [None, Some(hour)] {
            let secrets = Secrets::new(["keyboard cat"]).unwrap();
            let site = Site::with_all(
                options.clone(),
                secrets,
                |store| store,
                |options| {
                    options.cookie.secure = Some(Secure::Auto);
                    options.cookie.same_site = Some(cloakroom_tower::SameSitePolicy::Lax);
                    options.cookie.max_age = Some(MINUTE);
                    options.proxy = Proxy::Trusted;
                },
            );
            // As Express makes it, with the defaults.
            let mut cookie = Cookie::new();
            cookie.set_max_age(life, NOW).unwrap();
            cookie.set_path(Some("/old"));
            site.store.memory().set("made", &SessionData::with_cookie(cookie)).await.unwrap();
            let value = Secrets::new(["keyboard cat"]).unwrap().cookie_value("made");
            let request = Request::get("/")
                .header("cookie", format!("connect.sid={value}"))
                .header("x-forwarded-proto", "https")
                .body(())
                .unwrap();
            let reply =
                site.send(request, async |session| login(session, Login::Keeping).await).await;
            let line = reply.lines()[0].to_owned();
            assert!(line.contains("; Path=/; "), "{line}");
            assert!(line.contains("; Secure") && line.contains("; SameSite=Lax"), "{line}");
            assert_eq!(
                line.contains("Expires=Tue, 14 Nov 2023 23:13:20 GMT"),
                life.is_some(),
                "{line}"
            );
            assert_eq!(line.contains("Expires"), life.is_some(), "{line}");
        }
    }
}

/// The id alone is the secret of next-session, whose own site would take a marker for a session.
#[tokio::test]
async fn plain_ids_have_no_markers_and_no_cookie_leads_to_one() {
    let options = SessionOptions::next_session();
    let site = Site::with_all(options, IdFormat::Plain, |store| store, |_| {});
    let reply = site.send(Request::new(()), async |session| session.insert("n", 1)).await;
    let old = reply.lines()[0].split([';', '=']).nth(1).unwrap().to_owned();
    let cookie = format!("sid={old}");
    site.send(with_cookie(&cookie), async |session| login(session, Login::Keeping).await).await;
    let name = marker_name(&old);
    assert!(is_marker(&name) && site.record(&name).await.is_none());
    // One that another service has written is not a session here, either.
    site.store.memory().set(&name, &SessionData::new()).await.unwrap();
    site.store.calls();
    site.send(with_cookie(&format!("sid={name}")), async |session: Session| {
        assert!(session.is_new());
        Ok(())
    })
    .await;
    assert!(site.store.calls().is_empty());
}

/// Such as ids of a shape of their own.
#[tokio::test]
async fn a_store_that_cannot_keep_a_marker_moves_and_ends_sessions_without() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    site.store.refuse_markers();
    site.visit(async |session: Session| login(session, Login::Keeping).await).await;
    assert!(site.record(&old).await.is_none());
    assert_eq!((site.member("n").await, site.member("user").await), (Some(1), Some(7)));
    let reply = site.visit(async |session: Session| session.destroy().await).await;
    assert!(reply.lines()[0].starts_with("connect.sid=; "));
    assert_eq!(site.store.memory().length().await.unwrap(), 0);
}
