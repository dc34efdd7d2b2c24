//! Messages that are shown once.

use std::collections::BTreeMap;

use cloakroom_core::{Atomic, Enumerate, Error, ErrorKind, SessionData, Store, Touched};
use cloakroom_express::flash;
use serde_json::{Value, json};

use crate::site::Site;

const OLD: (&str, &str) = ("flash", r#"{"info":["old"],"error":["e"]}"#);

#[tokio::test]
async fn messages_are_added_as_connect_flash_adds_them() {
    for (before, message, count, after) in [
        (None, json!("hi"), 1, r#"{"info":["hi"]}"#),
        (Some("{}"), json!("hi"), 1, r#"{"info":["hi"]}"#),
        (Some("null"), json!("hi"), 1, r#"{"info":["hi"]}"#),
        (Some(OLD.1), json!("hi"), 2, r#"{"info":["old","hi"],"error":["e"]}"#),
        (Some(OLD.1), json!(["a", "b"]), 3, r#"{"info":["old","a","b"],"error":["e"]}"#),
        (Some(OLD.1), json!({"a": 1}), 2, r#"{"info":["old",{"a":1}],"error":["e"]}"#),
        (Some(OLD.1), json!([]), 1, OLD.1),
        (Some(OLD.1), json!(""), 2, r#"{"info":["old",""],"error":["e"]}"#),
        (Some("{}"), json!([]), 0, "{}"),
        (Some(r#"{"x":["\ud800",1.0]}"#), json!("hi"), 1, r#"{"x":["\ud800",1.0],"info":["hi"]}"#),
    ] {
        let members: Vec<_> = before.map(|json| ("flash", json)).into_iter().collect();
        let mut site = Site::safe(&members).await;
        let session = site.visit().await;
        assert_eq!(flash::add(&session, "info", &message).unwrap(), count, "{before:?} {message}");
        site.end(&session).await;
        let stored = format!("flash={after}");
        assert_eq!(site.stored(&session.id()).await, Some(stored), "{before:?} {message}");
    }
}

#[tokio::test]
async fn messages_are_taken_once() {
    for mut site in [Site::safe(&[OLD]).await, Site::express(&[OLD]).await] {
        let session = site.visit().await;
        assert_eq!(flash::take_kind::<String>(&session, "info").await.unwrap(), ["old"]);
        assert!(flash::take_kind::<String>(&session, "info").await.unwrap().is_empty());
        site.end(&session).await;
        let session = site.visit().await;
        let all = flash::take::<String>(&session).await.unwrap();
        assert_eq!(all, BTreeMap::from([("error".to_owned(), vec!["e".to_owned()])]));
        site.end(&session).await;
        assert_eq!(site.stored(&session.id()).await.as_deref(), Some("flash={}"));
        assert!(flash::take::<Value>(&site.visit().await).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_page_that_finds_no_message_makes_no_session() {
    let mut site = Site::safe(&[]).await;
    let session = site.visit().await;
    assert!(flash::take::<String>(&session).await.unwrap().is_empty());
    site.end(&session).await;
    assert_eq!(site.stored(&session.id()).await, None);
}

#[tokio::test]
async fn of_two_requests_that_take_at_once_one_gets_each_message() {
    let site = Site::safe(&[OLD]).await;
    let (first, second) = (site.visit().await, site.visit().await);
    let (one, other) = tokio::join!(flash::take::<String>(&first), flash::take::<String>(&second));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.len() + other.len(), 2, "{one:?} {other:?}");
    // A kind that only one of them takes, and a message that was added after the other one began.
    let site = Site::safe(&[OLD]).await;
    let (first, second) = (site.visit().await, site.visit().await);
    flash::add(&first, "info", "new").unwrap();
    assert_eq!(flash::take_kind::<String>(&first, "error").await.unwrap(), ["e"]);
    let taken = flash::take::<String>(&second).await.unwrap();
    assert_eq!(taken, BTreeMap::from([("info".to_owned(), vec!["old".into(), "new".into()])]));
}

#[tokio::test]
async fn messages_that_two_requests_add_at_once_are_both_kept() {
    let mut site = Site::safe(&[OLD]).await;
    let (first, second) = (site.visit().await, site.visit().await);
    flash::add(&first, "info", "one").unwrap();
    flash::add(&second, "info", "two").unwrap();
    site.end(&first).await;
    site.end(&second).await;
    let stored = r#"flash={"info":["old","one","two"],"error":["e"]}"#;
    assert_eq!(site.stored(&first.id()).await.as_deref(), Some(stored));
}

#[tokio::test]
async fn in_the_express_preset_two_requests_can_show_a_message_as_in_express() {
    let site = Site::express(&[OLD]).await;
    let (first, second) = (site.visit().await, site.visit().await);
    for session in [&first, &second] {
        assert_eq!(flash::take_kind::<String>(session, "info").await.unwrap(), ["old"]);
    }
}

#[tokio::test]
async fn messages_that_are_not_of_the_type_stay() {
    let site = Site::safe(&[("flash", r#"{"info":["a",{"secret":1}]}"#)]).await;
    let session = site.visit().await;
    let error = flash::take::<String>(&session).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(!format!("{error:?}").contains("secret"));
    let all = flash::take_kind::<Value>(&session, "info").await.unwrap();
    assert_eq!(all, [json!("a"), json!({"secret": 1})]);
    // Half a surrogate pair is read as Node.js would send it.
    let site = Site::safe(&[("flash", r#"{"info":["\ud800"]}"#)]).await;
    let all = flash::take_kind::<String>(&site.visit().await, "info").await.unwrap();
    assert_eq!(all, ["\u{fffd}"]);
}

#[tokio::test]
async fn what_a_logout_ends_shows_no_message() {
    let mut site = Site::safe(&[OLD]).await;
    let (slow, session) = (site.visit().await, site.visit().await);
    session.destroy().await.unwrap();
    site.end(&session).await;
    assert!(flash::take::<String>(&slow).await.unwrap().is_empty());
}

/// A store that refuses to write.
struct Refusing(cloakroom_core::MemoryStore);

#[async_trait::async_trait]
impl Store for Refusing {
    fn name(&self) -> &str {
        "refusing"
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.0.get(sid).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        if session.get_json("flash") == Some("{}") {
            return Err(Error::new(ErrorKind::Unavailable, "refusing", "set", "it is full"));
        }
        self.0.set(sid, session).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.0.destroy(sid).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.0.touch(sid, session).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

#[tokio::test]
async fn a_message_whose_end_cannot_be_stored_is_not_shown_and_stays() {
    let mut site = Site::safe(&[OLD]).await;
    let secrets = cloakroom_core::Secrets::new(["keyboard cat"]).unwrap();
    let store = Refusing(cloakroom_core::MemoryStore::new());
    site.engine = cloakroom_tower::SessionOptions::new().engine(store, secrets).unwrap();
    site.fill(&[OLD]).await;
    let session = site.visit().await;
    let error = flash::take::<String>(&session).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // The handler answers with the error.
    let failed = http::StatusCode::SERVICE_UNAVAILABLE;
    site.engine.commit_with_status(&session, failed).await.unwrap();
    let stored = format!("flash={}", OLD.1);
    assert_eq!(site.stored(&session.id()).await, Some(stored));
}
