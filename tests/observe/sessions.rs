//! What the layer and the handle tell of sessions and cookies.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::{
    Atomic, Enumerate, Error, ErrorKind, ExpressSession, MemoryStore, Secrets, SessionData, Store,
    Touched,
    tower::{RequestHead, Secure, Session, SessionEngine, SessionOptions},
};
use http::Request;

use crate::collector::watch;

/// A site without a server.
pub(crate) struct Site(SessionEngine);

impl Site {
    pub(crate) fn on(store: Arc<dyn Store>, options: SessionOptions) -> Self {
        Self(options.engine(store, Secrets::new(["marker-secret"]).unwrap()).unwrap())
    }

    /// Returns the session of a request with this cookie.
    async fn begin(&self, cookie: &str) -> Session {
        let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
        self.0.load(RequestHead::from(&request)).await.unwrap().unwrap()
    }

    /// Serves one request with this cookie, and returns the cookie that the browser gets.
    pub(crate) async fn send(
        &self,
        cookie: &str,
        handler: impl AsyncFnOnce(&Session) -> Result<(), Error>,
    ) -> Option<String> {
        let session = self.begin(cookie).await;
        handler(&session).await.unwrap();
        let line = self.0.commit(&session).await.unwrap()?;
        Some(line.to_str().unwrap().split(';').next().unwrap().to_owned())
    }
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

const MARKERS: [&str; 4] = ["marker", "connect.sid", "s%3A", "another secret"];

#[test]
fn a_visit_from_the_first_page_to_the_logout() {
    for (options, moved) in [(SessionOptions::new(), 1), (SessionOptions::express(), 1)] {
        let is_express = options.preset == cloakroom::tower::Preset::Express;
        let mut cookies = Vec::new();
        let shown = watch(async || {
            let site = Site::on(memory(), options);
            let guest = site.send("", async |session| session.insert("cart", "marker-tea")).await;
            let guest = guest.unwrap();
            site.send(&guest, async |session| session.insert("cart", "marker-milk")).await;
            let login = async |session: &Session| {
                session.regenerate_keeping_data().await?;
                session.insert("user", "marker-ann")
            };
            let user = site.send(&guest, login).await.unwrap();
            site.send(&user, async |session| session.destroy().await).await;
            cookies = vec![guest, user];
        });
        for (what, count) in [("created", 1), ("moved", moved), ("destroyed", 1)] {
            let name = format!("cloakroom_sessions_{what}_total");
            assert_eq!(shown.count(&name, &[("store", "memory")]), count, "{what} {is_express}");
            let event = format!("cloakroom.session_{what}");
            assert_eq!(shown.event(&event).len() as u64, count, "{what} {is_express}");
        }
        shown.assert_without(&MARKERS);
        for cookie in &cookies {
            let id = cookie.split("s%3A").nth(1).unwrap().split('.').next().unwrap();
            assert!(id.len() > 20);
            shown.assert_without(&[id, cookie]);
        }
    }
}

/// A `Cookie` header beyond the limit, whose session cookie is valid.
fn too_long() -> String {
    let value = Secrets::new(["marker-secret"]).unwrap().cookie_value("marker-id");
    format!("connect.sid={value}; other={}", "x".repeat(16_384))
}

#[test]
fn looking_up_an_id_tells_of_nothing() {
    for options in [SessionOptions::new(), SessionOptions::express()] {
        let shown = watch(async || {
            let options = options
                .with_failure(|failure| failure.with_on_event(|event| panic!("told: {event}")));
            let site = Site::on(memory(), options);
            let request = Request::get("/").header("cookie", too_long()).body(()).unwrap();
            assert_eq!(site.0.session_id(request.headers()), None);
        });
        assert_eq!(shown.events.len(), 0, "{:?}", shown.events);
        assert_eq!(shown.count("cloakroom_cookies_refused_total", &[]), 0);
    }
}

#[test]
fn a_refused_cookie_has_a_reason() {
    for options in [SessionOptions::new(), SessionOptions::express()] {
        let shown = watch(async || {
            let site = Site::on(memory(), options);
            let (ours, another) = (["marker-secret"], ["another secret"]);
            for (secret, times) in [(another, 3), (ours, 2)] {
                let secrets = Secrets::new(secret).unwrap();
                let cookie = format!("connect.sid={}", secrets.cookie_value("marker-id"));
                for _ in 0..times {
                    site.send(&cookie, async |_| Ok(())).await;
                }
            }
            site.send(&too_long(), async |_| Ok(())).await;
        });
        for (reason, count) in [("not_verified", 3), ("session_unknown", 2), ("header_too_long", 1)]
        {
            let name = "cloakroom_cookies_refused_total";
            assert_eq!(shown.count(name, &[("reason", reason)]), count, "{reason}");
            let events = shown.event("cloakroom.cookie_refused");
            let events = events.iter().filter(|event| event.field("reason") == reason);
            assert_eq!(events.count() as u64, count, "{reason}");
        }
        shown.assert_without(&MARKERS);
    }
}

#[test]
fn a_withheld_cookie_is_told_of() {
    for options in [SessionOptions::new(), SessionOptions::express()] {
        let shown = watch(async || {
            let options = options.with_cookie(|cookie| cookie.with_secure(Secure::Always));
            let options = options.with_save_uninitialized(true);
            let site = Site::on(memory(), options);
            assert_eq!(site.send("", async |_| Ok(())).await, None);
        });
        assert_eq!(shown.event("cloakroom.cookie_withheld").len(), 1);
        assert_eq!(shown.count("cloakroom_cookies_withheld_total", &[]), 1);
    }
}

#[test]
fn a_withheld_cookie_counts_once_for_a_response() {
    for handles_error in [true, false] {
        let shown = watch(async || {
            let options = SessionOptions::new()
                .with_cookie(|cookie| cookie.with_secure(Secure::Always))
                .with_save_uninitialized(true);
            let site = Site::on(memory(), options);
            let session = site.begin("").await;
            session.insert("a", 1).unwrap();
            session.save().await.unwrap_err();
            session.save().await.unwrap_err();
            if handles_error {
                session.rollback().await.unwrap();
            }
            assert_eq!(site.0.commit(&session).await.is_ok(), handles_error);
        });
        assert_eq!(shown.event("cloakroom.cookie_withheld").len(), 1, "{handles_error}");
        assert_eq!(shown.count("cloakroom_cookies_withheld_total", &[]), 1, "{handles_error}");
    }
}

/// A store without conditional writes that can end no session.
struct Endless(MemoryStore);

#[async_trait]
impl Store for Endless {
    fn name(&self) -> &str {
        "endless"
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.0.get(sid).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.0.set(sid, session).await
    }

