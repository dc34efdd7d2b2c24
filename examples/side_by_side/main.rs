//! An Express app and an axum app behind one reverse proxy: `cargo run --example side_by_side`
//!
//! Both share one origin, one cookie and one session in Redis, and each page says which side served it. Log in on one
//! side, add to the cart on both, and log out on the other. The example starts a Redis server, the Express app
//! (`tests/node/shop.mjs`), the axum app (`shop.rs`) and the proxy (`proxy.rs`), and ends on Ctrl-C; `cargo xtask test`
//! installs what it needs.
//!
//! **The promise.** The Rust side writes only the members that it changed, into the current record. It keeps what
//! Express or another Rust request wrote to other members while the request ran, so each side has its part of the cart
//! in its own members. A Rust request never brings back a session that was logged out while it ran.
//!
//! **What Express can still lose.** express-session reads the whole record when a request begins, and writes the whole
//! record if the request changed something. It overwrites what Rust or another Express request wrote in between, and
//! undoes a logout in between. Nothing outside of Express can prevent that. The button "Express writes last" shows it;
//! `-- express` shows the same with a Rust side that behaves like Express.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod page;
mod proxy;
mod shop;

use std::{env, error::Error};

use axum::Router;
use cloakroom::{Secrets, tower::SessionLayer};
use cloakroom_test_support::{NodeProgram, RedisServer};
use tokio::net::TcpListener;

/// The secret with which both sides sign the cookie.
const SECRET: &str = "keyboard cat";

/// Serves the app on a free port, and returns the port.
async fn serve(app: Router) -> Result<u16, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(port)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let redis = RedisServer::start()?;
    let node = NodeProgram::start("shop.mjs", &["--url", &redis.url(), "--secret", SECRET], &[])?;
    let express = node.ready().chars().filter(char::is_ascii_digit).collect::<String>().parse()?;

    let (sessions, secrets) = (cloakroom::open(&redis.url())?, Secrets::new([SECRET])?);
    let rust = serve(shop::shop(match env::args().nth(1).as_deref() {
        Some("express") => SessionLayer::express(sessions, secrets),
        _ => SessionLayer::new(sessions, secrets),
    })?);

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, proxy::proxy(express, rust.await?)).await?)
}
