//! A site of next-session: its cookie, its records, its ids.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Secrets, SessionData, Store};
use cloakroom_tower::{IdFormat, Session, SessionOptions, TouchAfter};

use crate::site::{MINUTE, Site};

fn site(ids: IdFormat, touch_after: TouchAfter) -> Site {
    Site::with_all(
        SessionOptions::next_session(),
        ids,
        |store| store,
        |options| {
            options.cookie.max_age = Some(MINUTE);
            options.expiry.touch_after = touch_after;
            options.ids.genid = Some(Arc::new(|_| Ok("NEW1".to_owned())));
        },
    )
}

/// The line is the one that next-session 4.0.5 sends.
#[tokio::test]
async fn the_id_is_plain_and_the_record_counts_seconds() {
    let site = site(IdFormat::Plain, TouchAfter::Never);
    let reply = site.write("n", 1).await;
    assert_eq!(
        reply.lines(),
        ["sid=NEW1; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly"]
    );
    assert_eq!(
        site.record("NEW1").await.unwrap().to_json(),
        r#"{"cookie":{"expires":"2023-11-14T22:14:20.000Z","secure":false,"httpOnly":true,"path":"/","maxAge":60},"n":1}"#
    );
}

#[tokio::test]
async fn a_record_of_next_session_is_kept_in_its_shape() {
    let site = site(IdFormat::Plain, TouchAfter::Elapsed(Duration::from_secs(10)));
    let theirs = r#"{"cookie":{"path":"/","httpOnly":true,"secure":false,"maxAge":60,"expires":"2023-11-14T22:14:20.000Z"},"views":1}"#;
    site.store.memory().set("theirs", &SessionData::from_json(theirs).unwrap()).await.unwrap();
    *site.cookie.lock().unwrap() = Some("sid=theirs".to_owned());
    let reply = site.write("views", 2).await;
    assert!(reply.lines().is_empty(), "a change alone does not extend it");
    assert_eq!(
        site.record("theirs").await.unwrap().to_json(),
        theirs.replace("\"views\":1", "\"views\":2")
    );
    site.clock.advance(10_000);
    let reply = site.read().await;
    assert!(
        reply.lines()[0].contains("Expires=Tue, 14 Nov 2023 22:14:30 GMT"),
        "{:?}",
        reply.lines()
    );
    let extended = site.record("theirs").await.unwrap();
    assert!(extended.cookie().is_next_session());
    assert_eq!(extended.cookie().expires_ms(), Some(crate::site::NOW + 70_000));
}

