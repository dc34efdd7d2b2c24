//! When the browser is sent a cookie, and which.

use cloakroom_core::Secrets;
use cloakroom_tower::{Proxy, SameSitePolicy, Secure, Session};
use http::Request;

use crate::site::{NOW, Site};

#[tokio::test]
async fn a_browser_session_is_told_once() {
    let site = Site::new();
    let reply = site.write("n", 1).await;
    let lines = reply.lines();
    let (pair, attributes) = lines[0].split_once("; ").unwrap();
    assert!(pair.starts_with("connect.sid=s%3A"), "{pair}");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
    for value in 2..5 {
        assert!(site.write("n", value).await.lines().is_empty());
    }
}

#[tokio::test]
async fn a_persistent_one_is_told_when_its_end_has_moved() {
    let site = Site::for_a_minute();
    let reply = site.write("n", 1).await;
    assert!(
        reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:14:20 GMT"),
        "{:?}",
        reply.lines()
    );
    site.clock.advance(10_000);
    assert!(site.read().await.lines().is_empty());
    let reply = site.write("n", 2).await;
    assert!(
        reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:14:30 GMT"),
        "{:?}",
        reply.lines()
    );
}

#[tokio::test]
async fn the_browsers_copy_is_extended_when_a_quarter_of_its_life_is_over() {
    let site = Site::for_a_minute();
    site.write("n", 1).await;
    // Seconds that pass, commands, and cookies.
    for (seconds, commands, cookies) in [(15, 1, 0), (1, 2, 1), (15, 1, 0), (25, 2, 1)] {
        site.store.calls();
        site.clock.advance(seconds * 1_000);
        let reply = site.read().await;
        assert_eq!((site.store.calls().len(), reply.lines().len()), (commands, cookies));
    }
    let site = site
        .rebuilt(Secrets::new(["keyboard cat"]).unwrap(), |options| options.expiry.rolling = false);
    site.clock.advance(50_000);
    site.store.calls();
    let reply = site.read().await;
    assert_eq!((site.store.calls().len(), reply.lines().len()), (1, 0));
}

#[tokio::test]
async fn a_cookie_that_the_handler_changes_is_told() {
    let site = Site::new();
    site.write("n", 1).await;
    let reply = site
        .visit(async |session: Session| {
            let mut cookie = session.cookie();
            cookie.set_max_age_ms(Some(5_000), NOW)?;
            session.set_cookie(cookie)
        })
        .await;
    let record = site.record(&site.sid()).await.unwrap();
    assert_eq!(record.cookie().original_max_age_ms(), Some(5_000), "it is stored, too");
    assert!(
        reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:13:25 GMT"),
        "{:?}",
        reply.lines()
    );
}

#[tokio::test]
async fn an_old_secret_is_replaced_when_it_is_met() {
    let site = Site::for_a_minute();
    site.write("n", 1).await;
    let old = site.cookie.lock().unwrap().clone();
    let site = site.rebuilt(Secrets::new(["new", "keyboard cat"]).unwrap(), |_| {});
    site.store.calls();
    let reply = site.read().await;
    // The second one asks whether it is still there.
    assert_eq!(site.store.calls(), ["get_and_touch", "get"]);
    assert!(
        reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:14:20 GMT"),
        "{:?}",
        reply.lines()
    );
    assert_ne!(*site.cookie.lock().unwrap(), old);
    assert!(site.read().await.lines().is_empty());
    let site = site.rebuilt(Secrets::new(["new"]).unwrap(), |_| {});
    site.visit(async |session: Session| {
        assert_eq!(session.get::<i32>("n")?, Some(1));
        Ok(())
    })
    .await;
}

/// Express extends a session in Redis and in the browser, and not in the record, when it rolls.
#[tokio::test]
async fn a_cookie_that_is_signed_anew_does_not_end_what_the_store_keeps_alive() {
    let site = Site::with(|options| {
        options.cookie.max_age = Some(crate::site::MINUTE);
        options.expiry.rolling = false;
    });
    site.write("n", 1).await;
    for _ in 0..2 {
        site.clock.advance(40_000);
        assert!(site.read().await.lines().is_empty());
    }
    let site = site.rebuilt(Secrets::new(["new", "keyboard cat"]).unwrap(), |_| {});
    let reply = site.read().await;
    assert!(
        reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:15:40 GMT"),
        "{:?}",
        reply.lines()
    );
}

#[tokio::test]
async fn destroying_a_session_makes_the_browser_forget_it() {
    let site = Site::with(|options| {
        options.ids.cookie_name = "__Host-sid".to_owned();
        options.cookie.secure = Some(Secure::Always);
        options.proxy = Proxy::Trusted;
    });
    let request = |cookie: Option<&str>| {
        let request = Request::get("/").header("x-forwarded-proto", "https");
        match cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
        .body(())
        .unwrap()
    };
    let reply = site.send(request(None), async |session: Session| session.insert("n", 1)).await;
    let cookie = reply.lines()[0].split(';').next().unwrap().to_owned();
    site.store.calls();
    let reply =
        site.send(request(Some(&cookie)), async |session: Session| session.destroy().await).await;
    // The last one is the marker.
    assert_eq!(site.store.calls(), ["get_and_touch", "destroy", "create"]);
    // `__Host-` cookies are refused without Secure, and Path=/ is part of a cookie's identity.
    assert_eq!(
        reply.lines(),
        [
            "__Host-sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax"
        ]
    );
    // Nobody has a cookie to forget.
    let reply = site.send(request(None), async |session: Session| session.destroy().await).await;
    assert!(reply.lines().is_empty() && site.store.calls().is_empty());
}

