//! salvo-express-session on Redis, which reads the sessions of Express too.

use cloakroom_bench::allocations::Counting;
use cloakroom_bench_http::server::{HELLO, SECRET, count, redis, started};
use salvo::{conn::TcpListener, prelude::*};
use salvo_express_session::{ExpressSessionHandler, RedisStore, SessionConfig, SessionDepotExt};
use serde_json::{Map, Value};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[handler]
async fn read(depot: &mut Depot) -> String {
    let session = depot.session_mut().unwrap();
    let views: i64 = session.get("views").unwrap_or(-1);
    format!("views {views}")
}

#[handler]
async fn write(depot: &mut Depot) -> String {
    let session = depot.session_mut().unwrap();
    let views = session.get::<i64>("views").unwrap_or(-1) + 1;
    session.set("views", views);
    format!("views {views}")
}

#[handler]
async fn seed(request: &mut Request, depot: &mut Depot) -> &'static str {
    let body = request.payload().await.unwrap();
    let data: Map<String, Value> = serde_json::from_slice(body).unwrap();
    let session = depot.session_mut().unwrap();
    for (name, value) in data {
        session.set(&name, value);
    }
    HELLO
}

#[handler]
async fn hello() -> &'static str {
    HELLO
}

#[handler]
async fn counted() -> String {
    count()
}

#[tokio::main]
async fn main() {
    let store = RedisStore::from_url(&redis()).await.unwrap();
    let config = SessionConfig::new(SECRET).with_max_age(3600);
    let pages = Router::new()
        .hoop(ExpressSessionHandler::new(store, config))
        .push(Router::with_path("read").get(read))
        .push(Router::with_path("write").get(write))
        .push(Router::with_path("seed").post(seed))
        .push(Router::with_path("anonymous").get(hello));
    let router = Router::new()
        .push(Router::with_path("hello").get(hello))
        .push(Router::with_path("count").get(counted))
        .push(pages);
    let acceptor = TcpListener::new("127.0.0.1:0").bind().await;
    let port = acceptor.local_addr().unwrap().port();
    started(port);
    Server::new(acceptor).serve(router).await;
}
