//! The reverse proxy: paths below `/express` go to Node.js, those below `/rust` to axum.
//!
//! It changes only the destination of a request: `Cookie` and `Set-Cookie` pass unchanged.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{StatusCode, Uri},
    response::{Html, IntoResponse, Response},
    routing::{any, get},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// Returns a proxy for the two ports. Its own page shows both sides in frames.
pub(crate) fn proxy(express: u16, rust: u16) -> Router {
    // No connection is reused, because the server may be about to close it.
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let to = |port| {
        let client = client.clone();
        any(move |request| forward(client.clone(), port, request))
    };
    Router::new()
        .route("/", get(async || Html(include_str!("start.html"))))
        .route("/express", to(express))
        .route("/express/{*path}", to(express))
        .route("/rust", to(rust))
        .route("/rust/{*path}", to(rust))
}

async fn forward(
    client: Client<HttpConnector, Body>,
    port: u16,
    mut request: Request,
) -> Result<Response, StatusCode> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri = format!("http://127.0.0.1:{port}{path}").parse::<Uri>();
    *request.uri_mut() = uri.map_err(|_| StatusCode::BAD_REQUEST)?;
    let response = client.request(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(response.into_response())
}
