//! The express preset, where the replayed fixtures have no case: keeping data, quoted cookies, texts of stored cookies.

use cloakroom_core::{ErrorKind, Secrets, SessionData, Store};
use cloakroom_tower::{Session, SessionOptions};
use http::StatusCode;

use crate::site::Site;

fn site(change: impl FnOnce(&mut SessionOptions)) -> Site {
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let mut options = SessionOptions::express();
    options.resave = false;
    options.save_uninitialized = false;
    Site::with_all(options, secrets, |store| store, change)
}

async fn visit_with(site: &Site, record: &str) {
    site.store.memory().set("abc", &SessionData::from_json(record).unwrap()).await.unwrap();
    let value = Secrets::new(["keyboard cat"]).unwrap().cookie_value("abc");
    *site.cookie.lock().unwrap() = Some(format!("connect.sid={value}"));
    site.write("b", 2).await;
}

/// Vectors J16 and J20 of the recorded ones: Express prints the cookie again.
#[tokio::test]
async fn a_cookie_is_written_in_expresss_order_whatever_it_was() {
    let site = site(|_| {});
    let rows = [
        (
            r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/","sameSite":"lax","domain":"example.com","secure":false,"partitioned":true,"priority":"high"},"a":1}"#,
            r#"{"cookie":{"originalMaxAge":null,"partitioned":true,"priority":"high","expires":null,"secure":false,"httpOnly":true,"domain":"example.com","path":"/","sameSite":"lax"},"a":1,"b":2}"#,
        ),
        (
            r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/","secure":true},"a":1}"#,
            r#"{"cookie":{"originalMaxAge":null,"expires":null,"secure":true,"httpOnly":true,"path":"/"},"a":1,"b":2}"#,
        ),
    ];
    for (stored, written) in rows {
        visit_with(&site, stored).await;
        assert_eq!(site.record("abc").await.unwrap().to_json(), written);
    }
}

/// Vectors J22 and J23.
#[tokio::test]
async fn a_cookie_that_express_cannot_read_is_500() {
    for cookie in ["null", "\"x\"", "true", "1", "{\"maxAge\":\"1\"}", "{\"m\\u0061xAge\":true}"] {
        let site = site(|_| {});
        site.write("n", 1).await;
        site.store.holds(format!("{{\"cookie\":{cookie}}}"));
        assert_eq!(site.read().await.status, StatusCode::INTERNAL_SERVER_ERROR, "{cookie}");
    }
}

/// express-session stores it for `maxAge: ''`.
#[tokio::test]
async fn an_empty_expiry_is_sent_as_a_session_cookie() {
    let site = site(|_| {});
    visit_with(
        &site,
        r#"{"cookie":{"originalMaxAge":"","expires":"","httpOnly":true,"path":"/"}}"#,
    )
    .await;
    let stored =
        r#"{"cookie":{"originalMaxAge":"","expires":"","httpOnly":true,"path":"/"},"b":2}"#;
    assert_eq!(site.record("abc").await.unwrap().to_json(), stored);
    let reply = site.write("c", 3).await;
    let line = reply.lines()[0].split_once("; ").unwrap().1.to_owned();
    assert_eq!(line, "Path=/; HttpOnly");
}

/// Its `touch` throws at the end of the request.
#[tokio::test]
async fn a_max_age_that_is_no_number_stores_and_sends_nothing() {
    for age in ["\"60000\"", "true", "{}", "[]", "\"\\ud800\""] {
        let site = site(|options| options.expiry.rolling = true);
        let cookie = format!(
            r#""cookie":{{"originalMaxAge":{age},"expires":"2100-01-01T00:00:00.000Z","httpOnly":true,"path":"/"}}"#
        );
        let stored = format!("{{{cookie},\"a\":1}}");
        site.store.memory().set("abc", &SessionData::from_json(&*stored).unwrap()).await.unwrap();
        let value = Secrets::new(["keyboard cat"]).unwrap().cookie_value("abc");
        *site.cookie.lock().unwrap() = Some(format!("connect.sid={value}"));
        let reply = site
            .visit(async |session: Session| {
                assert_eq!(session.touch().unwrap_err().kind(), ErrorKind::InvalidData);
                session.insert("a", 2)
            })
            .await;
        assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 0), "{age}");
        assert_eq!(site.store.calls(), ["get"], "{age}");
        assert_eq!(site.record("abc").await.unwrap().to_json(), stored);
        let told = "session: touch: the cookie's originalMaxAge is invalid: must be a number";
        assert_eq!(site.told(), [told]);
        // Saved by hand it is stored, as in Express.
        site.visit(async |session: Session| {
            session.insert("a", 3)?;
            session.save().await.map(drop)
        })
        .await;
        assert_eq!(site.record("abc").await.unwrap().to_json(), format!("{{{cookie},\"a\":3}}"));
    }
}

