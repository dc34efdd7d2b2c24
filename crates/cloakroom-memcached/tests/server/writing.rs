//! What the store writes, and how long it lives.

use std::time::Duration;

use cloakroom_compat::ExpressSession;
use cloakroom_core::{Clock, SessionData, Store, Touched};

use crate::{Bench, atomic, expiring_in, options, session};

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
#[ignore = "needs memcached"]
async fn records_are_json_with_the_flags_of_connect_memcached() {
    let bench = Bench::start();
    bench.store.set("a", &session()).await.unwrap();
    atomic(&bench.store).create("b", &session()).await.unwrap();
    let read = bench.store.get("b").await.unwrap().unwrap();
    atomic(&bench.store).update("b", &read).await.unwrap();
    let text = session().to_json().into_owned();
    for key in ["s:a", "s:b"] {
        assert_eq!(bench.raw().item(key), Some((2, text.clone())));
    }
    let old = Bench::with(options(|options| options.flags = 0));
    old.store.set("a", &session()).await.unwrap();
    assert_eq!(old.raw().item("s:a"), Some((0, text)), "for connect-memcached 1");
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn carriage_returns_before_line_feeds_are_left_out() {
    let bench = Bench::start();
    let pretty = "{\r\n  \"cookie\": {},\n  \"text\": \"a\\r\\n b\"\r\n}";
    let session = SessionData::from_json(pretty).unwrap();
    bench.store.set("a", &session).await.unwrap();
    let written = "{\n  \"cookie\": {},\n  \"text\": \"a\\r\\n b\"\n}";
    assert_eq!(bench.raw().item("s:a"), Some((2, written.to_owned())));
    let read = bench.store.get("a").await.unwrap().unwrap();
    assert_eq!(read.get::<String>("text").unwrap().as_deref(), Some("a\r\n b"));
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_browser_session_lives_a_day_as_in_node() {
    let bench = Bench::start();
    bench.store.set("a", &session()).await.unwrap();
    assert!((86_399..=86_400).contains(&bench.raw().lives("s:a").unwrap()));
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn no_session_ends_before_its_cookie() {
    let bench = Bench::start();
    // Spread over the server's ticks. With no more seconds than the cookie has, some of these would end up to a second too
    // early. Half a second is left to a server whose tick comes late, because the machine is busy.
    let sessions = (0..8).map(|number| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(number * 130)).await;
            let sid = format!("id-{number}");
            let session = expiring_in(1_000);
            store.set(&sid, &session).await.unwrap();
            let expires_ms = session.cookie().expires_ms().unwrap();
            let now_ms = || Clock::system().now_ms();
            while store.get(&sid).await.unwrap().is_some() {
                assert!(now_ms() < expires_ms + 3_000, "it is still there");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let early_ms = expires_ms - now_ms();
            assert!(early_ms < 500, "{early_ms} ms too early");
        })
    });
    for session in sessions.collect::<Vec<_>>() {
        session.await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_session_of_less_than_a_second_is_neither_immortal_nor_dead() {
    let bench = Bench::start();
    for ms in [1, 500, 999] {
        bench.store.set("a", &expiring_in(ms)).await.unwrap();
        let seconds = bench.raw().lives("s:a").unwrap();
        assert!((1..=2).contains(&seconds), "{ms} ms are {seconds} s");
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_session_of_more_than_30_days_is_kept() {
    let bench = Bench::start();
    for days in [30, 31, 365, 4_000] {
        let session = expiring_in(days * DAY_MS);
        let seconds = days * 86_400;
        bench.store.set("a", &session).await.unwrap();
        // A date is a second or two off, for memcached's clock began within a second.
        let about = seconds - 3..=seconds + 3;
        assert!(about.contains(&bench.raw().lives("s:a").unwrap()), "{days} days");
        assert_eq!(bench.store.touch("a", &session).await.unwrap(), Touched::Extended);
        assert!(about.contains(&bench.raw().lives("s:a").unwrap()), "{days} days, touched");
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_session_beyond_memcacheds_last_date_is_kept() {
    let bench = Bench::start();
    // January 2038, 2106 and the last date of JavaScript.
    for expires_ms in [2_147_483_647_000, 4_294_967_295_000, 8_640_000_000_000_000] {
        let mut session = session();
        let now_ms = Clock::system().now_ms();
        session.cookie_mut().set_expires_ms(Some(expires_ms), now_ms).unwrap();
        bench.store.set("a", &session).await.unwrap();
        assert_eq!(bench.raw().lives("s:a"), Some(-1), "{expires_ms}");
        assert_eq!(bench.store.touch("a", &session).await.unwrap(), Touched::Extended);
        assert!(bench.store.get("a").await.unwrap().is_some(), "{expires_ms}");
    }
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn a_cookie_that_was_read_back_keeps_its_expiry() {
    let bench = Bench::start();
    bench.store.set("a", &expiring_in(600_000)).await.unwrap();
    let read = bench.store.get("a").await.unwrap().unwrap();
    bench.store.set("a", &read).await.unwrap();
    assert!((598..=601).contains(&bench.raw().lives("s:a").unwrap()));
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn the_option_ttl_is_every_sessions() {
    let bench = Bench::with(options(|options| options.ttl = Some(Duration::from_secs(600))));
    for session in [session(), expiring_in(5_000), expiring_in(-5_000)] {
        bench.store.set("a", &session).await.unwrap();
        assert!((599..=600).contains(&bench.raw().lives("s:a").unwrap()));
    }
    atomic(&bench.store).get_and_touch("a", Some(Duration::from_secs(5))).await.unwrap().unwrap();
    assert!((599..=600).contains(&bench.raw().lives("s:a").unwrap()));
}

#[tokio::test]
#[ignore = "needs memcached"]
async fn touch_writes_and_creates_nothing() {
    let bench = Bench::start();
    let mut raw = bench.raw();
    let stored = r#"{"cookie":{},"user":"bob"}"#;
    raw.plant("s:a", 2, stored);
    let sets = raw.stat("cmd_set");
    assert_eq!(bench.store.touch("a", &expiring_in(60_000)).await.unwrap(), Touched::Extended);
    assert_eq!(bench.store.touch("b", &session()).await.unwrap(), Touched::Missing);
    atomic(&bench.store).get_and_touch("b", None).await.unwrap();
    assert_eq!(raw.item("s:a"), Some((2, stored.to_owned())));
    assert!((59..=61).contains(&raw.lives("s:a").unwrap()));
    assert_eq!(raw.item("s:b"), None);
    assert_eq!(raw.stat("cmd_set"), sets);
}

/// The expiry of its cookie says nothing then.
#[tokio::test]
#[ignore = "needs memcached"]
async fn a_user_is_signed_out_although_all_sessions_have_the_life_of_the_option() {
    let bench = Bench::with(options(|options| options.ttl = Some(Duration::from_secs(3_600))));
    let sessions = ExpressSession::new(bench.store.clone());
    let record = SessionData::from_json(r#"{"cookie":{},"passport":{"user":7}}"#).unwrap();
    for sid in ["a", "b"] {
        sessions.set(sid, &record).await.unwrap();
    }
    assert_eq!(sessions.end_all(7, None).await.unwrap(), 2);
    assert_eq!((bench.raw().item("s:a"), bench.raw().item("s:b")), (None, None));
}
