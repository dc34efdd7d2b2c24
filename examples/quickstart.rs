//! The main job on the embedded store, without a server: `cargo run --example quickstart`
//!
//! A callback-style store, as one finds it, becomes an `ExpressSession`; a record that Express wrote is read, changed and
//! kept, and every byte that was not changed is still there.
//!
//! It takes the URL of another store: `cargo run --features sqlite --example quickstart -- sqlite:sessions.db` keeps its
//! sessions in a file, where the next run finds them.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::env;

use cloakroom::{Error, ExpressSession, SessionData, callbackify_store, promisify_store};

/// What express-session 1.19.0 stored, with an emoji cut in half and a number that Rust would print in another way.
const WRITTEN_BY_EXPRESS: &str = r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"passport":{"user":"ann"},"draft":"half an emoji: \ud83d","total":1.0}"#;

#[tokio::main]
async fn main() -> Result<(), Error> {
    // A callback-style store: `legacy.get(sid, callback)`. It keeps its sessions in memory, or in the store of the URL.
    let url = env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let store = cloakroom::open(&url)?;
    let legacy = callbackify_store(store.clone());

    let sessions = ExpressSession::new(promisify_store(legacy));
    println!("a callback-style store over {:?} is an ExpressSession now", sessions.name());

    let (sid, _) = sessions.generate()?;
    store.set(&sid, &SessionData::from_json(WRITTEN_BY_EXPRESS)?).await?;
    println!("Express stored   {WRITTEN_BY_EXPRESS}");

    let changed = sessions.modify(&sid, |session| {
        let views: u32 = session.get("views")?.unwrap_or_default();
        session.insert("views", views + 1)
    });
    let session = changed
        .await?
        .ok_or_else(|| Error::new(cloakroom::ErrorKind::Other, "example", "modify", "gone"))?;
    println!("Rust stored      {}", session.to_json());

    let touched = sessions.touch(&sid, &session).await?;
    println!("touch            {touched:?}: it lives a day from now");

    sessions.destroy(&sid).await?;
    println!("after a logout   {:?}", sessions.get(&sid).await?);
    println!(
        "an update then   {:?}: no session comes back",
        sessions.update(&sid, &session).await?
    );

    let mut runs = sessions.get("runs").await?.unwrap_or_default();
    let number = runs.get::<u32>("number")?.unwrap_or_default() + 1;
    runs.insert("number", number)?;
    sessions.set("runs", &runs).await?;
    println!("this store saw   {number} run(s)");
    Ok(())
}
