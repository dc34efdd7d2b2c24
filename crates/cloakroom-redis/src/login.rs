//! The first words on a connection: who asks, in which protocol, and which server it is.

use cloakroom_core::ErrorKind;
use redis::{Cmd, ProtocolVersion, ServerError, Value, aio::MultiplexedConnection};

use crate::{
    error::{self, ConnectFailure},
    mode::{About, Mode},
    target::Target,
};

/// The user whose password is given alone.
const DEFAULT_USER: &str = "default";

/// Logs in and returns what the server says of itself.
///
/// The client's own login is not used: it keeps what `HELLO` answers to itself.
pub(crate) async fn login(
    connection: &mut MultiplexedConnection,
    target: &Target,
) -> Result<About, ConnectFailure> {
    let about = match hello(connection, target).await? {
        Some(about) => about,
        None => {
            authenticate(connection, target).await?;
            info(connection).await?
        }
    };
    match about.mode {
        Mode::Standalone => {}
        Mode::Cluster => {
            let message = format!(
                "{} is a node of a Redis Cluster: give `RedisStore::with_connection` a cluster connection",
                target.address
            );
            return Err(ConnectFailure::Refused(ErrorKind::Config, message));
        }
        Mode::Sentinel => {
            let message = format!(
                "{} is a Redis Sentinel, which stores nothing: connect to the master that it watches",
                target.address
            );
            return Err(ConnectFailure::Refused(ErrorKind::Config, message));
        }
    }
    if target.database != 0 {
        let mut select = redis::cmd("SELECT");
        select.arg(target.database);
        if let Value::ServerError(refusal) = ask(connection, &select).await? {
            return Err(refused(&refusal, target));
        }
    }
    Ok(about)
}

/// `None` where the server is too old for it: before Redis 6, or before the protocol that was offered.
async fn hello(
    connection: &mut MultiplexedConnection,
    target: &Target,
) -> Result<Option<About>, ConnectFailure> {
    let resp3 = target.protocol != Some(ProtocolVersion::RESP2);
    let mut hello = redis::cmd("HELLO");
    hello.arg(if resp3 { 3 } else { 2 });
    if let Some(password) = &target.password {
        hello.arg("AUTH").arg(target.user.as_deref().unwrap_or(DEFAULT_USER)).arg(password);
    }
    match ask(connection, &hello).await? {
        Value::ServerError(refusal) if !is_old(&refusal) => Err(refused(&refusal, target)),
        Value::ServerError(_) if target.protocol == Some(ProtocolVersion::RESP3) => {
            let message = "the server does not speak RESP3".to_owned();
            Err(ConnectFailure::Refused(ErrorKind::Config, message))
        }
        Value::ServerError(_) => Ok(None),
        answer => Ok(Some(About::from_hello(&answer))),
    }
}

async fn authenticate(
    connection: &mut MultiplexedConnection,
    target: &Target,
) -> Result<(), ConnectFailure> {
    let Some(password) = &target.password else { return Ok(()) };
    if let Some(user) = &target.user {
        match ask(connection, redis::cmd("AUTH").arg(user).arg(password)).await? {
            Value::ServerError(refusal) if !knows_no_users(&refusal) => {
                return Err(login_refused(&refusal, target));
            }
            Value::ServerError(_) => {}
            _ => return Ok(()),
        }
    }
    match ask(connection, redis::cmd("AUTH").arg(password)).await? {
        Value::ServerError(refusal) => Err(login_refused(&refusal, target)),
        _ => Ok(()),
    }
}

/// A server that does not tell is taken for one that stands alone.
async fn info(connection: &mut MultiplexedConnection) -> Result<About, ConnectFailure> {
    let answer = ask(connection, redis::cmd("INFO").arg("server")).await?;
    Ok(About::from_info(&answer))
}

async fn ask(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
) -> Result<Value, ConnectFailure> {
    connection.send_packed_command(command).await.map_err(ConnectFailure::HungUp)
}

/// Whether the server, older than Redis 6, does not know `HELLO` or RESP3. The wording changed over the versions.
fn is_old(refusal: &ServerError) -> bool {
    refusal.code() == "NOPROTO" || error::is_unknown_command(refusal)
}

/// Whether the server, older than Redis 6, takes a password alone.
fn knows_no_users(refusal: &ServerError) -> bool {
    refusal.details().is_some_and(|detail| detail.starts_with("wrong number of arguments"))
}

fn refused(refusal: &ServerError, target: &Target) -> ConnectFailure {
    if refusal.details().is_some_and(|detail| detail.contains("DB index")) {
        let message = format!("the server has no database {}", target.database);
        return ConnectFailure::Refused(ErrorKind::Config, message);
    }
    let (kind, message) = error::judge(refusal);
    ConnectFailure::Refused(kind, message)
}

/// Old servers say in many ways that they do not take a password, each with the code `ERR`.
fn login_refused(refusal: &ServerError, target: &Target) -> ConnectFailure {
    match refused(refusal, target) {
        ConnectFailure::Refused(ErrorKind::Other, _) => {
            let message = "the server refuses the user or the password".to_owned();
            ConnectFailure::Refused(ErrorKind::Config, message)
        }
        failure => failure,
    }
}
