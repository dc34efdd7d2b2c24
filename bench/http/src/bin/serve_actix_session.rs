//! actix-session on Redis. It extends a session on every request, as express-session does.

use actix_session::{
    Session, SessionMiddleware,
    config::{CookieContentSecurity, PersistentSession, TtlExtensionPolicy},
    storage::RedisSessionStore,
};
use actix_web::{
    App, HttpServer,
    cookie::{Key, time::Duration},
    web,
};
use cloakroom_bench::allocations::Counting;
use cloakroom_bench_http::server::{HELLO, count, redis, started};
use serde_json::{Map, Value};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

async fn read(session: Session) -> String {
    let views: i64 = session.get("views").unwrap().unwrap_or(-1);
    format!("views {views}")
}

async fn write(session: Session) -> String {
    let views = session.get::<i64>("views").unwrap().unwrap_or(-1) + 1;
    session.insert("views", views).unwrap();
    format!("views {views}")
}

async fn seed(session: Session, body: String) -> &'static str {
    let data: Map<String, Value> = serde_json::from_str(&body).unwrap();
    for (name, value) in data {
        session.insert(name, value).unwrap();
    }
    HELLO
}

async fn hello() -> &'static str {
    HELLO
}

async fn counted() -> String {
    count()
}

#[actix_web::main]
async fn main() {
    let store = RedisSessionStore::new(redis()).await.unwrap();
    let key = Key::from(&[7; 64]);
    let server = HttpServer::new(move || {
        let life = PersistentSession::default()
            .session_ttl(Duration::hours(1))
            .session_ttl_extension_policy(TtlExtensionPolicy::OnEveryRequest);
        let sessions = SessionMiddleware::builder(store.clone(), key.clone())
            .cookie_secure(false)
            .cookie_content_security(CookieContentSecurity::Signed)
            .session_lifecycle(life)
            .build();
        let pages = web::scope("")
            .wrap(sessions)
            .route("/read", web::get().to(read))
            .route("/write", web::get().to(write))
            .route("/seed", web::post().to(seed))
            .route("/anonymous", web::get().to(hello));
        App::new()
            .route("/hello", web::get().to(hello))
            .route("/count", web::get().to(counted))
            .service(pages)
    });
    let server = server.workers(1).bind("127.0.0.1:0").unwrap();
    started(server.addrs()[0].port());
    server.run().await.unwrap();
}
