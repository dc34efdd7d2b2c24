//! An Express app and an axum app behind one reverse proxy: `cargo run --example side_by_side`
//!
//! One origin, one cookie, one session in Redis, and a page of each side that says which one served it. Log in on one,
//! add to the cart on both, log out on the other. It starts a Redis server, the Express app (`tests/node/shop.mjs`), the
//! axum app (`shop.rs`) and the proxy (`proxy.rs`), and ends on Ctrl-C; `cargo xtask test` installs what it needs.
//!
//! **What is promised.** The Rust side writes back the members that it changed, over whatever the record holds by then:
//! what Express wrote while a Rust request ran is kept, and so is what another Rust request wrote to other members. That
//! is why each side has its part of the cart in members of its own. And a Rust request brings no session back that was
//! logged out meanwhile.
//!
//! **What Express can still lose.** express-session reads the whole record when a request begins, and writes the whole
//! record when it has changed something. What anybody wrote in between is overwritten, by Rust or by another Express
//! request, and a logout in between is undone. Nothing outside of Express can prevent that. The button "Express
//! writes last" shows it; `-- express` shows the same of a Rust side that does as Express does.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod page;
mod proxy;
mod shop;

use std::{env, error::Error};

use axum::Router;
use cloakroom::{Secrets, tower::SessionLayer};
use cloakroom_test_support::{NodeProgram, RedisServer};
use tokio::net::TcpListener;

/// What signs the cookie on both sides.
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
