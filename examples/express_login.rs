//! A login made in Express, read, changed and ended from Rust: `cargo run --example express_login`
//!
//! It starts a Redis server and a real Express app (`tests/node/app.mjs`); `cargo xtask test` installs what they need.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use cloakroom::{Secrets, cookie::find_cookie};
use cloakroom_test_support::{NodeProgram, RedisServer};

/// Asks Express as a browser would, and prints both sides; returns the cookie that was set.
fn browse(url: &str, cookie: &str) -> Result<Option<String>, Box<dyn Error>> {
    let mut response = ureq::get(url).header("cookie", cookie).call()?;
    println!("browser  GET {url}");
    println!("express  {}", response.body_mut().read_to_string()?);
    let cookie = response.headers().get("set-cookie").map(|cookie| cookie.to_str()).transpose()?;
    Ok(cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let redis = RedisServer::start()?;
    let node =
        NodeProgram::start("app.mjs", &["--url", &redis.url(), "--secret", "keyboard cat"], &[])?;
    let port: String = node.ready().chars().filter(char::is_ascii_digit).collect();
    let origin = format!("http://127.0.0.1:{port}");

    let cookie = browse(&format!("{origin}/login?user=ada"), "")?.ok_or("Express set no cookie")?;
    println!("browser  keeps {cookie}");

    // The Rust service has the same Redis, the same secret, and the browser's cookie.
    let sessions = cloakroom::open(&redis.url())?;
    let secrets = Secrets::new(["keyboard cat"])?;
    let value = find_cookie(cookie.as_bytes(), "connect.sid").ok_or("not our cookie")?;
    let sid = secrets.read_cookie_value(&value).ok_or("not signed by us")?.value.to_owned();

    let changed = sessions
        .modify(&sid, |session| session.insert("cart", ["tea"]))
        .await?
        .ok_or("logged out")?;
    println!(
        "rust     finds user {:?} and stores",
        changed.get::<&str>("user")?.unwrap_or_default()
    );
    println!("         {}", changed.to_json());
    println!("rust     touch: {:?}", sessions.touch(&sid, &changed).await?);
    browse(&origin, &cookie)?;

    sessions.destroy(&sid).await?;
    println!("rust     logs the user out");
    browse(&origin, &cookie)?;
    Ok(())
}