#[tokio::test]
async fn a_session_can_follow_one_that_was_destroyed() {
    let site = Site::new();
    site.write("n", 1).await;
    let old = site.sid();
    let reply = site
        .visit(async |session: Session| {
            session.destroy().await?;
            assert!(session.insert("n", 2).is_err());
            session.regenerate().await?;
            session.insert("flash", 1)
        })
        .await;
    assert_eq!(reply.lines().len(), 1);
    assert!(site.record(&old).await.is_none());
    assert_eq!(site.member("flash").await, Some(1));
    let reply = site
        .visit(async |session: Session| {
            session.destroy().await?;
            session.regenerate().await
        })
        .await;
    assert!(reply.lines()[0].starts_with("connect.sid=; "), "an empty one is not stored");
}

/// Such as behind a proxy whose header is not believed.
#[tokio::test]
async fn a_secure_cookie_is_not_sent_with_a_request_that_is_not_secure() {
    let site = Site::with(|options| {
        options.cookie.secure = Some(Secure::Always);
        options.cookie.max_age = Some(crate::site::MINUTE);
        options.proxy = Proxy::Trusted;
    });
    let request = Request::get("/").header("x-forwarded-proto", "https").body(()).unwrap();
    let reply = site.send(request, async |session: Session| session.insert("n", 1)).await;
    let cookie = reply.lines()[0].split(';').next().unwrap().to_owned();
    *site.cookie.lock().unwrap() = Some(cookie);
    site.clock.advance(5_000);
    assert!(site.write("n", 2).await.lines().is_empty());
    assert_eq!(site.member("n").await, Some(2), "it is written anyway");
}

#[tokio::test]
async fn a_secure_session_that_is_saved_by_hand_or_replaces_another_is_an_error_then() {
    let site = Site::with(|options| {
        options.cookie.secure = Some(Secure::Always);
        options.proxy = Proxy::Trusted;
    });
    site.visit(async |session: Session| {
        let error = session.save().await.unwrap_err();
        assert!(error.to_string().contains("\"proxy\""), "{error}");
        Ok(())
    })
    .await;
    assert!(site.store.calls().is_empty());
    let request = Request::get("/").header("x-forwarded-proto", "https").body(()).unwrap();
    let reply = site.send(request, async |session: Session| session.insert("n", 1)).await;
    *site.cookie.lock().unwrap() = reply.lines()[0].split(';').next().map(str::to_owned);
    let reply = site.visit(async |session: Session| session.regenerate().await).await;
    assert_eq!(reply.status, http::StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(site.member("n").await, Some(1), "the old one is as it was");
}

/// Written by an older or another program; Express answers 200 without the cookie, too.
#[tokio::test]
async fn a_record_whose_cookie_cannot_be_sent_costs_the_line_and_no_more() {
    for attribute in
        [r#""sameSite":"auto""#, r#""domain":"my_app.example.com""#, r#""priority":"urgent""#]
    {
        let site = Site::new();
        site.write("n", 1).await;
        site.store.holds(format!(
            r#"{{"cookie":{{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","path":"/",{attribute}}}}}"#
        ));
        site.clock.advance(1_000);
        let reply = site.write("n", 2).await;
        assert_eq!((reply.status, reply.lines().len()), (http::StatusCode::OK, 0), "{attribute}");
        assert_eq!(site.told().len(), 1);
        assert_eq!(site.member("n").await, Some(2));
        let reply = site.visit(async |session: Session| session.destroy().await).await;
        assert!(reply.lines()[0].starts_with("connect.sid=; "), "{attribute}");
    }
}

#[tokio::test]
async fn auto_follows_the_request_that_makes_the_session() {
    let site = Site::with(|options| {
        options.cookie.same_site = Some(SameSitePolicy::Auto);
        options.proxy = Proxy::Trusted;
    });
    for (proto, attributes) in [
        ("https", "Path=/; HttpOnly; Secure; SameSite=None"),
        ("http", "Path=/; HttpOnly; SameSite=Lax"),
    ] {
        let request = Request::get("/").header("x-forwarded-proto", proto).body(()).unwrap();
        let reply = site.send(request, async |session: Session| session.insert("n", 1)).await;
        assert_eq!(reply.lines()[0].split_once("; ").unwrap().1, attributes);
    }
}

#[tokio::test]
async fn what_a_function_answers_is_checked_too() {
    for (domain, same_site) in [(Some("a b"), None), (None, Some(SameSitePolicy::None))] {
        let site = Site::with(|options| {
            options.cookie_for = Some(std::sync::Arc::new(move |_| {
                let mut cookie = cloakroom_tower::CookieOptions::default();
                (cookie.domain, cookie.same_site) = (domain.map(str::to_owned), same_site);
                cookie
            }));
        });
        assert_eq!(site.read().await.status, http::StatusCode::INTERNAL_SERVER_ERROR);
        assert!(site.told()[0].starts_with("session: options: "));
    }
}

#[tokio::test]
async fn options_can_be_a_function_of_the_request() {
    let site = Site::with(|options| {
        options.cookie_for = Some(std::sync::Arc::new(|head| {
            let mut cookie = cloakroom_tower::CookieOptions::default();
            cookie.domain =
                head.headers().get("host").and_then(|host| host.to_str().ok()).map(str::to_owned);
            cookie
        }));
        options.ids.genid = Some(std::sync::Arc::new(|head| Ok(format!("for{}", head.path()))));
    });
    let request = Request::get("/x").header("host", "shop.example").body(()).unwrap();
    let reply = site
        .send(request, async |session: Session| {
            session.regenerate().await?;
            session.insert("n", 1)
        })
        .await;
    let line = reply.lines()[0].to_owned();
    assert!(line.starts_with("connect.sid=s%3Afor%2Fx."), "{line}");
    assert!(line.contains("Domain=shop.example"), "{line}");
}