    async fn destroy(&self, _: &str) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Full, "endless", "destroy", "no room"))
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

#[test]
fn a_session_that_is_stored_counts_although_the_old_one_stays() {
    for keeps_data in [false, true] {
        let shown = watch(async || {
            let site = Site::on(Arc::new(Endless(MemoryStore::new())), SessionOptions::new());
            let cookie = site.send("", async |session| session.insert("a", 1)).await.unwrap();
            let session = site.begin(&cookie).await;
            if keeps_data {
                session.regenerate_keeping_data().await.unwrap();
            } else {
                session.regenerate().await.unwrap();
            }
            session.insert("user", "marker-ann").unwrap();
            assert_eq!(session.save().await.unwrap_err().kind(), ErrorKind::Full);
            site.0.commit(&session).await.unwrap_err();
        });
        for (what, count) in [("created", 1), ("moved", 1)] {
            let name = format!("cloakroom_sessions_{what}_total");
            assert_eq!(shown.count(&name, &[]), count, "{what} {keeps_data}");
        }
    }
}

#[test]
fn a_session_that_ends_during_a_request_is_told_of_as_discarded() {
    let shown = watch(async || {
        let site = Site::on(memory(), SessionOptions::new());
        let cookie = site.send("", async |session| session.insert("a", 1)).await.unwrap();
        let slow = async |session: &Session| {
            session.insert("a", "marker-value")?;
            site.send(&cookie, async |session| session.destroy().await).await;
            Ok(())
        };
        assert_eq!(site.send(&cookie, slow).await, None);
        // The marker of the logout is there, so a new session is not stored either.
        let late = async |session: &Session| session.insert("a", "marker-value");
        assert_eq!(site.send(&cookie, late).await, None);
    });
    let discarded = shown.event("cloakroom.session_discarded");
    let reasons: Vec<_> = discarded.iter().map(|event| event.field("reason")).collect();
    assert_eq!(reasons, ["destroyed", "logged_out"]);
    assert!(discarded[0].field("message").contains("another request destroyed the session"));
    for reason in reasons {
        assert_eq!(shown.count("cloakroom_sessions_discarded_total", &[("reason", reason)]), 1);
    }
    // The layer reports them as errors, too.
    let errors = shown.event("cloakroom.error");
    assert_eq!(errors.len(), 2);
    let labels = [("operation", "commit"), ("error", "other")];
    assert_eq!(shown.count("cloakroom_errors_total", &labels), 2);
    shown.assert_without(&["marker"]);
}

#[test]
fn two_requests_that_meet_are_a_conflict_and_a_merge() {
    let shown = watch(async || {
        let store = memory();
        let site = Site::on(Arc::clone(&store), SessionOptions::new());
        let cookie = site.send("", async |session| session.insert("a", 1)).await.unwrap();
        let slow = async |session: &Session| {
            session.insert("b", 1)?;
            site.send(&cookie, async |session| session.insert("c", 1)).await;
            Ok(())
        };
        site.send(&cookie, slow).await;
    });
    assert_eq!(shown.count("cloakroom_conflicts_total", &[("store", "memory")]), 1);
    assert_eq!(shown.count("cloakroom_merges_total", &[("store", "memory")]), 1);
    let merged = shown.event("cloakroom.merged");
    assert_eq!(merged.iter().map(|event| event.field("tries")).collect::<Vec<_>>(), ["2"]);
}

#[test]
fn a_handle_tells_of_what_it_creates_merges_and_destroys() {
    let shown = watch(async || {
        let store = MemoryStore::new();
        let sessions = ExpressSession::new(store.clone());
        sessions.create("marker-id", &SessionData::new()).await.unwrap();
        let other = ExpressSession::new(store);
        let mut is_first = true;
        let changed = sessions.modify("marker-id", |session| {
            if std::mem::take(&mut is_first) {
                // Another process writes in between.
                futures::executor::block_on(other.set("marker-id", &SessionData::new()))?;
            }
            session.insert("a", 1)
        });
        changed.await.unwrap();
        sessions.destroy("marker-id").await.unwrap();
    });
    for what in ["sessions_created", "merges", "sessions_destroyed"] {
        assert_eq!(shown.count(&format!("cloakroom_{what}_total"), &[]), 1, "{what}");
    }
    assert!(shown.verbs().contains(&"handle modify ok".to_owned()), "{:?}", shown.verbs());
    assert_eq!(shown.event("cloakroom.conflict").len(), 1);
    shown.assert_without(&["marker"]);
}
