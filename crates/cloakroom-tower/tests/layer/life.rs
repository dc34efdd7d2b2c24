//! How long a session lives: what the handler sets by the engine's clock, and an end that nothing moves.

use std::time::Duration;

use cloakroom_core::{ErrorKind, Secrets, SessionData, Store, Touched};
use cloakroom_tower::{Session, SessionOptions};

use crate::site::{MINUTE, NOW, Site};

const SECOND: i64 = 1_000;

fn express() -> Site {
    let mut options = SessionOptions::express();
    (options.resave, options.save_uninitialized) = (false, false);
    options.cookie.max_age = Some(MINUTE);
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    Site::with_all(options, secrets, |store| store, |_| {})
}

/// A session that ends a minute and a half after its login, and lives a minute from each visit on.
async fn log_in(site: &Site) -> String {
    site.visit(async |session| {
        session.insert("user", "ann")?;
        session.set_end_after(MINUTE + MINUTE / 2)
    })
    .await;
    site.store.calls();
    site.sid()
}

/// What `req.session.cookie.maxAge = 5000` makes of the record: vector S97 of the recorded ones.
#[tokio::test]
async fn a_max_age_is_written_as_express_writes_it() {
    let stored = r#""originalMaxAge":5000,"expires":"2023-11-14T22:13:25.000Z""#;
    for site in [Site::new(), express()] {
        site.write("n", 1).await;
        let reply = site
            .visit(async |session| {
                session.insert("n", 2)?;
                session.set_max_age(Duration::from_secs(5))
            })
            .await;
        assert!(reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:13:25 GMT"));
        let text = site.record(&site.sid()).await.unwrap().to_json().into_owned();
        assert!(text.contains(stored), "{text}");

        site.visit(async |session| {
            session.insert("n", 3)?;
            session.set_max_age(None)
        })
        .await;
        let text = site.record(&site.sid()).await.unwrap().to_json().into_owned();
        assert!(text.contains(r#""originalMaxAge":null,"expires":null"#), "{text}");
    }
}

#[tokio::test]
async fn a_max_age_counts_from_now_and_from_each_visit_on() {
    let site = Site::new();
    site.visit(async |session| session.set_max_age(MINUTE).and(session.insert("n", 1))).await;
    for _ in 0..3 {
        site.clock.advance(50 * SECOND);
        site.read().await;
    }
    assert_eq!(site.member("n").await, Some(1));
    site.clock.advance(60 * SECOND);
    assert_eq!(site.member("n").await, None);
}

#[tokio::test]
async fn a_life_beyond_javascripts_dates_is_refused_and_changes_nothing() {
    let site = Site::for_a_minute();
    log_in(&site).await;
    site.visit(async |session| {
        let cookie = session.cookie();
        for error in [
            session.set_max_age(Duration::MAX).unwrap_err(),
            session.set_end_after(Duration::MAX).unwrap_err(),
            session.set_end_after(Duration::from_millis(8_640_000_000_000_000)).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        }
        assert_eq!(session.cookie(), cookie);
        assert_eq!(session.ends_at_ms()?, Some(NOW + 90 * SECOND));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn no_visit_moves_the_end_in_the_store_or_in_the_browser() {
    let site = Site::for_a_minute();
    let sid = log_in(&site).await;
    site.clock.advance(50 * SECOND);
    let reply = site.read().await;
    // 22:13:20 and a minute and a half.
    assert!(reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:14:50 GMT"));
    site.store.calls();

    site.clock.advance(30 * SECOND);
    assert!(site.read().await.lines().is_empty());
    // It cannot be extended any further, so nothing is written. The read alone would have extended it.
    assert_eq!(site.store.calls(), ["get_and_touch", "touch"]);

    site.clock.advance(10 * SECOND - 1);
    assert!(site.record(&sid).await.is_some());
    site.clock.advance(1);
    assert!(site.record(&sid).await.is_none());
}

#[tokio::test]
async fn nothing_that_a_handler_does_extends_a_session_beyond_its_end() {
    let site = Site::for_a_minute();
    log_in(&site).await;
    site.clock.advance(50 * SECOND);
    site.visit(async |session| {
        session.touch()?;
        session.modify("n", |n: Option<i32>| n.unwrap_or_default() + 1)?;
        session.save().await?;
        session.set_max_age(MINUTE * 60)?;
        assert_eq!(session.cookie().expires_ms(), session.ends_at_ms()?);
        session.regenerate_keeping_data().await?;
        session.clear()?;
        session.insert("user", "ann")
    })
    .await;
    let (sid, end) = (site.sid(), NOW + 90 * SECOND);
    let record = site.record(&sid).await.unwrap();
    assert_eq!((record.ends_at_ms(), record.cookie().expires_ms()), (Some(end), Some(end)));
    assert_eq!(record.cookie().original_max_age_ms(), Some(3_600 * SECOND));
    site.clock.set(end);
    assert!(site.record(&sid).await.is_none());
}

/// A request of Express that only reads touches the store, and one that changes the session writes it, with the members
/// that it does not know.
#[tokio::test]
async fn a_session_that_node_has_extended_beyond_its_end_is_given_to_nobody() {
    for (site, load, writes) in [
        (Site::for_a_minute(), "get_and_touch", false),
        (Site::for_a_minute(), "get_and_touch", true),
        (express(), "get", false),
        (express(), "get", true),
    ] {
        let sid = log_in(&site).await;
        let mut theirs = site.record(&sid).await.unwrap();
        theirs.cookie_mut().set_max_age(Some(MINUTE * 60), NOW).unwrap();
        // Our own store is not told of the end, which it would keep.
        let told = SessionData::with_cookie(theirs.cookie().clone());
        if writes {
            site.store.memory().set(&sid, &told).await.unwrap();
            site.store.holds(theirs.to_json());
        } else {
            let touched = site.store.memory().touch(&sid, &told).await.unwrap();
            assert_eq!(touched, Touched::Extended);
        }
        site.clock.advance(90 * SECOND - 1);
        let request = site.layer.engine().load((&request(&site)).into()).await.unwrap().unwrap();
        assert_eq!(request.get::<String>("user").unwrap().as_deref(), Some("ann"));

        site.store.memory().touch(&sid, &told).await.unwrap();
        site.store.calls();
        site.clock.advance(1);
        assert!(site.record(&sid).await.is_some(), "the store keeps it");
        site.visit(async |session| {
            assert!(session.is_new());
            assert_eq!(session.get::<String>("user")?, None);
            Ok(())
        })
        .await;
        assert_eq!(site.store.calls(), [load, "destroy"]);
        assert!(site.record(&sid).await.is_none());
    }
}

fn request(site: &Site) -> http::Request<()> {
    let cookie = site.cookie.lock().unwrap().clone().unwrap();
    http::Request::get("/").header("cookie", cookie).body(()).unwrap()
}

#[tokio::test]
async fn a_browser_session_with_an_end_is_kept_until_then_and_stays_a_browser_session() {
    let site = Site::new();
    let reply =
        site.visit(async |session| session.set_end_after(MINUTE).and(session.insert("n", 1))).await;
    assert!(!reply.lines()[0].contains("Expires"), "{:?}", reply.lines());
    for _ in 0..3 {
        site.clock.advance(19 * SECOND);
        assert!(site.read().await.lines().is_empty());
    }
    let sid = site.sid();
    site.clock.advance(3 * SECOND - 1);
    assert!(site.record(&sid).await.is_some());
    site.clock.advance(1);
    assert!(site.record(&sid).await.is_none());
}

#[tokio::test]
async fn an_end_can_be_taken_away() {
    let site = Site::for_a_minute();
    let sid = log_in(&site).await;
    site.visit(async |session: Session| session.set_end_after(None)).await;
    for _ in 0..4 {
        site.clock.advance(50 * SECOND);
        site.read().await;
    }
    assert!(site.record(&sid).await.is_some());
}
