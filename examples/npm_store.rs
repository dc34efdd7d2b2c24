//! A session store of npm from Rust: `cargo run --features node --example npm_store`
//!
//! It takes the packages of `tests/node`, which `cargo xtask test` installs, or those of a folder that you name.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{collections::BTreeMap, env};

use cloakroom::{Error, ExpressSession, node::NodeStore, promisify_store};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let folder = env::args().nth(1).unwrap_or_else(|| "tests/node".to_owned());
    let sessions_in = env::temp_dir().join("cloakroom-npm-store");

    // In Express: `new (require("session-file-store")(session))({ path })`.
    let store = NodeStore::builder()
        .folder(folder)
        .module("session-file-store")
        .options(BTreeMap::from([("path", sessions_in)]))
        .build()?;
    // Without Node.js or a package, this says what to install.
    store.ready().await?;

    // From here on it is a store like any other.
    let sessions = ExpressSession::new(promisify_store(store));
    let (sid, mut session) = sessions.generate()?;
    session.insert("user", "ann")?;
    sessions.set(&sid, &session).await?;
    let found = sessions.get(&sid).await?.unwrap_or_default();
    println!("{} has the session of {:?}", sessions.name(), found.get::<String>("user")?);
    sessions.destroy(&sid).await?;
    println!("and after a logout: {:?}", sessions.get(&sid).await?);
    Ok(())
}
