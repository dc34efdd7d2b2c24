//! tower-sessions with its Redis store. It saves always, so that a visit keeps the session alive as it does elsewhere.

use axum::{
    Router,
    routing::{get, post},
};
use cloakroom_bench::allocations::Counting;
use cloakroom_bench_http::server::{HELLO, count, redis, serve};
use serde_json::{Map, Value};
use tower_sessions::{Expiry, Session, SessionManagerLayer};
use tower_sessions_redis_store::{
    RedisStore,
    fred::prelude::{ClientLike, Config, Pool},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

async fn read(session: Session) -> String {
    let views: i64 = session.get("views").await.unwrap().unwrap_or(-1);
    format!("views {views}")
}

async fn write(session: Session) -> String {
    let views = session.get::<i64>("views").await.unwrap().unwrap_or(-1) + 1;
    session.insert("views", views).await.unwrap();
    format!("views {views}")
}

async fn seed(session: Session, body: String) -> &'static str {
    let data: Map<String, Value> = serde_json::from_str(&body).unwrap();
    for (name, value) in data {
        session.insert_value(&name, value).await.unwrap();
    }
    HELLO
}

#[tokio::main]
async fn main() {
    // As many connections as the store's documentation shows.
    let pool = Pool::new(Config::from_url(&redis()).unwrap(), None, None, None, 6).unwrap();
    pool.connect();
    pool.wait_for_connect().await.unwrap();
    let layer = SessionManagerLayer::new(RedisStore::new(pool))
        .with_secure(false)
        .with_always_save(true)
        .with_expiry(Expiry::OnInactivity(time::Duration::hours(1)));
    let app = Router::new()
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/seed", post(seed))
        .route("/anonymous", get(async || HELLO))
        .layer(layer)
        .route("/hello", get(async || HELLO))
        .route("/count", get(async || count()));
    serve(app).await;
}
