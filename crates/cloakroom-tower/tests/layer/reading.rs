//! What a request costs that only reads, and which of its cookies leads to a session.

use cloakroom_core::{Secrets, SessionData, Store};
use cloakroom_tower::{PathMatch, Session};
use http::Request;

use crate::site::{MINUTE, Site};

fn signed(sid: &str, secret: &str) -> String {
    format!("connect.sid={}", Secrets::new([secret]).unwrap().cookie_value(sid))
}

#[tokio::test]
async fn a_request_that_reads_is_one_command() {
    let site = Site::for_a_minute();
    site.write("n", 1).await;
    site.store.calls();
    let reply = site.read().await;
    assert_eq!(site.store.calls(), ["get_and_touch"]);
    assert!(reply.lines().is_empty());
}

#[tokio::test]
async fn an_anonymous_request_is_none_and_gets_no_cookie() {
    let site = Site::new();
    let reply = site
        .visit(async |session: Session| {
            assert!(session.is_new());
            assert_eq!(session.get::<u32>("n")?, None);
            Ok(())
        })
        .await;
    assert!(site.store.calls().is_empty() && reply.lines().is_empty());
}

#[tokio::test]
async fn a_cookie_that_does_not_verify_is_no_command() {
    let site = Site::new();
    for cookie in ["connect.sid=abc", &signed("abc", "another"), "connect.sid=s%3Aabc", "x"] {
        *site.cookie.lock().unwrap() = Some(cookie.to_owned());
        site.read().await;
        assert!(site.store.calls().is_empty(), "{cookie}");
    }
}

#[tokio::test]
async fn reading_extends_the_session_in_the_store() {
    let site = Site::for_a_minute();
    site.write("n", 1).await;
    for _ in 0..5 {
        site.clock.advance(40_000);
        site.visit(async |session: Session| {
            assert_eq!(session.get::<i32>("n")?, Some(1));
            Ok(())
        })
        .await;
    }
    site.clock.advance(61_000);
    site.read().await;
    assert!(site.record(&site.sid()).await.is_none(), "it ends when nobody reads it");
}

/// Redis and the others extend by the options' life, which is not that of a session with "remember me".
#[tokio::test]
async fn a_session_keeps_a_life_of_its_own() {
    for own_minutes in [10, 1_000_000] {
        let site = Site::for_a_minute();
        site.visit(async move |session: Session| {
            let mut cookie = session.cookie();
            cookie.set_max_age_ms(Some(own_minutes * 60_000), crate::site::NOW)?;
            session.set_cookie(cookie)?;
            session.insert("n", 1)
        })
        .await;
        site.store.calls();
        site.clock.advance(5_000);
        site.read().await;
        assert_eq!(site.store.calls(), ["get_and_touch", "touch"]);
        site.clock.advance(own_minutes * 60_000 - 1_000);
        assert!(site.record(&site.sid()).await.is_some());
        site.clock.advance(2_000);
        assert!(site.record(&site.sid()).await.is_none());
    }
}

/// Express's own `touch` can lose a millisecond (60000, 59999), and stores count seconds.
#[tokio::test]
async fn a_life_that_is_the_same_in_seconds_costs_nothing() {
    let site = Site::for_a_minute();
    site.visit(async |session: Session| {
        let mut cookie = session.cookie();
        cookie.set_max_age_ms(Some(59_999), crate::site::NOW)?;
        session.set_cookie(cookie)?;
        session.insert("n", 1)
    })
    .await;
    site.store.calls();
    site.read().await;
    assert_eq!(site.store.calls(), ["get_and_touch"]);
    let by_function = Site::with(|options| {
        options.cookie_for = Some(std::sync::Arc::new(|_| {
            let mut cookie = cloakroom_tower::CookieOptions::default();
            cookie.max_age = Some(MINUTE);
            cookie
        }));
    });
    by_function.write("n", 1).await;
    by_function.store.calls();
    by_function.read().await;
    assert_eq!(by_function.store.calls(), ["get_and_touch"]);
}

/// As other languages write it: it has an end that nothing moves.
#[tokio::test]
async fn an_end_without_a_max_age_is_kept() {
    let site = Site::new();
    let php = r#"{"cookie":{"expires":"2023-11-14T22:14:20.000Z"},"n":1}"#;
    site.store.memory().set("php", &SessionData::from_json(php).unwrap()).await.unwrap();
    *site.cookie.lock().unwrap() = Some(signed("php", "keyboard cat"));
    site.read().await;
    site.clock.advance(59_000);
    site.read().await;
    assert!(site.record("php").await.is_some());
    site.clock.advance(2_000);
    assert!(site.record("php").await.is_none());
}

#[tokio::test]
async fn a_session_whose_own_life_cannot_be_set_is_read_all_the_same() {
    let site = Site::for_a_minute();
    site.visit(async |session: Session| {
        let mut cookie = session.cookie();
        cookie.set_max_age_ms(Some(600_000), crate::site::NOW)?;
        session.set_cookie(cookie)?;
        session.insert("n", 1)
    })
    .await;
    site.store.fail(&["touch"], cloakroom_core::ErrorKind::Unavailable);
    site.visit(async |session: Session| {
        assert_eq!(session.get::<i32>("n")?, Some(1));
        Ok(())
    })
    .await;
    assert_eq!(site.told(), ["log: touch: told to fail"]);
}

