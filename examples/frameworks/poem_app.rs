//! A poem app with the sessions of Express, by the engine of the tower layer:
//! `cargo run --manifest-path examples/frameworks/Cargo.toml --example poem_app -- redis://localhost`
//!
//! poem takes tower layers for requests of its own type only, so `sessions` is the layer, and any other framework with
//! the types of `http` is served like this. Without an argument the sessions are in memory.

use std::{env, error::Error, net::TcpListener};

use cloakroom::{
    Secrets,
    tower::{RequestHead, RequireSession, Session, SessionEngine, SessionError, SessionOptions},
};
use poem::{
    Body, Endpoint, EndpointExt, IntoResponse, Request, Response, Result, Route, Server, get,
    handler,
    http::header::SET_COOKIE,
    listener::TcpAcceptor,
    post,
    web::{Data, Form, Redirect},
};

fn head(request: &Request) -> RequestHead<'_> {
    RequestHead::new(
        request.method(),
        request.original_uri(),
        request.headers(),
        request.extensions(),
    )
}

/// A response of the engine, in poem's type.
fn answer(own: poem::http::Response<impl Into<Body>>) -> Response {
    let (parts, body) = own.into_parts();
    let mut response = Response::from((parts.status, body));
    *response.headers_mut() = parts.headers;
    response
}

/// Loads the session, calls the endpoint, and writes the session back before the response begins.
async fn sessions(
    next: impl Endpoint,
    mut request: Request,
    engine: SessionEngine,
) -> Result<Response> {
    let served = match engine.serve(head(&request)).await {
        Ok(served) => served,
        Err(refusal) => return Ok(answer(refusal)),
    };
    served.put_into(request.extensions_mut());
    let mut response = next.get_response(request).await;
    match served.end(response.status()).await {
        Ok(Some(cookie)) => drop(response.headers_mut().append(SET_COOKIE, cookie)),
        Ok(None) => {}
        Err(mut refusal) => {
            // Those of a session further in, which can have moved to a new id.
            for cookie in response.headers().get_all(SET_COOKIE) {
                refusal.headers_mut().append(SET_COOKIE, cookie.clone());
            }
            return Ok(answer(refusal));
        }
    }
    Ok(response)
}

/// Answers requests of guests before the endpoint does.
async fn guarded(next: impl Endpoint, request: Request, guard: RequireSession) -> Result<Response> {
    match guard.refuse(head(&request)).await {
        Some(refusal) => Ok(answer(refusal)),
        None => Ok(next.get_response(request).await),
    }
}

fn failed(error: impl Into<SessionError>) -> poem::Error {
    poem::Error::from_status(error.into().status())
}

#[derive(serde::Deserialize)]
struct Login {
    user: String,
}

#[handler]
fn home(session: Data<&Session>) -> Result<String> {
    let count = |views: Option<u32>| views.unwrap_or_default() + 1;
    Ok(format!("view {}\n", session.modify("views", count).map_err(failed)?))
}

#[handler]
async fn login(session: Data<&Session>, Form(login): Form<Login>) -> Result<Response> {
    session.regenerate_keeping_data().await.map_err(failed)?; // An id from before the login no longer works.
    session.insert("user", login.user).map_err(failed)?; // A real one asks for a password.
    Ok(Redirect::see_other("/account").into_response())
}

#[handler]
fn account(session: Data<&Session>) -> Result<String> {
    let user = session.get::<String>("user").map_err(failed)?;
    Ok(format!("the account of {}\n", user.unwrap_or_default()))
}

#[handler]
async fn logout(session: Data<&Session>) -> Result<Response> {
    session.destroy().await.map_err(failed)?;
    Ok(Redirect::see_other("/").into_response())
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let store = cloakroom::open(&env::args().nth(1).unwrap_or_else(|| "memory:".to_owned()))?;
    let engine = SessionOptions::new().engine(store, Secrets::new(["keyboard cat"])?)?;
    let guard = RequireSession::redirect("/")?.with_member("user");
    let app = Route::new()
        .at("/", get(home))
        .at("/login", post(login))
        .at("/logout", post(logout))
        .at("/account", get(account).around(move |next, it| guarded(next, it, guard.clone())))
        .around(move |next, request| sessions(next, request, engine.clone()));
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    listener.set_nonblocking(true)?;
    println!("http://{}", listener.local_addr()?);
    Ok(Server::new_with_acceptor(TcpAcceptor::from_std(listener)?).run(app).await?)
}