/// next-session extends no session whose record has an expiry and no `maxAge`.
#[tokio::test]
async fn a_life_that_a_handler_sets_is_counted_in_seconds_too() {
    let site =
        Site::with_all(SessionOptions::next_session(), IdFormat::Plain, |store| store, |_| {});
    let shapes = async || {
        let sid = site.cookie.lock().unwrap().clone().unwrap()["sid=".len()..].to_owned();
        site.record(&sid).await.unwrap().cookie().to_json()
    };
    let attributes = r#""secure":false,"httpOnly":true,"path":"/""#;
    let an_hour = format!(r#"{{"expires":"2023-11-14T23:13:20.000Z",{attributes},"maxAge":3600}}"#);
    site.visit(async |session: Session| {
        session.insert("n", 1)?;
        session.set_max_age(MINUTE * 60)?;
        session.set_max_age(Duration::MAX).unwrap_err();
        Ok(())
    })
    .await;
    assert_eq!(shapes().await, an_hour);
    site.visit(async |session: Session| session.regenerate_keeping_data().await).await;
    assert_eq!(shapes().await, an_hour);
    site.visit(async |session: Session| session.set_max_age(None)).await;
    assert!(!shapes().await.contains("maxAge"));
    site.visit(async |session: Session| session.set_max_age(MINUTE * 60)).await;
    assert_eq!(shapes().await, an_hour);
}

#[tokio::test]
async fn an_empty_id_is_none() {
    let site = site(IdFormat::Plain, TouchAfter::Never);
    *site.cookie.lock().unwrap() = Some("sid=".to_owned());
    site.read().await;
    assert!(site.store.calls().is_empty() && site.told().is_empty());
}

/// next-session looks neither at the connection nor at the path.
#[tokio::test]
async fn a_secure_cookie_and_one_for_a_path_are_sent_with_any_request() {
    let site = Site::with_all(
        SessionOptions::next_session(),
        IdFormat::Plain,
        |store| store,
        |options| {
            options.cookie.secure = Some(cloakroom_tower::Secure::Always);
            options.cookie.path = Some("/app".to_owned());
        },
    );
    let reply = site.write("n", 1).await;
    assert!(reply.lines()[0].ends_with("; Path=/app; HttpOnly; Secure"), "{:?}", reply.lines());
}

/// To next-session it is a browser session.
#[tokio::test]
async fn a_max_age_of_0_ends_nothing() {
    let site = site(IdFormat::Plain, TouchAfter::EachRequest);
    let theirs = r#"{"cookie":{"path":"/","httpOnly":true,"secure":false,"maxAge":0},"n":1}"#;
    site.store.memory().set("theirs", &SessionData::from_json(theirs).unwrap()).await.unwrap();
    *site.cookie.lock().unwrap() = Some("sid=theirs".to_owned());
    site.read().await;
    site.write("n", 2).await;
    assert_eq!(site.record("theirs").await.unwrap().get::<i32>("n").unwrap(), Some(2));
}

/// Others may have extended it in the store alone, as Express's `touch` does.
#[tokio::test]
async fn a_change_does_not_end_what_the_store_keeps_alive() {
    let site = site(IdFormat::Plain, TouchAfter::Never);
    site.write("n", 1).await;
    let mut longer = site.record("NEW1").await.unwrap();
    longer.cookie_mut().set_max_age(Some(MINUTE * 10), crate::site::NOW).unwrap();
    site.store.memory().touch("NEW1", &longer).await.unwrap();
    site.clock.advance(2 * 60_000);
    site.write("n", 2).await;
    let record = site.record("NEW1").await.expect("it lives on");
    assert_eq!(record.get::<i32>("n").unwrap(), Some(2));
}

/// next-session on connect-redis keeps the end of the record, so there the session would be gone after a minute.
#[tokio::test]
async fn a_change_extends_the_session_in_the_store_whatever_touch_after_says() {
    for touch_after in [TouchAfter::Never, TouchAfter::Elapsed(MINUTE)] {
        let site = site(IdFormat::Plain, touch_after);
        site.write("n", 1).await;
        site.clock.advance(40_000);
        let reply = site.write("n", 2).await;
        assert!(reply.lines().is_empty(), "the browser's copy ends when it would have ended");
        site.clock.advance(40_000);
        assert!(site.record("NEW1").await.is_some());

        // An end of its own is the only one that no change moves.
        site.visit(async |session: Session| session.set_end_after(MINUTE)).await;
        site.clock.advance(40_000);
        site.write("n", 3).await;
        site.clock.advance(20_000);
        assert!(site.record("NEW1").await.is_none());
    }
}

#[tokio::test]
async fn ids_can_be_encoded() {
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let signer = secrets.clone();
    let ids = IdFormat::Custom {
        encode: Arc::new(move |id| format!("s:{}", signer.sign(id))),
        decode: Arc::new(move |value| Some(secrets.read_cookie_value(value)?.value.to_owned())),
    };
    let site = site(ids, TouchAfter::Never);
    let reply = site.write("n", 1).await;
    assert!(reply.lines()[0].starts_with("sid=s%3ANEW1."), "{:?}", reply.lines());
    site.visit(async |session: Session| {
        assert_eq!(session.get::<i32>("n")?, Some(1));
        Ok(())
    })
    .await;
    site.store.calls();
    *site.cookie.lock().unwrap() = Some("sid=NEW1".to_owned());
    site.read().await;
    assert!(site.store.calls().is_empty(), "what does not decode is not looked up");
}

/// They have no markers.
#[tokio::test]
async fn with_plain_ids_a_new_id_and_a_logout_do_not_know_of_each_other() {
    let site =
        Site::with_all(SessionOptions::next_session(), IdFormat::Plain, |store| store, |_| {});
    let engine = site.layer.engine();
    // Two requests that have loaded one session.
    let two = async || {
        *site.cookie.lock().unwrap() = None;
        site.write("cart", 1).await;
        let cookie = site.cookie.lock().unwrap().clone().unwrap();
        let request = http::Request::get("/").header("cookie", cookie).body(()).unwrap();
        let load = async || engine.load((&request).into()).await.unwrap().unwrap();
        (load().await, load().await)
    };

    let (first, second) = two().await;
    first.regenerate_keeping_data().await.unwrap();
    second.regenerate_keeping_data().await.unwrap();
    assert!(engine.commit(&first).await.unwrap().is_some());
    engine.commit(&second).await.unwrap_err();

    let (first, second) = two().await;
    first.destroy().await.unwrap();
    second.regenerate().await.unwrap();
    assert!(engine.commit(&second).await.unwrap().is_some());
    assert!(site.record(&second.id()).await.is_some());

    let (first, second) = two().await;
    first.regenerate_keeping_data().await.unwrap();
    engine.commit(&first).await.unwrap();
    second.destroy().await.unwrap();
    assert!(site.record(&first.id()).await.is_some());
}
