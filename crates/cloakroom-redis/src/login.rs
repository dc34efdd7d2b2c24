//! The login: authenticates, chooses the protocol, and learns which kind of server it is.

use cloakroom_core::ErrorKind;
use redis::{Cmd, ProtocolVersion, ServerError, Value};

use crate::{
    error::{self, ConnectFailure},
    live::Live,
    mode::{About, Mode},
    target::Target,
};

/// The user of a URL that has only a password.
const DEFAULT_USER: &str = "default";

/// Logs in and returns what the server says about itself.
///
/// The login of the crate `redis` is not used, because it does not return the answer to `HELLO`.
pub(crate) async fn login(live: &Live, target: &Target) -> Result<About, ConnectFailure> {
    let about = match hello(live, target).await? {
        Some(about) => about,
        None => {
            authenticate(live, target).await?;
            info(live).await?
        }
    };
    let address = &target.address;
    // A server that resembles Redis need not say what it is, so only a contradiction counts.
    let contradiction = match (about.mode, target.mode) {
        (Mode::Cluster, Mode::Standalone) => {
            format!("{address} is a node of a Redis Cluster: write redis+cluster:// in the URL")
        }
        (Mode::Sentinel, Mode::Standalone | Mode::Cluster) => format!(
            "{address} is a Redis Sentinel, which stores no sessions: write redis+sentinel://{address}/ and the name of the master"
        ),
        (Mode::Cluster, Mode::Sentinel) => format!("{address} is not a Redis Sentinel"),
        _ => String::new(),
    };
    if !contradiction.is_empty() {
        return Err(ConnectFailure::Refused(ErrorKind::Config, contradiction));
    }
    if target.database != 0 {
        let mut select = redis::cmd("SELECT");
        select.arg(target.database);
        if let Value::ServerError(refusal) = ask(live, &select).await? {
            return Err(refused(&refusal, target));
        }
    }
    Ok(about)
}

/// Sends `HELLO`. Returns `None` if the server is older than Redis 6 or does not support the protocol version.
async fn hello(live: &Live, target: &Target) -> Result<Option<About>, ConnectFailure> {
    let resp3 = target.protocol != Some(ProtocolVersion::RESP2);
    let mut hello = redis::cmd("HELLO");
    hello.arg(if resp3 { 3 } else { 2 });
    if let Some(password) = &target.password {
        hello
            .arg("AUTH")
            .arg(target.user.as_deref().unwrap_or(DEFAULT_USER))
            .arg(password.as_str());
    }
    match ask(live, &hello).await? {
        Value::ServerError(refusal) if !is_old(&refusal) => Err(refused(&refusal, target)),
        Value::ServerError(_) if target.protocol == Some(ProtocolVersion::RESP3) => {
            let message = "the server does not speak RESP3".to_owned();
            Err(ConnectFailure::Refused(ErrorKind::Config, message))
        }
        Value::ServerError(_) => Ok(None),
        answer => Ok(Some(About::from_hello(&answer))),
    }
}

/// Logs in to a server before Redis 6, which has no `HELLO`.
async fn authenticate(live: &Live, target: &Target) -> Result<(), ConnectFailure> {
    let Some(password) = &target.password else { return Ok(()) };
    if let Some(user) = &target.user {
        match ask(live, redis::cmd("AUTH").arg(user).arg(password.as_str())).await? {
            Value::ServerError(refusal) if !knows_no_users(&refusal) => {
                return Err(login_refused(&refusal, target));
            }
            Value::ServerError(_) => {}
            _ => return Ok(()),
        }
    }
    match ask(live, redis::cmd("AUTH").arg(password.as_str())).await? {
        Value::ServerError(refusal) => Err(login_refused(&refusal, target)),
        _ => Ok(()),
    }
}

/// Asks the server for its mode and its role. A server that does not say counts as a standalone master.
async fn info(live: &Live) -> Result<About, ConnectFailure> {
    let answer = ask(live, &redis::cmd("INFO")).await?;
    Ok(About::from_info(&answer))
}

async fn ask(live: &Live, command: &Cmd) -> Result<Value, ConnectFailure> {
    live.ask_unlimited(command).await.map_err(ConnectFailure::HungUp)
}

/// Returns true if the server is older than Redis 6 and does not know `HELLO` or RESP3. The wording differs between
/// versions.
fn is_old(refusal: &ServerError) -> bool {
    refusal.code() == "NOPROTO" || error::is_unknown_command(refusal)
}

/// Returns true if the server is older than Redis 6, which accepts a password but no user.
fn knows_no_users(refusal: &ServerError) -> bool {
    refusal.details().is_some_and(|detail| detail.starts_with("wrong number of arguments"))
}

/// Returns the failure for a rejected step of the login.
fn refused(refusal: &ServerError, target: &Target) -> ConnectFailure {
    if refusal.details().is_some_and(|detail| detail.contains("DB index")) {
        let message = format!("the server has no database {}", target.database);
        return ConnectFailure::Refused(ErrorKind::Config, message);
    }
    let (kind, message) = error::judge(refusal);
    ConnectFailure::Refused(kind, message)
}

/// Returns the failure for a rejected login. Servers before Redis 6 word it in many ways, each with the code `ERR`.
fn login_refused(refusal: &ServerError, target: &Target) -> ConnectFailure {
    match refused(refusal, target) {
        ConnectFailure::Refused(ErrorKind::Other, _) => {
            let message = "the server rejected the user name or the password".to_owned();
            ConnectFailure::Refused(ErrorKind::Config, message)
        }
        failure => failure,
    }
}