/// Node.js extends by the store's expiry alone and leaves such records behind; the store says that they live.
#[tokio::test]
async fn an_expiry_without_a_max_age_that_has_passed_ends_nothing() {
    let site = Site::for_a_minute();
    let sid = "stale";
    let past = r#"{"cookie":{"originalMaxAge":null,"expires":"2023-11-14T22:13:10.000Z"},"n":1}"#;
    let later = past.replace("22:13:10", "22:14:10");
    site.store.memory().set(sid, &SessionData::from_json(later).unwrap()).await.unwrap();
    // Extended by somebody who reads no `expires`.
    let mut lives = SessionData::from_json(past).unwrap();
    lives.cookie_mut().set_max_age(Some(MINUTE * 100), crate::site::NOW).unwrap();
    site.store.memory().touch(sid, &lives).await.unwrap();
    site.clock.advance(10 * 60_000);
    *site.cookie.lock().unwrap() = Some(signed(sid, "keyboard cat"));
    site.read().await;
    site.write("m", 2).await;
    let record = site.record(sid).await.expect("it lives on");
    assert_eq!(record.get::<i32>("n").unwrap(), Some(1));
    assert_eq!(record.get::<i32>("m").unwrap(), Some(2));
}

#[tokio::test]
async fn the_first_cookie_that_verifies_and_loads_is_taken() {
    let site = Site::new();
    site.write("n", 1).await;
    let good = site.cookie.lock().unwrap().clone().unwrap();
    site.store.calls();
    let rows = [
        (format!("connect.sid=; {good}"), 1),
        (format!("connect.sid=junk; {good}"), 1),
        (format!("{}; {good}", signed("gone", "another")), 1),
        (format!("{}; {good}", signed("gone", "keyboard cat")), 2),
        (format!("{0}; {0}; {good}", signed("gone", "keyboard cat")), 2),
        (format!("{good}; {}", signed("gone", "keyboard cat")), 1),
    ];
    for (header, commands) in rows {
        *site.cookie.lock().unwrap() = Some(header.clone());
        site.visit(async |session: Session| {
            assert_eq!(session.get::<i32>("n")?, Some(1));
            assert!(!session.is_new());
            Ok(())
        })
        .await;
        assert_eq!(site.store.calls().len(), commands, "{header}");
        let mut headers = http::HeaderMap::new();
        headers.insert("cookie", header.parse().unwrap());
        let id = site.layer.engine().session_id(&headers).unwrap();
        assert!(header.contains(&format!("s%3A{id}.")), "the first that verifies: {id}");
    }
}

#[tokio::test]
async fn cookies_without_end_are_not_looked_up() {
    let site = Site::new();
    let header: Vec<String> =
        (0..100).map(|number| signed(&number.to_string(), "keyboard cat")).collect();
    *site.cookie.lock().unwrap() = Some(header.join("; "));
    site.read().await;
    assert_eq!(site.store.calls().len(), 8);
}

#[tokio::test]
async fn two_cookie_lines_are_one() {
    let site = Site::new();
    site.write("n", 1).await;
    let good = site.cookie.lock().unwrap().clone().unwrap();
    let request = Request::get("/").header("cookie", "a=1").header("cookie", good);
    let reply = site
        .send(request.body(()).unwrap(), async |session: Session| {
            assert_eq!(session.get::<i32>("n")?, Some(1));
            Ok(())
        })
        .await;
    assert_eq!(reply.body, "ok");
}

#[tokio::test]
async fn a_path_that_is_not_the_cookies_has_no_session() {
    let site = |path_match| {
        Site::with(move |options| {
            options.cookie.path = Some("/admin".to_owned());
            options.path_match = path_match;
        })
    };
    let rows = [
        (PathMatch::Segments, "/admin/users", "ok"),
        (PathMatch::Segments, "/administrator", "no session"),
        (PathMatch::Segments, "/", "no session"),
        (PathMatch::Prefix, "/administrator", "ok"),
        (PathMatch::Prefix, "/", "no session"),
    ];
    for (path_match, path, body) in rows {
        let request = Request::get(path).body(()).unwrap();
        let reply = site(path_match).send(request, async |_| Ok(())).await;
        assert_eq!(reply.body, body, "{path}");
    }
}

/// Express answers 500 to such a record for ever.
#[tokio::test]
async fn a_record_without_a_cookie_is_read_and_completed() {
    let site = Site::new();
    site.write("n", 1).await;
    site.store.holds(r#"{"user":"ann"}"#);
    site.write("n", 1).await;
    let record = site.record(&site.sid()).await.unwrap();
    assert_eq!(
        record.to_json(),
        r#"{"user":"ann","cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"n":1}"#
    );
}