/// Its cookie cannot be sent; the store gets it anyway.
#[tokio::test]
async fn an_expiry_beyond_the_last_date_sends_no_cookie_and_is_told() {
    for age in ["8.64e15", "-8.65e15", "1e400"] {
        for rolling in [true, false] {
            let site = site(|options| options.expiry.rolling = rolling);
            let record = format!(
                r#"{{"cookie":{{"originalMaxAge":{age},"expires":"2100-01-01T00:00:00.000Z"}},"a":1}}"#
            );
            site.store.memory().set("abc", &SessionData::from_json(record).unwrap()).await.unwrap();
            let value = Secrets::new(["keyboard cat"]).unwrap().cookie_value("abc");
            *site.cookie.lock().unwrap() = Some(format!("connect.sid={value}"));
            let reply = if rolling { site.read().await } else { site.write("a", 1 + 1).await };
            assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 0), "{age}");
            assert_eq!(site.store.calls(), ["get", if rolling { "touch" } else { "set" }], "{age}");
            assert_eq!(
                site.told(),
                ["cookie: serialize: option expires is invalid: must be a date"]
            );
        }
    }
}

#[tokio::test]
async fn a_new_id_can_keep_the_data() {
    let site = site(|_| {});
    site.write("n", 1).await;
    let old = site.sid();
    site.store.calls();
    site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    assert_eq!(site.store.calls(), ["get", "destroy", "set"]);
    assert_ne!(site.sid(), old);
    assert_eq!(site.member("n").await, Some(1));
}

/// `next(error)` is 500, whatever the error.
#[tokio::test]
async fn a_store_that_is_unavailable_is_500() {
    let site = site(|_| {});
    site.write("n", 1).await;
    for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Other] {
        site.store.fail(&["get"], kind);
        assert_eq!(site.read().await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}

#[tokio::test]
async fn errors_at_the_end_are_told_and_change_no_response() {
    let site = site(|_| {});
    site.store.fail(&["set"], ErrorKind::TooLarge);
    let reply = site.write("n", 1).await;
    assert_eq!((reply.status, reply.lines().len()), (StatusCode::OK, 1));
    assert_eq!(site.told(), ["log: set: told to fail"]);
}

/// express-session 2 will keep the quotes, with cookie 1.x.
#[tokio::test]
async fn a_quoted_cookie_is_read_unless_told_otherwise() {
    for unquote in [true, false] {
        let site = site(|options| options.ids.unquote = unquote);
        site.write("n", 1).await;
        let cookie = site.cookie.lock().unwrap().clone().unwrap();
        let (name, value) = cookie.split_once('=').unwrap();
        *site.cookie.lock().unwrap() = Some(format!("{name}=\"{value}\""));
        site.visit(async move |session: Session| {
            assert_eq!(session.get::<i32>("n")?, unquote.then_some(1));
            Ok(())
        })
        .await;
    }
}

/// Express takes the first cookie of the name, whatever it is.
#[tokio::test]
async fn the_first_cookie_hides_the_others() {
    let site = site(|_| {});
    site.write("n", 1).await;
    let good = site.cookie.lock().unwrap().clone().unwrap();
    let header = format!("connect.sid=junk; {good}");
    let mut headers = http::HeaderMap::new();
    headers.insert("cookie", header.parse().unwrap());
    assert_eq!(site.layer.engine().session_id(&headers), None);
    *site.cookie.lock().unwrap() = Some(header);
    site.visit(async |session: Session| {
        assert!(session.is_new());
        Ok(())
    })
    .await;
}

/// express-session 1.19.0 was seen to make these calls. Its `regenerate` makes a session whose `save` it does not note.
#[tokio::test]
async fn a_session_that_was_saved_after_a_new_id_is_written_again_even_if_genid_repeats() {
    for resave in [false, true] {
        let site = site(|options| {
            options.resave = resave;
            options.ids.genid = Some(std::sync::Arc::new(|_| Ok("same".to_owned())));
        });
        for reloads in [false, true] {
            site.write("cart", 1).await;
            site.store.calls();
            let reply = site
                .visit(async move |session: Session| {
                    session.regenerate().await?;
                    session.insert("user", 7)?;
                    session.save().await?;
                    if reloads {
                        assert!(session.reload().await?);
                    }
                    Ok(())
                })
                .await;
            assert!(reply.lines().is_empty());
            let reloaded: &[&str] = if reloads { &["get"] } else { &[] };
            let expected = [&["get", "destroy", "set"], reloaded, &["set"]].concat();
            assert_eq!(site.store.calls(), expected, "{resave} {reloads}");
        }
    }
}

/// The old session is destroyed, even if the new one has its id.
#[tokio::test]
async fn a_rollback_does_not_bring_back_a_session_of_the_same_id() {
    let site = site(|options| {
        options.ids.genid = Some(std::sync::Arc::new(|_| Ok("same".to_owned())));
    });
    site.write("n", 1).await;
    site.visit(async |session: Session| {
        session.regenerate().await?;
        session.insert("n", 2)?;
        session.rollback().await?;
        assert_eq!(session.get::<i32>("n")?, None);
        Ok(())
    })
    .await;
}
