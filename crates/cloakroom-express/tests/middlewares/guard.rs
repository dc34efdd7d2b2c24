//! `RequireUser` around routes and in front of handlers.

use axum::{Router, body::Body, routing::any};
use cloakroom_core::{Error, MemoryStore, Secrets, SessionData};
use cloakroom_express::passport::{RequireUser, take_return_to};
use cloakroom_tower::{
    Loading, RequestHead, RequireSession, Session, SessionEngine, SessionLayer, SessionOptions,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

struct App {
    router: Router,
    engine: SessionEngine,
}

impl App {
    fn new(loading: Loading) -> Self {
        let options = SessionOptions::new().with_loading(loading);
        let secrets = Secrets::new(["keyboard cat"]).unwrap();
        let layer: SessionLayer = options.layer(MemoryStore::new(), secrets).unwrap();
        let engine = layer.engine().clone();
        let guarded = |path: &str, guard: RequireSession| {
            Router::new().route(path, any(async || "inside")).route_layer(guard)
        };
        let nested = guarded("/inside", RequireUser::redirect_with_return_to("/login").unwrap());
        let router = guarded("/json", RequireUser::json())
            .merge(guarded("/page", RequireUser::redirect_with_return_to("/login").unwrap()))
            .merge(guarded("/plain", RequireUser::redirect("/login").unwrap()))
            .nest("/nested", nested)
            .route("/me", any(async |RequireUser(user): RequireUser<Value>| user.to_string()))
            .route("/text", any(async |RequireUser(user): RequireUser| user))
            .route(
                "/maybe",
                any(async |user: Option<RequireUser<Value>>| user.is_some().to_string()),
            )
            .layer(layer);
        Self { router, engine }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        cookie: Option<&http::HeaderValue>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.clone());
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn with_passport(&self, json: &str) -> http::HeaderValue {
        let fill = |record: &mut SessionData| -> Result<(), Error> {
            record.insert("cart", 1)?;
            record.insert_json("passport", json)
        };
        self.engine.test_cookie(fill).await.unwrap()
    }

    async fn session(&self, headers: &http::HeaderMap) -> Session {
        let line = headers["set-cookie"].to_str().unwrap();
        let request =
            Request::builder().header("cookie", line.split(';').next().unwrap()).body(()).unwrap();
        self.engine.load(RequestHead::from(&request)).await.unwrap().unwrap()
    }
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn guard_and_extractor_agree_on_who_is_logged_in() {
    for loading in [Loading::Eager, Loading::OnDemand] {
        let app = App::new(loading);
        for (passport, is_in) in [
            (r#"{"user":"ann"}"#, true),
            (r#"{"user":0}"#, true),
            (r#"{"user":{}}"#, true),
            (r#"{"user":[]}"#, true),
            (r#"{"user":null}"#, false),
            (r#"{"user":""}"#, false),
            (r#"{"extra":1}"#, false),
            ("{}", false),
            ("\"x\"", false),
            ("null", false),
        ] {
            let cookie = app.with_passport(passport).await;
            for (path, refused) in [("/json", 401), ("/plain", 303), ("/page", 303), ("/me", 401)] {
                let status = app.send("GET", path, Some(&cookie)).await.status();
                let expected = if is_in { 200 } else { refused };
                assert_eq!(status, expected, "{path} {passport}");
            }
            let maybe = app.send("GET", "/maybe", Some(&cookie)).await;
            assert_eq!(text(maybe).await, is_in.to_string(), "{passport}");
        }
        for path in ["/json", "/me"] {
            let response = app.send("GET", path, None).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(text(response).await, r#"{"error":"unauthorized"}"#);
        }
    }
}

#[tokio::test]
async fn the_extractor_gives_the_user_or_says_why_not() {
    let app = App::new(Loading::OnDemand);
    let number = app.with_passport(r#"{"user":7}"#).await;
    assert_eq!(text(app.send("GET", "/me", Some(&number)).await).await, "7");
    // Another type than the handler takes is a mistake of the application, not a logout.
    let response = app.send("GET", "/text", Some(&number)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    // Without a layer.
    let bare = Router::<()>::new().route("/", any(async |RequireUser(user): RequireUser| user));
    let response = bare.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn the_guard_notes_where_the_user_wanted_to_go() {
    for loading in [Loading::Eager, Loading::OnDemand] {
        let app = App::new(loading);
        for (method, path) in
            [("GET", "/page?x=1&y=%20"), ("POST", "/page"), ("GET", "/nested/inside?a=/b")]
        {
            let response = app.send(method, path, None).await;
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            assert_eq!(response.headers()["location"], "/login");
            let session = app.session(response.headers()).await;
            assert_eq!(take_return_to(&session).unwrap().as_deref(), Some(path));
        }
        // Nobody asked it to.
        assert!(!app.send("GET", "/plain", None).await.headers().contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn whoever_a_middleware_logs_in_passes_the_guard_inside_of_it() {
    use axum::middleware::{Next, from_fn};
    use cloakroom_express::passport;

    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let layer = SessionLayer::new(MemoryStore::new(), secrets);
    let remember =
        from_fn(async |session: Session, request: axum::extract::Request, next: Next| {
            passport::login(&session, 0).await?;
            Ok::<_, Error>(next.run(request).await)
        });
    let app = Router::new()
        .route("/", any(async || "inside"))
        .route_layer(RequireUser::json())
        .layer(remember)
        .layer(layer);
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
