//! A WebSocket for those who are logged in: `cargo run --example websocket -- redis://localhost`
//!
//! The upgrade is refused without a login. A logout anywhere, here or in Express, ends the socket at its next message.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env, error::Error};

use axum::{
    Form, Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, post},
};
use cloakroom::{
    ExpressSession, Secrets,
    tower::{Session, SessionError, SessionLayer, session_id},
};

type App = (ExpressSession, Secrets);

/// Who is logged in under this id, as the store has it now.
async fn user(sessions: &ExpressSession, id: &str) -> Result<Option<String>, SessionError> {
    let session = sessions.get(id).await?;
    Ok(session.map(|session| session.get("user")).transpose()?.flatten())
}

async fn upgrade(
    State((sessions, secrets)): State<App>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, SessionError> {
    // A browser lets the pages of any site connect, and some browsers send our cookie along.
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).map(|origin| origin.rsplit('/').next());
    if origin.is_some_and(|origin| origin != text(header::HOST)) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    match session_id(&headers, "connect.sid", &secrets) {
        Some(id) if user(&sessions, &id).await?.is_some() => {
            Ok(upgrade.on_upgrade(async move |socket| talk(socket, &sessions, &id).await))
        }
        _ => Ok(StatusCode::UNAUTHORIZED.into_response()),
    }
}

async fn talk(mut socket: WebSocket, sessions: &ExpressSession, id: &str) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let Ok(Some(user)) = user(sessions, id).await else { break };
        if socket.send(Message::text(format!("{user}: {text}"))).await.is_err() {
            return;
        }
    }
    // Nobody is left to be told when the browser itself has closed.
    let end = CloseFrame { code: close_code::POLICY, reason: "not logged in".into() };
    let _ = socket.send(Message::Close(Some(end))).await;
}

#[derive(serde::Deserialize)]
struct Login {
    user: String,
}

async fn login(session: Session, Form(login): Form<Login>) -> Result<(), SessionError> {
    session.regenerate().await?;
    Ok(session.insert("user", login.user)?) // A real one asks for a password.
}

async fn logout(session: Session) -> Result<(), SessionError> {
    Ok(session.destroy().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = cloakroom::open(&env::args().nth(1).unwrap_or_else(|| "memory:".to_owned()))?;
    let secrets = Secrets::new(["keyboard cat"])?;
    let app = Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(sessions.clone(), secrets.clone()))
        .route("/socket", any(upgrade)) // It outlives its request, so it looks its session up itself.
        .with_state((sessions, secrets));
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
