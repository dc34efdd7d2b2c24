//! The extractors and answers for axum.

use axum::{Router, body::Body, routing::get};
use cloakroom_core::{Error, ErrorKind, MemoryStore, Secrets};
use cloakroom_tower::{Session, SessionError, SessionLayer, SessionOptions};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

fn layer(path: &str) -> SessionLayer {
    let mut options = SessionOptions::new();
    options.cookie.path = Some(path.to_owned());
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    options.layer(MemoryStore::new(), secrets).unwrap()
}

async fn answer(app: Router, path: &str) -> (StatusCode, bool, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let has_cookie = response.headers().contains_key("set-cookie");
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, has_cookie, String::from_utf8(body.to_vec()).unwrap())
}

async fn write(session: Session) -> Result<&'static str, SessionError> {
    session.insert("n", 1)?;
    Ok("written")
}

#[tokio::test]
async fn a_handler_gets_the_session_and_the_browser_its_cookie() {
    let app = Router::new().route("/", get(write)).layer(layer("/"));
    assert_eq!(answer(app, "/").await, (StatusCode::OK, true, "written".to_owned()));
}

#[tokio::test]
async fn a_route_without_a_session_says_what_is_missing() {
    let app = Router::new().route("/", get(write));
    let (status, _, body) = answer(app, "/").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("SessionLayer"), "{body}");
}

#[tokio::test]
async fn a_session_can_be_optional() {
    let app = || {
        Router::new()
            .route("/{*path}", get(async |session: Option<Session>| session.is_some().to_string()))
    };
    assert_eq!(answer(app(), "/x").await.2, "false");
    for (path, is_there) in [("/app/x", "true"), ("/x", "false")] {
        assert_eq!(answer(app().layer(layer("/app")), path).await.2, is_there, "{path}");
    }
}

/// The browser compares the cookie's path with the one that it asked for.
#[tokio::test]
async fn a_nested_router_has_the_path_that_the_browser_asked_for() {
    let nested = Router::new().route("/x", get(write)).layer(layer("/app"));
    let app = Router::new().nest("/app", nested);
    assert_eq!(answer(app, "/app/x").await, (StatusCode::OK, true, "written".to_owned()));
}

#[tokio::test]
async fn an_error_is_503_when_trying_again_can_help_and_says_no_more() {
    for (kind, status) in [
        (ErrorKind::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (ErrorKind::Timeout, StatusCode::SERVICE_UNAVAILABLE),
        (ErrorKind::TooLarge, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let app = Router::new().route(
            "/",
            get(async move || {
                Err::<(), _>(SessionError::from(Error::new(kind, "redis", "get", "at 10.0.0.1")))
            }),
        );
        let (found, _, body) = answer(app, "/").await;
        assert_eq!(found, status);
        assert!(body.starts_with("The session ") && !body.contains("10.0.0.1"), "{body}");
        let error = SessionError::from(Error::new(kind, "redis", "get", "at 10.0.0.1"));
        assert_eq!(error.to_string(), "redis: get: at 10.0.0.1");
        assert_eq!((error.error().kind(), error.into_http().status()), (kind, status));
    }
}

fn on_demand(store: impl cloakroom_core::Store + 'static) -> SessionLayer {
    let mut options = SessionOptions::new();
    options.loading = cloakroom_tower::Loading::OnDemand;
    options.layer(store, Secrets::new(["keyboard cat"]).unwrap()).unwrap()
}

#[tokio::test]
async fn an_extractor_loads_what_nobody_has_asked_for() {
    let app = Router::new().route("/", get(write)).layer(on_demand(MemoryStore::new()));
    assert_eq!(answer(app, "/").await, (StatusCode::OK, true, "written".to_owned()));
}

#[tokio::test]
async fn a_session_that_cannot_be_loaded_is_the_layers_error_response() {
    let store = crate::log::Log::new(&cloakroom_core::Clock::system());
    store.fail(&["get_and_touch", "get"], ErrorKind::Unavailable);
    let app = || {
        Router::new()
            .route("/", get(write))
            .route("/optional", get(async |session: Option<Session>| session.is_some().to_string()))
            .route("/static", get(async || "a file"))
            .layer(on_demand(store.clone()))
    };
    let cookie = Secrets::new(["keyboard cat"]).unwrap().cookie_value("abc");
    for (path, status) in [
        ("/", StatusCode::SERVICE_UNAVAILABLE),
        ("/optional", StatusCode::SERVICE_UNAVAILABLE),
        ("/static", StatusCode::OK),
    ] {
        let request = Request::get(path).header("cookie", format!("connect.sid={cookie}"));
        let response = app().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
    assert_eq!(store.calls(), ["get_and_touch", "get"].repeat(2));
}

/// A shop around everything, and its `/admin` with a name, a secret and a store of its own.
#[tokio::test]
async fn a_handler_inside_two_layers_gets_the_innermost_session() {
    let mut options = SessionOptions::new();
    options.ids.cookie_name = "admin.sid".to_owned();
    let secrets = Secrets::new(["another"]).unwrap();
    let admin = options.layer(MemoryStore::new(), secrets).unwrap();
    let shop = layer("/");
    let pages =
        |session: Session| async move { session.engine().options().ids.cookie_name.clone() };
    let guard = cloakroom_tower::RequireSession::json();
    let app = Router::new()
        .nest("/admin", Router::new().route("/", get(pages)).layer(guard).layer(admin))
        .route("/", get(pages))
        .route("/write", get(write))
        .layer(shop);
    let request = Request::get("/write").body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    for (path, status) in [("/", StatusCode::OK), ("/admin", StatusCode::UNAUTHORIZED)] {
        let request = Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status, "{path}");
    }
}
