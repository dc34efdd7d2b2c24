//! The layers among other crates' layers, and around a whole router.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    response::IntoResponse,
    routing::{get, post},
};
use cloakroom_core::{Error, ErrorKind, MemoryStore, Secrets};
use cloakroom_tower::{RequireSession, Session, SessionError, SessionLayer};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http::{cors::CorsLayer, timeout::TimeoutLayer};

fn layer() -> SessionLayer {
    SessionLayer::new(MemoryStore::new(), Secrets::new(["keyboard cat"]).unwrap())
}

fn guard() -> RequireSession {
    RequireSession::json().with_member("n")
}

/// The error needs no wrapper.
async fn write(session: Session) -> Result<&'static str, Error> {
    session.insert("n", 1)?;
    Ok("written")
}

fn router() -> Router {
    Router::new()
        .route("/write", post(write))
        .route("/in", get(async || "inside").layer(guard()))
        .route("/slow", get(async || std::future::pending::<()>().await))
}

fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(1))
}

fn answer<S, B>(service: &S, method: &str, path: &str) -> impl Future<Output = Response<B>>
where
    S: Service<Request<Body>, Response = Response<B>, Error: std::fmt::Debug> + Clone,
{
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let answer = service.clone().oneshot(request);
    async { answer.await.unwrap() }
}

/// Time stands still while anything can go on, so that only what waits for ever is late.
#[tokio::test(start_paused = true)]
async fn layers_of_others_stand_outside_and_inside() {
    let outside = ServiceBuilder::new()
        .layer(CorsLayer::permissive())
        .layer(timeout())
        .layer(layer())
        .service(router());
    let inside = ServiceBuilder::new()
        .layer(layer())
        .layer(CorsLayer::permissive())
        .layer(timeout())
        .service(router());
    let between = ServiceBuilder::new()
        .layer(timeout())
        .layer(layer())
        .layer(CorsLayer::permissive())
        .layer(guard().with_paths(["/in"]))
        .layer(timeout())
        .service(router());
    let guards = ServiceBuilder::new()
        .layer(layer())
        .layer(timeout())
        .layer(guard().with_paths(["/in"]))
        .layer(RequireSession::json().with_paths(["/in"]))
        .service(router());
    for path in ["/in", "/slow"] {
        let expected =
            if path == "/in" { StatusCode::UNAUTHORIZED } else { StatusCode::REQUEST_TIMEOUT };
        assert_eq!(answer(&outside, "GET", path).await.status(), expected);
        assert_eq!(answer(&inside, "GET", path).await.status(), expected);
        assert_eq!(answer(&between, "GET", path).await.status(), expected);
        assert_eq!(answer(&guards, "GET", path).await.status(), expected);
    }
    let written = answer(&between, "POST", "/write").await;
    assert_eq!(written.status(), StatusCode::OK);
    assert!(written.headers().contains_key("set-cookie"));
    assert!(written.headers().contains_key("access-control-allow-origin"));

    // As layers of a router, in one builder and one by one.
    let stack = ServiceBuilder::new()
        .layer(CorsLayer::permissive())
        .layer(timeout())
        .layer(layer())
        .layer(timeout())
        .layer(guard().with_paths(["/in"]));
    let app = router().layer(stack);
    assert_eq!(answer(&app, "GET", "/in").await.status(), StatusCode::UNAUTHORIZED);
    let app =
        router().layer(guard()).layer(timeout()).layer(layer()).layer(CorsLayer::permissive());
    assert_eq!(answer(&app, "GET", "/in").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_layer_around_a_whole_router_is_served() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let around = guard().with_paths(["/in"]).layer(router());
    let app = layer().layer(around);
    let server = tokio::spawn(async move {
        axum::serve(listener, app.into_make_service()).await.unwrap();
    });
    for (request, status) in [("GET /in", "401"), ("POST /write", "200"), ("GET /none", "404")] {
        let text = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
        let mut response = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut response).await.unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {response}");
        assert_eq!(response.contains("set-cookie: connect.sid="), status == "200", "{response}");
    }
    server.abort();
    // The guard alone, too, and a router of the two.
    let _ = guard().layer(router()).into_make_service();
    let again = Router::new().fallback_service(layer().layer(router()));
    assert_eq!(answer(&again, "POST", "/write").await.status(), StatusCode::OK);
}

/// By the method of axum's `ServiceExt`, as axum's own page on middleware around a router has it.
#[tokio::test]
async fn a_layer_around_a_whole_router_is_served_by_axums_extension_trait() {
    use axum::extract::Request;

    // A body of axum's own is all that `axum::serve` asks for. A router answers with one, and so does a mapped response.
    let router_again = Router::new().fallback_service(layer().layer(router()));
    serves(axum::ServiceExt::<Request>::into_make_service(router_again)).await;
    let around = layer().layer(router());
    let mapped = ServiceExt::<Request>::map_response(around, |response| response.map(Body::new));
    serves(axum::ServiceExt::<Request>::into_make_service(mapped)).await;
    let stack = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(CorsLayer::permissive())
        .layer(timeout())
        .layer(layer())
        .layer(guard().with_paths(["/in"]))
        .layer(timeout())
        .service(router());
    serves(axum::ServiceExt::<Request>::into_make_service(stack)).await;
    // It compiles as it stands, for servers that take any body.
    let _ = axum::ServiceExt::<Request>::into_make_service(layer().layer(router()));
    // The layer's own method needs no type.
    serves(layer().layer(router()).into_make_service()).await;
}

/// Serves, and sends a request that must come back with a session.
async fn serves<M, S>(make_service: M)
where
    M: for<'a> Service<
            axum::serve::IncomingStream<'a, tokio::net::TcpListener>,
            Error = std::convert::Infallible,
            Response = S,
            Future: Send,
        > + Send
        + 'static,
    S: Service<
            axum::extract::Request,
            Response = axum::response::Response,
            Error = std::convert::Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, make_service).await.unwrap() });
    let text = "POST /write HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
    let mut response = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut response).await.unwrap();
    server.abort();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert!(response.contains("set-cookie: connect.sid=") && response.ends_with("written"));
}

#[tokio::test]
async fn an_error_is_an_answer_with_and_without_a_wrapper() {
    for (kind, status) in [
        (ErrorKind::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (ErrorKind::Full, StatusCode::SERVICE_UNAVAILABLE),
        (ErrorKind::TooLarge, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let error = || Error::new(kind, "redis", "get", "at 10.0.0.1");
        // The method is axum's.
        let wrapped: axum::response::Response = SessionError::from(error()).into_response();
        let bare: axum::response::Response = error().into_response();
        assert_eq!((wrapped.status(), bare.status()), (status, status));
        assert_eq!(wrapped.headers(), bare.headers());
        let wrapped = wrapped.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(wrapped, bare.into_body().collect().await.unwrap().to_bytes());
        assert!(wrapped.starts_with(b"The session "), "{wrapped:?}");
    }
}
