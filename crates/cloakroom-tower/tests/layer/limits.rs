//! What a request can make the layer do: the length of its `Cookie` header, and the cookies of one name.

use std::sync::{Arc, Mutex};

use cloakroom_core::{ErrorKind, Secrets, SessionData, Store};
use cloakroom_tower::{EventReason, Session, SessionEvent, SessionOptions};
use http::Request;

use crate::site::Site;

fn signed(sid: &str) -> String {
    format!("connect.sid={}", Secrets::new(["keyboard cat"]).unwrap().cookie_value(sid))
}

/// The member `user` of the session that these `Cookie` lines lead to.
async fn user(site: &Site, lines: &[&str]) -> Option<String> {
    let mut request = Request::get("/");
    for line in lines {
        request = request.header("cookie", *line);
    }
    let found = Arc::new(Mutex::new(None));
    let user = Arc::clone(&found);
    let handler = async move |session: Session| {
        *user.lock().unwrap() = session.get::<String>("user")?;
        Ok(())
    };
    site.send(request.body(()).unwrap(), handler).await;
    found.lock().unwrap().take()
}

async fn store_session(site: &Site, sid: &str) {
    let mut session = SessionData::new();
    session.insert("user", sid).unwrap();
    site.store.set(sid, &session).await.unwrap();
}

#[tokio::test]
async fn a_cookie_header_beyond_the_limit_counts_as_none_and_is_told() {
    for options in [SessionOptions::new(), SessionOptions::express()] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let events = Arc::clone(&told);
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        let site = Site::with_all(
            options,
            secrets,
            |store| store,
            |options| {
                options.failure.on_event = Some(Arc::new(move |event: &SessionEvent| {
                    events.lock().unwrap().push(event.reason());
                }));
            },
        );
        store_session(&site, "apple").await;
        let cookie = signed("apple");
        let filling = |length: usize| format!("x={}", "y".repeat(length - cookie.len() - 2));
        // Two lines count together.
        assert_eq!(user(&site, &[&filling(16_384), &cookie]).await.as_deref(), Some("apple"));
        assert_eq!(*told.lock().unwrap(), []);
        assert_eq!(user(&site, &[&filling(16_385), &cookie]).await, None);
        assert_eq!(*told.lock().unwrap(), [EventReason::CookieHeaderTooLong]);
    }
}

/// Whoever logs out must not be told that it has worked. And a new session would take the place of the browser's live one,
/// although the next request with that header could not bring it either.
#[tokio::test]
async fn behind_a_cookie_header_beyond_the_limit_nothing_can_be_changed() {
    for options in [SessionOptions::new(), SessionOptions::express()] {
        for saves_uninitialized in [false, true] {
            let secrets = Secrets::new(["keyboard cat"]).unwrap();
            let options = options.clone().with_save_uninitialized(saves_uninitialized);
            let site = Site::with_all(options, secrets, |store| store, |_| {});
            store_session(&site, "apple").await;
            let head = format!("{}; x={}", signed("apple"), "y".repeat(16_384));
            let head = Request::get("/").header("cookie", head).body(()).unwrap();
            site.store.calls();
            let engine = site.layer.engine();
            let session = engine.load((&head).into()).await.unwrap().unwrap();
            assert_eq!(session.get::<String>("user").unwrap(), None);
            let errors = [
                session.destroy().await.unwrap_err(),
                session.unset().unwrap_err(),
                session.regenerate().await.unwrap_err(),
                session.save().await.unwrap_err(),
                session.insert("user", "ann").unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::InvalidData);
                let text = error.to_string();
                assert!(text.contains("the Cookie header is too long to be read"), "{text}");
            }
            assert_eq!(engine.commit(&session).await.unwrap(), None);
            assert_eq!(site.store.calls(), [""; 0]);
            assert!(site.record("apple").await.is_some());
        }
    }
}

#[tokio::test]
async fn the_limits_can_be_set() {
    let site = Site::with(|options| options.ids.max_cookie_header = 100);
    store_session(&site, "apple").await;
    let cookie = signed("apple");
    assert!(cookie.len() < 100);
    assert_eq!(user(&site, &[&cookie]).await.as_deref(), Some("apple"));
    assert_eq!(user(&site, &[&format!("{cookie}; x={}", "y".repeat(100))]).await, None);

    for (option, options) in [
        ("max_cookies", SessionOptions::new().with_ids(|ids| ids.with_max_cookies(0))),
        ("max_cookie_header", SessionOptions::new().with_ids(|ids| ids.with_max_cookie_header(0))),
    ] {
        let store = cloakroom_core::MemoryStore::new();
        let error = options.layer(store, Secrets::new(["s"]).unwrap()).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("invalid option {option:?}: must be above zero")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn only_so_many_cookies_of_the_name_are_tried() {
    for (most, expected) in [(8, None), (9, Some("apple"))] {
        let site = Site::with(|options| options.ids.max_cookies = most);
        store_session(&site, "apple").await;
        // Cookies that no secret verifies cost no command.
        let mut cookies: Vec<_> = (0..30).map(|n| format!("connect.sid=s%3A{n}.x")).collect();
        cookies.extend((0..8).map(|n| signed(&format!("stale{n}"))));
        cookies.push(signed("apple"));
        assert_eq!(user(&site, &[&cookies.join("; ")]).await.as_deref(), expected);
    }
}
