//! The scripts that run inside the server, each as one command.
//!
//! Before version 8.4, Redis has no command that replaces a value only if it is still the one that was read. `WATCH` and
//! `MULTI` do it in two round trips and need a connection of their own, since on a shared one other calls' commands fall
//! in between; `own/watch.rs` does it for large records. Nothing runs in the server at the same time as a script.

use std::sync::LazyLock;

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use redis::{Cmd, ServerErrorKind, Value};
use sha1::{Digest, Sha1};

use crate::connection::Connection;

/// Stores a record if the key still holds the one that was read.
pub(crate) static UPDATE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("update.lua")));

/// Returns a record and sets its expiry, as `GETEX` does from Redis 6.2 on.
pub(crate) static GET_AND_TOUCH: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("get_and_touch.lua")));

/// Notes a session in the list of its user.
pub(crate) static NOTE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("note.lua")));

/// Removes sessions that have ended from the list of a user.
pub(crate) static FORGET: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("forget.lua")));

pub(crate) struct Script {
    code: &'static str,
    digest: String,
}

impl Script {
    fn new(code: &'static str) -> Self {
        let digest = Sha1::digest(code);
        let digest = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        Self { code, digest }
    }

    /// Runs the script on one key, in one round trip. If the server does not know the script yet, a second one sends
    /// it.
    pub(crate) async fn run(
        &self,
        connection: &Connection,
        operation: &Operation,
        key: &str,
        arguments: &[&[u8]],
    ) -> Result<Value, Error> {
        let known = run("EVALSHA", &self.digest, key, arguments);
        // A server forgets its scripts when it restarts, and a replica that becomes the master may never have had them.
        match connection.send(operation, &known).await? {
            Value::ServerError(refusal) if refusal.kind() == Some(ServerErrorKind::NoScript) => {
                let whole = run("EVAL", self.code, key, arguments);
                connection.send(operation, &whole).await
            }
            answer => Ok(answer),
        }
    }
}

fn run(name: &str, script: &str, key: &str, arguments: &[&[u8]]) -> Cmd {
    let bytes: usize = arguments.iter().map(|argument| argument.len()).sum();
    let mut run =
        Cmd::with_capacity(4 + arguments.len(), name.len() + script.len() + 1 + key.len() + bytes);
    run.arg(name).arg(script).arg(1).arg(key).arg(arguments);
    run
}
