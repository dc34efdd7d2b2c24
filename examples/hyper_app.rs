//! The sessions of Express on plain hyper, without tower: `cargo run --example hyper_app -- redis://localhost`
//!
//! An engine loads a request's session and commits it to a cookie; with another HTTP library it is the same.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{convert::Infallible, env, error::Error};

use cloakroom::tower::{RequestHead, Session, SessionEngine, SessionError, SessionOptions};
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

async fn handle(session: &Session, route: &str) -> Result<String, SessionError> {
    match route {
        "POST /login" => {
            session.regenerate().await?; // An id from before the login no longer works.
            session.insert("user", "ann")?; // A real one asks who it is.
            Ok("welcome\n".to_owned())
        }
        "POST /logout" => {
            session.destroy().await?;
            Ok("bye\n".to_owned())
        }
        _ => Ok(format!("hello {}\n", session.get("user")?.unwrap_or("stranger".to_owned()))),
    }
}

async fn answer(
    engine: &SessionEngine,
    request: Request<Incoming>,
) -> Result<Response<String>, SessionError> {
    let Some(session) = engine.load(RequestHead::from(&request)).await? else {
        return Ok(Response::new("no session on this path\n".to_owned()));
    };
    let route = format!("{} {}", request.method(), request.uri().path());
    let mut response = Response::new(handle(&session, &route).await?);
    let cookie = match engine.commit_with_status(&session, response.status()).await {
        Ok(cookie) => cookie,
        Err(error) => {
            response = failed(&error.into());
            // The browser's old id can be gone by now.
            engine.cookie_after_error(&session)
        }
    };
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn failed(error: &SessionError) -> Response<String> {
    let mut response = Response::new("no session now\n".to_owned());
    *response.status_mut() = error.status(); // 503 when the store is away.
    response
}

async fn serve(
    engine: SessionEngine,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    Ok(answer(&engine, request).await.unwrap_or_else(|error| failed(&error)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = cloakroom::open(&env::args().nth(1).unwrap_or_else(|| "memory:".to_owned()))?;
    let engine =
        SessionOptions::new().engine(sessions, cloakroom::Secrets::new(["keyboard cat"])?)?;
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, engine) = (TokioIo::new(listener.accept().await?.0), engine.clone());
        let service = service_fn(move |request| serve(engine.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(stream, service));
    }
}
