//! An axum app with the sessions of Express: `cargo run --example axum_app -- redis://localhost`
//!
//! Without an argument they are in memory. An Express app with the same store and the same secret shares its logins.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env, error::Error};

use axum::{
    Form, Router,
    response::Redirect,
    routing::{get, post},
};
use cloakroom::{
    Secrets,
    tower::{RequireSession, Session, SessionError, SessionLayer},
};

#[derive(serde::Deserialize)]
struct Login {
    user: String,
}

async fn home(session: Session) -> Result<String, SessionError> {
    let views = session.modify("views", |views: Option<u32>| views.unwrap_or_default() + 1)?;
    Ok(format!("view {views}\n"))
}

async fn login(session: Session, Form(login): Form<Login>) -> Result<Redirect, SessionError> {
    session.regenerate_keeping_data().await?; // An id from before the login no longer works.
    session.insert("user", login.user)?; // A real one asks for a password.
    Ok(Redirect::to("/account"))
}

async fn account(session: Session) -> Result<String, SessionError> {
    Ok(format!("the account of {}\n", session.get::<String>("user")?.unwrap_or_default()))
}

async fn logout(session: Session) -> Result<Redirect, SessionError> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = cloakroom::open(&env::args().nth(1).unwrap_or_else(|| "memory:".to_owned()))?;
    let secrets = Secrets::new(["keyboard cat"])?; // express-session's `secret`.
    let app = Router::new()
        .route("/account", get(account))
        .route_layer(RequireSession::redirect("/")?.with_member("user")) // For the routes above.
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(sessions, secrets));
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
