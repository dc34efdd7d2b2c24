//! What nobody would notice: each is told with a reason that a person can act on, and not again and again.

use std::sync::{Arc, Mutex};

use cloakroom_core::Secrets;
use cloakroom_tower::{
    EventReason, IdFormat, Loading, Proxy, Secure, Session, SessionEvent, SessionOptions,
};
use http::{Request, StatusCode};

use crate::site::{Reply, Site};

const HOUR_MS: i64 = 3_600_000;

type Told = Arc<Mutex<Vec<SessionEvent>>>;

fn site_with(options: SessionOptions, change: impl FnOnce(&mut SessionOptions)) -> (Site, Told) {
    let told = Told::default();
    let events = Arc::clone(&told);
    let ids = Secrets::new(["keyboard cat"]).unwrap();
    let site = Site::with_all(
        options,
        ids,
        |store| store,
        |options| {
            options.failure.on_event = Some(Arc::new(move |event: &SessionEvent| {
                events.lock().unwrap().push(event.clone())
            }));
            change(options);
        },
    );
    (site, told)
}

fn presets() -> [SessionOptions; 2] {
    [SessionOptions::new(), SessionOptions::express()]
}

fn take(told: &Told) -> Vec<(EventReason, u64)> {
    let told = std::mem::take(&mut *told.lock().unwrap());
    told.iter().map(|event| (event.reason(), event.count())).collect()
}

async fn get(site: &Site, cookie: &str) -> Reply {
    let request = Request::get("/").header("cookie", cookie).body(()).unwrap();
    site.send(request, async |_: Session| Ok(())).await
}

/// As a service signs it that has another secret.
fn foreign_cookie(sid: &str) -> String {
    format!("connect.sid={}", Secrets::new(["another"]).unwrap().cookie_value(sid))
}

#[tokio::test]
async fn a_cookie_that_no_secret_verifies_is_told_once_and_then_counted() {
    for options in presets() {
        let (site, told) = site_with(options, |_| {});
        let cookie = foreign_cookie("apple");
        get(&site, &cookie).await;
        let text = told.lock().unwrap()[0].to_string();
        assert!(text.starts_with("1 request: ") && text.contains("secrets"), "{text}");
        assert!(text.contains("\"connect.sid\"") && !text.contains("apple"), "{text}");
        assert_eq!(take(&told), [(EventReason::CookieNotVerified, 1)]);
        for _ in 0..99 {
            get(&site, &cookie).await;
        }
        assert_eq!(take(&told), [], "told already");
        site.clock.advance(HOUR_MS);
        get(&site, "connect.sid=s%3Anonsense").await;
        let text = told.lock().unwrap()[0].to_string();
        assert!(text.starts_with("100 requests: "), "{text}");
        assert_eq!(take(&told), [(EventReason::CookieNotVerified, 100)]);
    }
}

#[tokio::test]
async fn what_is_as_it_should_be_is_no_event() {
    for options in presets() {
        let (site, told) = site_with(options, |_| {});
        get(&site, "other=1").await;
        get(&site, "connect.sid=").await;
        site.write("n", 1).await;
        site.read().await;
        site.visit(async |session: Session| session.destroy().await).await;
        assert_eq!(take(&told), []);
    }
    // One that does not verify, beside one that does: the safe preset takes the other.
    let (site, told) = site_with(SessionOptions::new(), |_| {});
    site.write("n", 1).await;
    let cookie = site.cookie.lock().unwrap().clone().unwrap();
    get(&site, &format!("{}; {cookie}", foreign_cookie("apple"))).await;
    assert_eq!(take(&told), []);
}

#[tokio::test]
async fn a_cookie_that_the_store_does_not_know_is_told_by_a_reason_of_its_own() {
    for options in presets() {
        let (site, told) = site_with(options, |_| {});
        let known = Secrets::new(["keyboard cat"]).unwrap().cookie_value("apple");
        for _ in 0..3 {
            get(&site, &format!("connect.sid={known}")).await;
            get(&site, &foreign_cookie("pear")).await;
        }
        let text = told.lock().unwrap()[0].to_string();
        assert!(text.contains("prefix") && !text.contains("apple"), "{text}");
        assert_eq!(
            take(&told),
            [(EventReason::SessionUnknown, 1), (EventReason::CookieNotVerified, 1)]
        );
    }
}

/// Nobody knows whether it is there.
#[tokio::test]
async fn a_store_that_is_unavailable_does_not_count_as_one_that_does_not_know() {
    for options in presets() {
        let (site, told) = site_with(options, |_| {});
        let known = Secrets::new(["keyboard cat"]).unwrap().cookie_value("apple");
        for kind in [cloakroom_core::ErrorKind::Unavailable, cloakroom_core::ErrorKind::Corrupt] {
            site.store.fail(&["get", "get_and_touch"], kind);
            get(&site, &format!("connect.sid={known}")).await;
        }
        assert_eq!(take(&told), []);
    }
}

#[tokio::test]
async fn on_demand_a_session_that_nobody_asks_for_is_not_looked_for() {
    let (site, told) = site_with(SessionOptions::new(), |options| {
        options.loading = Loading::OnDemand;
    });
    let known = Secrets::new(["keyboard cat"]).unwrap().cookie_value("apple");
    get(&site, &format!("connect.sid={known}")).await;
    assert_eq!(take(&told), []);
    get(&site, &foreign_cookie("apple")).await;
    assert_eq!(take(&told), [(EventReason::CookieNotVerified, 1)]);
}

#[tokio::test]
async fn plain_ids_are_known_or_not() {
    let (site, told) = site_with(SessionOptions::next_session(), |_| {});
    let site = site.rebuilt(IdFormat::Plain, |_| {});
    get(&site, "sid=apple").await;
    assert_eq!(take(&told), [(EventReason::SessionUnknown, 1)]);
}

