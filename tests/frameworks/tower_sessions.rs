//! tower-sessions beside Express: its layer on a store of ours, and its Redis store behind our contract.

use std::sync::Arc;

use axum::{Router, body::Body, routing::get};
use cloakroom::{
    ErrorKind, ExpressSession, Secrets, Store, open,
    tower::{IdFormat, RequestHead, SessionOptions},
};
use cloakroom_conformance::{StoreUnderTest, suite};
use cloakroom_test_support::{NodeProgram, RedisServer};
use cloakroom_tower_sessions::{CloakroomStore, TowerSessionsStore};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_sessions::{Expiry, Session, SessionManagerLayer};
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike, Config, Pool},
};

async fn login(session: Session) -> &'static str {
    session.cycle_id().await.unwrap();
    session.insert("user", "ann").await.unwrap();
    "welcome"
}

async fn show(session: Session) -> String {
    let user = session.get::<String>("user").await.unwrap().unwrap_or_default();
    format!("{user} {:?}", session.get::<String>("theme").await.unwrap())
}

async fn logout(session: Session) -> &'static str {
    session.flush().await.unwrap();
    "bye"
}

/// An app with the layer of tower-sessions on a store of ours.
fn app(store: ExpressSession) -> Router {
    let expiry = Expiry::OnInactivity(time::Duration::hours(1));
    let layer = SessionManagerLayer::new(CloakroomStore::new(store)).with_expiry(expiry);
    Router::new()
        .route("/login", get(login))
        .route("/", get(show))
        .route("/logout", get(logout))
        .layer(layer.with_secure(false))
}

/// The body of the answer, and its cookie if it sets one.
async fn ask(app: &Router, path: &str, cookie: &str) -> (String, Option<String>) {
    let request = Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let cookie = response.headers().get("set-cookie");
    let cookie = cookie.map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (String::from_utf8(body.to_vec()).unwrap(), cookie)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and the npm packages"]
async fn the_layer_of_tower_sessions_shares_records_with_express() {
    let redis = RedisServer::start().unwrap();
    let store = open(&redis.url()).unwrap();
    let app = app(store.clone());
    let (_, cookie) = ask(&app, "/login", "").await;
    let cookie = cookie.unwrap();
    let sid = cookie.strip_prefix("id=").unwrap();
    assert_eq!(ask(&app, "/", &cookie).await.0, "ann None");

    // Express under a cookie of its own that names the same record.
    let node = ["--url", &redis.url(), "--secret", "keyboard cat"];
    let node = NodeProgram::start("app.mjs", &node, &[]).unwrap();
    let ready: Value = node.ready().parse().unwrap();
    let express = format!("http://127.0.0.1:{}", ready["port"]);
    let secrets = Secrets::new(["keyboard cat"]).unwrap();
    let signed = format!("connect.sid={}", secrets.cookie_value(sid));
    let seen = tokio::task::spawn_blocking(move || {
        let put = ureq::put(format!("{express}/keys/theme"));
        let put = put.header("cookie", &signed).header("content-type", "application/json");
        let mut answer = put.send(r#""dark""#).unwrap();
        answer.body_mut().read_to_string().unwrap().parse::<Value>().unwrap()
    });
    let seen = seen.await.unwrap();
    assert_eq!((&seen["id"], &seen["session"]["user"]), (&json!(sid), &json!("ann")));
    assert_eq!(ask(&app, "/", &cookie).await.0, r#"ann Some("dark")"#);

    // Our layer takes their cookie as it is, so an app can move without logging anybody out.
    let options = SessionOptions::new().with_ids(|ids| ids.with_cookie_name("id"));
    let engine = options.engine(store.clone(), IdFormat::Plain).unwrap();
    let request = Request::get("/").header("cookie", &cookie).body(()).unwrap();
    let session = engine.load(RequestHead::from(&request)).await.unwrap().unwrap();
    assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("ann"));

    ask(&app, "/logout", &cookie).await;
    assert!(store.get(sid).await.unwrap().is_none());
    assert_eq!(ask(&app, "/", &cookie).await.0, " None");
}

/// Their Redis store, on a server of its own.
async fn subject() -> StoreUnderTest {
    let server = RedisServer::start().unwrap();
    let open = async |database: u8| {
        let config = Config::from_url(&format!("{}/{database}", server.url())).unwrap();
        let pool = Pool::new(config, None, None, None, 2).unwrap();
        pool.init().await.unwrap();
        TowerSessionsStore::new(RedisStore::new(pool))
    };
    let (first, second, other) = (open(0).await, open(0).await, open(1).await);
    StoreUnderTest::new(first).with_second_handle(second).with_neighbour(other).add_guard(server)
}

mod their_redis_store {
    use super::*;

    suite!(
        subject,
        ignore = "needs redis-server",
        not_offered = [find_by, touch, atomic, enumerate, raw, faults],
        exceptions = [a_runtime_that_lacks_something_is_a_config_error =
            "the call goes on in the tasks of their client, and its outcome is unknown"],
    );
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_redis_that_is_gone_is_unavailable() {
    let mut server = RedisServer::start().unwrap();
    let pool = Pool::new(Config::from_url(&server.url()).unwrap(), None, None, None, 1).unwrap();
    pool.init().await.unwrap();
    let store = TowerSessionsStore::new(RedisStore::new(pool))
        .with_deadline(std::time::Duration::from_millis(500));
    server.stop();
    let error = store.get("a").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
    let shared: Arc<dyn Store> = Arc::new(store);
    assert_eq!(shared.name(), "tower-sessions");
}
