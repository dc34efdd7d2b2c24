//! The layer in axum, on the store that `cloakroom::open` gives, but with more time: on a busy machine it is measured, not
//! given up. `PRESET` is `safe` or `express`.

use std::{env, time::Duration};

use axum::{Router, routing::get};
use cloakroom::{
    ExpressSession, ExpressSessionOptions, Secrets,
    redis::{RedisOptions, RedisStore},
    tower::{Session, SessionError, SessionOptions},
};
use cloakroom_bench::allocations::Counting;
use cloakroom_bench_http::server::{HELLO, SECRET, count, redis, serve};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MINUTE: Duration = Duration::from_secs(60);

async fn read(session: Session) -> Result<String, SessionError> {
    let views: i64 = session.get("views")?.unwrap_or(-1);
    Ok(format!("views {views}"))
}

async fn write(session: Session) -> Result<String, SessionError> {
    let views = session.get::<i64>("views")?.unwrap_or(-1) + 1;
    session.insert("views", views)?;
    Ok(format!("views {views}"))
}

#[tokio::main]
async fn main() {
    let options = match env::var("PRESET").as_deref() {
        Ok("express") => {
            SessionOptions::express().with_resave(false).with_save_uninitialized(false)
        }
        _ => SessionOptions::new(),
    };
    let options =
        options.with_cookie(|cookie| cookie.with_max_age(Duration::from_secs(3600))).with_failure(
            |failure| failure.with_deadline(MINUTE).with_on_error(|error| eprintln!("{error}")),
        );
    let store =
        RedisStore::open_with(&redis(), RedisOptions::default().with_deadline(MINUTE)).unwrap();
    let handle = ExpressSessionOptions::default().with_deadline(MINUTE);
    let store = ExpressSession::with_options(store, handle);
    let secrets = Secrets::new([SECRET]).unwrap();
    let app = Router::new()
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/anonymous", get(async || HELLO))
        .layer(options.layer(store, secrets).unwrap())
        .route("/hello", get(async || HELLO))
        .route("/count", get(async || count()));
    serve(app).await;
}
