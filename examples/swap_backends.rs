//! The same program over any backend: `cargo run --features backends --example swap_backends -- redis://localhost`
//!
//! Without an argument it takes `memory:`. Swapping backends is changing the URL.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env, time::Duration};

use cloakroom::{Error, Touched, Updated};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let url = env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let sessions = cloakroom::open(&url)?;
    println!("backend          {}", sessions.name());

    // A login.
    let (sid, mut session) = sessions.generate()?;
    session
        .cookie_mut()
        .set_max_age(Some(Duration::from_secs(3_600)), sessions.options().clock.now_ms())?;
    session.insert("user", "ann")?;
    println!(
        "create           {}",
        if matches!(sessions.create(&sid, &session).await?, cloakroom::Created::Stored(_)) {
            "stored"
        } else {
            "taken"
        }
    );

    // Two requests meet: both read, both write, neither change is lost.
    let (first, second) = tokio::join!(
        sessions.modify(&sid, |session| session.insert("cart", ["tea"])),
        sessions.modify(&sid, |session| session.insert("theme", "dark")),
    );
    first?;
    let late = second?
        .ok_or_else(|| Error::new(cloakroom::ErrorKind::Other, "example", "modify", "gone"))?;
    let found = sessions.get(&sid).await?.unwrap_or_default();
    println!(
        "get              user, cart and theme: {}",
        ["user", "cart", "theme"].iter().all(|name| found.contains(name))
    );
    println!(
        "touch            {}",
        if sessions.touch(&sid, &found).await? == Touched::Extended {
            "extended"
        } else {
            "not there"
        }
    );

    // A logout, and a request that was slower than it.
    sessions.destroy(&sid).await?;
    println!(
        "update           {}",
        if matches!(sessions.update(&sid, &late).await?, Updated::Gone) {
            "gone: it stays logged out"
        } else {
            "came back"
        }
    );
    println!(
        "get              {}",
        if sessions.get(&sid).await?.is_none() { "none" } else { "came back" }
    );
    Ok(())
}
