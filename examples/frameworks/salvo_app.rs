//! A salvo app with the sessions of Express, by the tower layer:
//! `cargo run --manifest-path examples/frameworks/Cargo.toml --example salvo_app -- redis://localhost`
//!
//! Without an argument they are in memory. An Express app with the same store and the same secret shares its logins.

use std::{env, error::Error};

use cloakroom::{
    Secrets,
    tower::{RequireSession, Session, SessionError, SessionLayer},
};
use salvo::{conn::tcp::TcpAcceptor, http::ReqBody, prelude::*, writing::Redirect};

/// The session that the layer has put into the request.
fn session(request: &Request) -> Session {
    request.extensions().get::<Session>().expect("the layer is around each route").clone()
}

/// An error of the session as a response.
struct Failed(SessionError);

impl<E: Into<SessionError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[async_trait]
impl Writer for Failed {
    async fn write(self, _: &mut Request, _: &mut Depot, response: &mut Response) {
        response.status_code(StatusCode::from_u16(self.0.status().as_u16()).unwrap_or_default());
    }
}

#[handler]
async fn home(request: &mut Request) -> Result<String, Failed> {
    let count = |views: Option<u32>| views.unwrap_or_default() + 1;
    Ok(format!("view {}\n", session(request).modify("views", count)?))
}

#[handler]
async fn login(request: &mut Request) -> Result<Redirect, Failed> {
    let user = request.form::<String>("user").await.unwrap_or_default();
    session(request).regenerate_keeping_data().await?; // An id from before the login no longer works.
    session(request).insert("user", user)?; // A real one asks for a password.
    Ok(Redirect::other("/account"))
}

#[handler]
async fn account(request: &mut Request) -> Result<String, Failed> {
    let user = session(request).get::<String>("user")?;
    Ok(format!("the account of {}\n", user.unwrap_or_default()))
}

#[handler]
async fn logout(request: &mut Request) -> Result<Redirect, Failed> {
    session(request).destroy().await?;
    Ok(Redirect::other("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = cloakroom::open(&env::args().nth(1).unwrap_or_else(|| "memory:".to_owned()))?;
    let secrets = Secrets::new(["keyboard cat"])?; // express-session's `secret`.
    let guard = RequireSession::redirect("/")?.with_member("user");
    let router = Router::new()
        .hoop(SessionLayer::new(sessions, secrets).compat::<ReqBody>())
        .get(home)
        .push(Router::with_path("login").post(login))
        .push(Router::with_path("logout").post(logout))
        .push(Router::with_path("account").hoop(guard.compat::<ReqBody>()).get(account));
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", listener.local_addr()?);
    Server::new(TcpAcceptor::try_from(listener)?).serve(router).await;
    Ok(())
}
