//! An actix-web app with the sessions of Express: `cargo run --features actix --example actix_app -- redis://localhost`
//!
//! Without an argument they are in memory. An Express app with the same store and the same secret shares its logins.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env, error::Error};

use actix_web::{App, HttpServer, web};
use cloakroom::{
    Secrets,
    actix::{RequireSessionMiddleware, Session, SessionError, SessionMiddleware},
    tower::RequireSession,
};

#[derive(serde::Deserialize)]
struct Login {
    user: String,
}

async fn home(session: Session) -> Result<String, SessionError> {
    let views = session.modify("views", |views: Option<u32>| views.unwrap_or_default() + 1)?;
    Ok(format!("view {views}\n"))
}

async fn login(session: Session, form: web::Form<Login>) -> Result<web::Redirect, SessionError> {
    session.regenerate_keeping_data().await?; // An id from before the login no longer works.
    session.insert("user", &form.user)?; // A real one asks for a password.
    Ok(web::Redirect::to("/account").see_other())
}

async fn account(session: Session) -> Result<String, SessionError> {
    Ok(format!("the account of {}\n", session.get::<String>("user")?.unwrap_or_default()))
}

async fn logout(session: Session) -> Result<web::Redirect, SessionError> {
    session.destroy().await?;
    Ok(web::Redirect::to("/").see_other())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = cloakroom::open(&env::args().nth(1).unwrap_or_else(|| "memory:".to_owned()))?;
    let secrets = Secrets::new(["keyboard cat"])?; // express-session's `secret`.
    let sessions = SessionMiddleware::new(store, secrets); // Made once, for all workers.
    let guard: RequireSessionMiddleware = RequireSession::redirect("/")?.with_member("user").into();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(sessions.clone())
            .service(web::resource("/account").wrap(guard.clone()).get(account))
            .route("/", web::get().to(home))
            .route("/login", web::post().to(login))
            .route("/logout", web::post().to(logout))
    });
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let server = server.bind(format!("127.0.0.1:{port}"))?;
    println!("http://{}", server.addrs()[0]);
    Ok(server.run().await?)
}
