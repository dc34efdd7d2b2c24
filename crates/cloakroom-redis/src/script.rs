//! The scripts that run inside the server, each as one command.

use std::sync::LazyLock;

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use redis::{Cmd, ServerErrorKind, Value};
use sha1::{Digest, Sha1};

use crate::connection::Connection;

pub(crate) static UPDATE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("update.lua")));

pub(crate) static GET_AND_TOUCH: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("get_and_touch.lua")));

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
        let known = command("EVALSHA", &self.digest, key, arguments);
        match connection.send(operation, &known).await? {
            Value::ServerError(refusal) if refusal.kind() == Some(ServerErrorKind::NoScript) => {
                let whole = command("EVAL", self.code, key, arguments);
                connection.send(operation, &whole).await
            }
            answer => Ok(answer),
        }
    }
}

fn command(name: &str, script: &str, key: &str, arguments: &[&[u8]]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(1).arg(key).arg(arguments);
    command
}
