//! A real server, whose handlers panic, whose browsers go away, and whose bodies stream.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, web};
use bytes::Bytes;
use cloakroom_actix::{Session, SessionMiddleware};
use cloakroom_core::{Enumerate, ErrorKind, MemoryStore, Secrets};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    store: MemoryStore,
}

impl Server {
    /// Starts a server with one worker, on which a handler does what its path says.
    fn start(begun: mpsc::UnboundedSender<Session>) -> Self {
        let store = MemoryStore::new();
        let sessions =
            SessionMiddleware::new(store.clone(), Secrets::new(["keyboard cat"]).unwrap());
        let server = HttpServer::new(move || {
            let begun = begun.clone();
            let handler = move |session: Session, path: web::Path<String>| {
                handle(session, path.into_inner(), begun.clone())
            };
            App::new().wrap(sessions.clone()).route("/{path}", web::get().to(handler))
        });
        let server = server.workers(1).bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.disable_signals().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { address, handle, store }
    }

    /// A connection with a request on it.
    async fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let text = format!("GET /{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// The whole response.
    async fn answer(&self, path: &str) -> String {
        let mut answer = String::new();
        // A server that drops the connection may reset it.
        let _ = self.ask(path).await.read_to_string(&mut answer).await;
        answer
    }

    async fn stored(&self) -> u64 {
        self.store.length().await.unwrap()
    }
}

async fn handle(
    session: Session,
    path: String,
    begun: mpsc::UnboundedSender<Session>,
) -> HttpResponse {
    session.insert("n", 1).unwrap();
    begun.send(session.clone()).unwrap();
    match &*path {
        "panics" => panic!("a handler that panics on purpose"),
        "waits" => std::future::pending().await,
        "streams" => {
            let body = futures::stream::once(async move {
                let kind = session.insert("late", 1).unwrap_err().kind();
                Ok::<_, std::convert::Infallible>(Bytes::from(kind.to_string()))
            });
            HttpResponse::Ok().streaming(body)
        }
        _ => HttpResponse::Ok().body("ok"),
    }
}

#[actix_web::test]
async fn nothing_of_a_handler_that_panics_is_stored() {
    let (begun, mut sessions) = mpsc::unbounded_channel();
    let server = Server::start(begun);
    assert_eq!(server.answer("panics").await, "", "the connection ends");
    let session = sessions.recv().await.unwrap();
    assert_eq!(session.insert("n", 2).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(server.stored().await, 0);
    // The worker lives on.
    assert!(server.answer("writes").await.contains("set-cookie: connect.sid="));
    assert_eq!(server.stored().await, 1);
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn nothing_of_a_request_whose_browser_goes_away_is_stored() {
    let (begun, mut sessions) = mpsc::unbounded_channel();
    let server = Server::start(begun);
    let stream = server.ask("waits").await;
    let session = sessions.recv().await.unwrap();
    // Reset, so that the server knows that nobody reads the answer.
    stream.set_zero_linger().unwrap();
    drop(stream);
    let since = Instant::now();
    while session.insert("n", 2).is_ok() {
        assert!(since.elapsed() < Duration::from_secs(600), "nobody reads the answer");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.stored().await, 0);
    server.handle.stop(false).await;
}

#[actix_web::test]
async fn a_body_that_streams_cannot_use_the_session() {
    let (begun, _sessions) = mpsc::unbounded_channel();
    let server = Server::start(begun);
    let answer = server.answer("streams").await;
    assert!(
        answer.contains("set-cookie: connect.sid=") && answer.contains("unsupported"),
        "{answer}"
    );
    assert_eq!(server.stored().await, 1);
    server.handle.stop(false).await;
}

/// What is shared by the workers can be moved to their threads.
#[test]
fn the_middleware_is_shared_by_threads() {
    fn is_shared<T: Send + Sync + Clone + 'static>() {}
    is_shared::<SessionMiddleware>();
    is_shared::<Arc<cloakroom_actix::RequireSessionMiddleware>>();
}