#[tokio::test]
async fn a_login_that_cannot_be_stored_is_an_error_response() {
    let secure = |options: &mut SessionOptions| options.cookie.secure = Some(Secure::Always);
    let (site, told) = site_with(SessionOptions::new(), secure);
    for regenerates in [false, true] {
        let reply = site
            .visit(async move |session: Session| {
                if regenerates {
                    session.regenerate().await?;
                }
                session.insert("user", "ann")
            })
            .await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(site.store.calls().is_empty() && reply.lines().is_empty());
        let errors = site.told();
        assert!(errors.len() == 1 && errors[0].contains("\"proxy\""), "{errors:?}");
        assert!(errors[0].contains("http://localhost"), "{errors:?}");
    }
    // A visitor who changes nothing loses nothing.
    assert_eq!(site.read().await.status, StatusCode::OK);
    assert!(take(&told).is_empty() && site.told().is_empty());
}

#[tokio::test]
async fn a_cookie_that_is_withheld_is_told_once() {
    for mut options in presets() {
        options.save_uninitialized = true;
        let (site, told) = site_with(options, |options| {
            options.cookie.secure = Some(Secure::Always);
        });
        for _ in 0..5 {
            let reply = site.read().await;
            assert!(reply.status == StatusCode::OK && reply.lines().is_empty());
        }
        let text = told.lock().unwrap()[0].to_string();
        assert!(text.contains("\"proxy\"") && text.contains("http://localhost"), "{text}");
        assert_eq!(take(&told), [(EventReason::CookieWithheld, 1)]);
        assert_eq!(site.told(), [""; 0]);
    }
}

/// Behind a proxy that tells at times that the request is secure, and at others does not.
#[tokio::test]
async fn so_is_that_of_a_session_that_is_there() {
    let (site, told) = site_with(SessionOptions::new(), |options| {
        options.cookie.secure = Some(Secure::Always);
        options.cookie.max_age = Some(crate::site::MINUTE);
        options.proxy = Proxy::Trusted;
    });
    let request = Request::get("/").header("x-forwarded-proto", "https").body(()).unwrap();
    let reply = site.send(request, async |session: Session| session.insert("n", 1)).await;
    *site.cookie.lock().unwrap() = reply.lines()[0].split(';').next().map(str::to_owned);
    assert_eq!(take(&told), []);
    site.clock.advance(5_000);
    site.write("n", 2).await;
    site.write("n", 3).await;
    assert_eq!(take(&told), [(EventReason::CookieWithheld, 1)]);
}

#[cfg(feature = "axum")]
mod handlers {
    use axum::{Router, body::Body, routing::get};
    use cloakroom_core::Error;
    use cloakroom_tower::{LazySession, SessionError};
    use tower::ServiceExt;

    use super::*;

    async fn wrapped(session: Session) -> Result<String, SessionError> {
        Ok(session.get::<u64>("passport")?.unwrap_or_default().to_string())
    }

    async fn bare(session: Session) -> Result<String, Error> {
        Ok(session.get::<u64>("passport")?.unwrap_or_default().to_string())
    }

    async fn by_hand(session: Session) -> http::Response<Body> {
        let error = session.get::<u64>("passport").unwrap_err();
        SessionError::from(error).into_http().map(Body::from)
    }

    #[tokio::test]
    async fn an_error_that_a_handler_answers_with_is_told() {
        for options in presets() {
            let (site, _) = site_with(options, |_| {});
            site.visit(async |session: Session| session.insert("passport", "ann")).await;
            let cookie = site.cookie.lock().unwrap().clone().unwrap();
            let app = Router::new()
                .route("/wrapped", get(wrapped))
                .route("/bare", get(bare))
                .route("/by-hand", get(by_hand))
                .layer(site.layer.clone());
            for path in ["/wrapped", "/bare", "/by-hand"] {
                let request = Request::get(path).header("cookie", &cookie).body(Body::empty());
                let response = app.clone().oneshot(request.unwrap()).await.unwrap();
                assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
                let errors = site.told();
                assert!(errors.len() == 1 && errors[0].contains("\"passport\""), "{errors:?}");
                assert!(!errors[0].contains("ann"), "{errors:?}");
            }
        }
    }

    /// It was reported when the session was loaded.
    #[tokio::test]
    async fn one_that_loading_has_met_is_told_once() {
        let (site, _) = site_with(SessionOptions::new(), |options| {
            options.loading = Loading::OnDemand;
        });
        let asks = async |lazy: axum::Extension<LazySession>| {
            lazy.get().await.map(|_| ()).map_err(SessionError::from)
        };
        let app = Router::new().route("/", get(asks)).layer(site.layer.clone());
        site.store.fail(&["get", "get_and_touch"], cloakroom_core::ErrorKind::Unavailable);
        let known = Secrets::new(["keyboard cat"]).unwrap().cookie_value("apple");
        let request = Request::get("/").header("cookie", format!("connect.sid={known}"));
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(site.told(), ["log: get_and_touch: told to fail"]);
    }

    /// The layer is there, and has no session.
    #[tokio::test]
    async fn also_where_there_is_no_session() {
        let (site, _) = site_with(SessionOptions::new(), |options| {
            options.cookie.path = Some("/app".to_owned());
        });
        let fails = async || {
            let kind = cloakroom_core::ErrorKind::Other;
            Err::<(), _>(Error::new(kind, "mine", "look", "it is broken"))
        };
        let app = Router::new().route("/", get(fails)).layer(site.layer.clone());
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(site.told(), ["mine: look: it is broken"]);
    }
}
