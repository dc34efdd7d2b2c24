//! axum_session on its Redis pool. With `MEMORY`, it keeps sessions in memory as it does by default; without, each request
//! reads Redis as it does elsewhere.

use std::{env, net::SocketAddr};

use axum::{
    Router,
    routing::{get, post},
    serve::ListenerExt,
};
use axum_session::{Session, SessionConfig, SessionLayer, SessionStore};
use axum_session_redispool::SessionRedisPool;
use cloakroom_bench::allocations::Counting;
use cloakroom_bench_http::server::{HELLO, count, redis, started};
use redis_pool::RedisPool;
use serde_json::{Map, Value};
use time::Duration;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Visit = Session<SessionRedisPool>;

async fn read(session: Visit) -> String {
    let views: i64 = session.get("views").unwrap_or(-1);
    format!("views {views}")
}

async fn write(session: Visit) -> String {
    let views = session.get::<i64>("views").unwrap_or(-1) + 1;
    session.set("views", views);
    format!("views {views}")
}

async fn seed(session: Visit, body: String) -> &'static str {
    let data: Map<String, Value> = serde_json::from_str(&body).unwrap();
    for (name, value) in data {
        session.set(&name, value);
    }
    HELLO
}

#[tokio::main]
async fn main() {
    let pool = RedisPool::from(redis::Client::open(redis()).unwrap());
    let config = SessionConfig::default().with_table_name("axum").with_lifetime(Duration::hours(1));
    let config = match env::var_os("MEMORY") {
        Some(_) => config,
        None => config.with_memory_lifetime(Duration::ZERO),
    };
    let store = SessionStore::<SessionRedisPool>::new(Some(pool.into()), config).await.unwrap();
    let app = Router::new()
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/seed", post(seed))
        .route("/anonymous", get(async || HELLO))
        .layer(SessionLayer::new(store))
        .route("/hello", get(async || HELLO))
        .route("/count", get(async || count()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    started(listener.local_addr().unwrap().port());
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
}
