//! The limit: the bare Redis client in axum, without a session object. With `SIGNED`, it checks the signature of the cookie.

use std::{borrow::Cow, env};

use axum::{Router, extract::State, http::HeaderMap, routing::get};
use cloakroom::{Secrets, cookie::find_cookie};
use cloakroom_bench::allocations::Counting;
use cloakroom_bench_http::server::{HELLO, SECRET, count, redis, serve};
use indexmap::IndexMap;
use redis::{AsyncConnectionConfig, aio::MultiplexedConnection, cmd};
use serde::Deserialize;
use serde_json::value::RawValue;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Clone)]
struct Site {
    redis: MultiplexedConnection,
    secrets: Option<Secrets>,
}

#[derive(Deserialize)]
struct Views {
    views: i64,
}

/// The key of the session that the cookie names.
fn key(site: &Site, headers: &HeaderMap) -> String {
    let header = headers["cookie"].as_bytes();
    let Some(secrets) = &site.secrets else {
        let cookie = std::str::from_utf8(header).unwrap();
        let value = cookie.strip_prefix("connect.sid=s%3A").unwrap();
        return format!("sess:{}", value.split('.').next().unwrap());
    };
    let value = find_cookie(header, "connect.sid").unwrap();
    format!("sess:{}", secrets.read_cookie_value(&value).unwrap().value)
}

async fn read(State(mut site): State<Site>, headers: HeaderMap) -> String {
    let key = key(&site, &headers);
    let mut get = cmd("GETEX");
    let record: Vec<u8> =
        get.arg(key).arg("EX").arg(3600).query_async(&mut site.redis).await.unwrap();
    let session: Views = serde_json::from_slice(&record).unwrap();
    format!("views {}", session.views)
}

async fn write(State(mut site): State<Site>, headers: HeaderMap) -> String {
    let key = key(&site, &headers);
    let record: Vec<u8> = cmd("GET").arg(&key).query_async(&mut site.redis).await.unwrap();
    let (text, views) = {
        let mut members: IndexMap<Cow<'_, str>, &RawValue> =
            serde_json::from_slice(&record).unwrap();
        let views = members["views"].get().parse::<i64>().unwrap() + 1;
        let value = RawValue::from_string(views.to_string()).unwrap();
        members.insert("views".into(), &value);
        (serde_json::to_vec(&members).unwrap(), views)
    };
    let mut set = cmd("SET");
    set.arg(key).arg(text).arg("EX").arg(3600).exec_async(&mut site.redis).await.unwrap();
    format!("views {views}")
}

#[tokio::main]
async fn main() {
    let client = redis::Client::open(redis()).unwrap();
    // On a busy machine it is measured, not given up.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let redis = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    let secrets = env::var_os("SIGNED").map(|_| Secrets::new([SECRET]).unwrap());
    let app = Router::new()
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/hello", get(async || HELLO))
        .route("/count", get(async || count()))
        .with_state(Site { redis, secrets });
    serve(app).await;
}
