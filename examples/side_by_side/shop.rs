//! The Rust side of the shop. The Express side is `tests/node/shop.mjs`.

use std::sync::Arc;

use axum::{
    Form, Router,
    extract::State,
    response::{Html, Redirect},
    routing::{get, post},
};
use cloakroom::{
    Error,
    tower::{RequireSession, Session, SessionError, SessionLayer},
};
use serde::Deserialize;
use tokio::sync::Barrier;

use crate::page::page;

/// The prefix of the members that are this side's part of the cart. Each item is a member, so that two requests that
/// add items keep both. Express has its part in one member, `express`.
const ITEM: &str = "rust:";

#[derive(Deserialize)]
struct Login {
    user: String,
}

#[derive(Deserialize)]
struct Add {
    item: String,
    /// Makes the request wait for another one, so that both are certain to overlap.
    meet: Option<String>,
}

/// The two points where requests wait for each other: after reading the session, and before writing it.
#[derive(Clone)]
struct Meeting {
    has_read: Arc<Barrier>,
    may_write: Arc<Barrier>,
}

async fn show(session: Session) -> Result<Html<String>, SessionError> {
    let user = session.get::<String>("user")?;
    let express = session.get::<Vec<String>>("express")?.unwrap_or_default();
    let rust: Vec<String> = session.with(|record| {
        record.iter().filter_map(|member| Some(member.name().strip_prefix(ITEM)?.into())).collect()
    })?;
    Ok(Html(page(user.as_deref(), &express, &rust)))
}

async fn login(session: Session, Form(login): Form<Login>) -> Result<Redirect, SessionError> {
    session.regenerate().await?;
    session.insert("user", login.user)?;
    Ok(Redirect::to("/rust"))
}

async fn add(
    State(meeting): State<Meeting>,
    session: Session,
    Form(add): Form<Add>,
) -> Result<Redirect, SessionError> {
    if add.meet.is_some() {
        meeting.has_read.wait().await; // The layer has loaded the session.
        meeting.may_write.wait().await; // It writes it when this handler is done.
    }
    session.insert(&format!("{ITEM}{}", add.item), true)?;
    Ok(Redirect::to("/rust"))
}

async fn logout(session: Session) -> Result<Redirect, SessionError> {
    session.destroy().await?;
    Ok(Redirect::to("/rust"))
}

pub(crate) fn shop(sessions: SessionLayer) -> Result<Router, Error> {
    let [has_read, may_write] = [(); 2].map(|()| Arc::new(Barrier::new(2)));
    let meet = |at: &Arc<Barrier>| {
        let at = Arc::clone(at);
        post(async move || {
            at.wait().await;
        })
    };
    Ok(Router::new()
        .route("/rust/add", post(add))
        .route_layer(RequireSession::redirect("/rust")?.with_member("user"))
        .route("/rust", get(show))
        .route("/rust/login", post(login))
        .route("/rust/logout", post(logout))
        .layer(sessions)
        .route("/rust/has-read", meet(&has_read))
        .route("/rust/may-write", meet(&may_write))
        .with_state(Meeting { has_read, may_write }))
}
