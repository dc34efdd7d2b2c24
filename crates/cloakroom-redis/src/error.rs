//! Maps failures to the contract's errors.
//!
//! The text of a server's error reply is never passed on: it can quote the command (`unknown command 'GETEX', with args
//! beginning with: 'sess:..'`), and with it an id, session data or a password. Only its code, such as `OOM`, is.

use std::{error::Error as StdError, fmt, io, sync::Arc};

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind};
use redis::{RedisError, ServerError};

pub(crate) const STORE: &str = "redis";

/// The reason why no connection could be made. Nothing was sent.
#[derive(Clone, Debug)]
pub(crate) enum ConnectFailure {
    Io(Arc<io::Error>),
    /// The TLS handshake failed, for example because the certificate is not trusted.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only rediss: comes to it"))]
    Tls(Arc<io::Error>),
    /// The server did not answer in time.
    Timeout,
    /// The server closed the connection during the login, or does not speak the protocol.
    HungUp(RedisError),
    /// The server rejected the login or the database, or is of a kind that stores no sessions.
    Refused(ErrorKind, String),
    /// The task that connected ended with its runtime.
    Cancelled,
}

impl ConnectFailure {
    /// Returns the kind of the error that a call gets by it.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(_) | Self::Cancelled => ErrorKind::Unavailable,
            Self::Tls(_) => ErrorKind::Config,
            Self::Timeout => ErrorKind::Timeout,
            Self::HungUp(cause) if is_tls(cause) => ErrorKind::Config,
            Self::HungUp(_) => ErrorKind::Unavailable,
            Self::Refused(kind, _) => *kind,
        }
    }
}

impl From<io::Error> for ConnectFailure {
    fn from(cause: io::Error) -> Self {
        Self::Io(Arc::new(cause))
    }
}

/// Returns the error of a call that got no connection.
pub(crate) fn not_connected(
    operation: &Operation,
    address: &impl fmt::Display,
    failure: ConnectFailure,
) -> Error {
    match failure {
        ConnectFailure::Io(cause) => operation
            .error(ErrorKind::Unavailable, format!("cannot connect to {address}"))
            .with_source(cause),
        ConnectFailure::Tls(cause) => operation
            .error(ErrorKind::Config, format!("the TLS handshake with {address} failed"))
            .with_source(cause),
        ConnectFailure::Timeout => {
            operation.error(ErrorKind::Timeout, format!("cannot connect to {address} in time"))
        }
        ConnectFailure::Cancelled => operation
            .error(ErrorKind::Unavailable, format!("connecting to {address} was cancelled")),
        // In TLS 1.3, the client's certificate is part of its last flight (RFC 8446, section 2), so the server rejects
        // it after the client has finished the handshake.
        ConnectFailure::HungUp(cause) if is_tls(&cause) => {
            let message = format!("{address} rejected the client's certificate");
            operation.error(ErrorKind::Config, message).with_source(cause)
        }
        ConnectFailure::HungUp(cause) if cause.is_io_error() => {
            let message = format!("{address} closed the connection during the login");
            operation.error(ErrorKind::Unavailable, message).with_source(cause)
        }
        ConnectFailure::HungUp(cause) => lost(operation, cause),
        ConnectFailure::Refused(kind, message) => operation.error(kind, message),
    }
}

/// Returns true if the cause is an error of the TLS protocol.
fn is_tls(cause: &RedisError) -> bool {
    let source = cause.source().and_then(|source| source.downcast_ref::<Arc<Source>>());
    let cause = source.and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData)
}

/// The type as which the crate `redis` stores the cause of an I/O error.
type Source = dyn StdError + Send + Sync;

/// Returns the error of a call whose connection was given up before its answer came.
pub(crate) fn silent(operation: &Operation) -> Error {
    operation.error(
        ErrorKind::Unavailable,
        "the connection was closed because nothing was received on it",
    )
}

/// Returns the error of a call whose connection was lost before its answer came.
pub(crate) fn lost(operation: &Operation, cause: RedisError) -> Error {
    if cause.is_timeout() {
        // Only the application's connection can have a response timeout; the store's own has none besides the deadline.
        operation
            .error(ErrorKind::Timeout, "no answer within the connection's own response timeout")
            .with_source(cause)
    } else if cause.is_io_error() {
        operation.error(ErrorKind::Unavailable, "the connection was lost").with_source(cause)
    } else if cause.kind() == redis::ErrorKind::Parse {
        // The cause is left out, because the parser's errors can quote what it read.
        operation.error(ErrorKind::Unavailable, "the server does not speak the Redis protocol")
    } else {
        operation.error(ErrorKind::Unavailable, "the connection cannot be used")
    }
}

/// Returns the error for an error reply to a command.
pub(crate) fn refused(operation: &Operation, refusal: &ServerError) -> Error {
    let (kind, why) = judge(refusal);
    operation.error(kind, why)
}

/// Returns the error for an answer that this command never gets.
pub(crate) fn unexpected(operation: &Operation) -> Error {
    operation.error(ErrorKind::Other, "the server sent an unexpected answer")
}

/// Returns true if the server does not know the command. The wording differs between server versions.
pub(crate) fn is_unknown_command(refusal: &ServerError) -> bool {
    refusal.details().is_some_and(|detail| detail.starts_with("unknown command"))
}

/// Returns true if the server does not know the command, or the user lacks the permission for it.
pub(crate) fn is_forbidden(refusal: &ServerError) -> bool {
    code_and_detail(refusal).0 == "NOPERM" || is_unknown_command(refusal)
}

/// Returns true if the server does not know an option of the command.
pub(crate) fn is_syntax_error(refusal: &ServerError) -> bool {
    refusal.details().is_some_and(|detail| detail.starts_with("syntax error"))
}

/// Returns the code and the text of an error reply. The text is for decisions only, never for messages.
///
/// If a command inside a script fails, servers before Redis 7 put its code in the middle of the line: `ERR Error
/// running script (call to f_6b1b…): @user_script:4: @user_script: 4: -READONLY You can't write …`. `EXEC` that is itself
/// refused puts it there too: `EXECABORT Transaction discarded because of: NOPERM …`.
pub(crate) fn code_and_detail(refusal: &ServerError) -> (&str, &str) {
    let detail = refusal.details().unwrap_or_default();
    let inner = detail.strip_prefix("Error running script").and_then(|line| line.split_once(": -"));
    let inner = inner
        .map(|(_, line)| line)
        .or_else(|| detail.strip_prefix("Transaction discarded because of: "));
    match inner {
        Some(line) => line.split_once(' ').unwrap_or((line, "")),
        None => (refusal.code(), detail),
    }
}

/// Returns the kind and the message for an error reply.
pub(crate) fn judge(refusal: &ServerError) -> (ErrorKind, String) {
    let (code, detail) = code_and_detail(refusal);
    let (kind, why) = match code {
        "LOADING" => (ErrorKind::Unavailable, "the server is loading its data"),
        "READONLY" => (ErrorKind::Unavailable, "the server is a read-only replica"),
        "MASTERDOWN" => (ErrorKind::Unavailable, "the replica cannot reach its master"),
        "NOREPLICAS" => {
            (ErrorKind::Unavailable, "the server has too few replicas to accept writes")
        }
        "MISCONF" => {
            (ErrorKind::Unavailable, "the server cannot save to its disk and rejects writes")
        }
        "OOM" => (ErrorKind::Full, "the server is out of memory (maxmemory) and rejects writes"),
        "BUSY" => (ErrorKind::Unavailable, "the server is busy running a script"),
        "CLUSTERDOWN" => (ErrorKind::Unavailable, "the cluster is down"),
        "TRYAGAIN" => (ErrorKind::Unavailable, "the cluster is moving this key"),
        "ERR" if detail.starts_with("max number of clients") => {
            (ErrorKind::Unavailable, "the server accepts no more clients (maxclients)")
        }
        "ERR"
            if detail.contains("invalid bulk length")
                || detail.contains("maximum allowed size") =>
        {
            (
                ErrorKind::TooLarge,
                "the record is larger than the server accepts (proto-max-bulk-len)",
            )
        }
        "WRONGTYPE" => (ErrorKind::Corrupt, "the key does not hold a string"),
        "NOAUTH" => (ErrorKind::Config, "the server requires a password"),
        "WRONGPASS" => (ErrorKind::Config, "the server rejected the user name or the password"),
        "NOPERM" => (ErrorKind::Config, "the user lacks a permission that the store needs"),
        "MOVED" | "ASK" | "CROSSSLOT" => {
            (ErrorKind::Config, "the server is part of a Redis Cluster")
        }
        _ if is_code(code) => {
            return (ErrorKind::Other, format!("the server returned the error {code}"));
        }
        _ => (ErrorKind::Other, "the server rejected the command"),
    };
    (kind, why.to_owned())
}

/// Returns true if the word is an error code, which consists of capitals. Anything else is not passed on.
fn is_code(code: &str) -> bool {
    (1..=16).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cloakroom_backend::Idempotency;
    use redis::Value;

    use super::*;

    fn parse_reply(bytes: &[u8]) -> Value {
        redis::parse_redis_value(bytes).unwrap()
    }

    fn operation(idempotency: Idempotency) -> Operation {
        Operation::start(STORE, "set", idempotency, Duration::from_secs(5))
    }

    fn refusal(line: &str) -> Error {
        match parse_reply(format!("-{line}\r\n").as_bytes()) {
            Value::ServerError(refusal) => refused(&operation(Idempotency::Once), &refusal),
            _ => panic!("{line}"),
        }
    }

    #[test]
    fn refusals_have_kinds_and_never_the_servers_text() {
        for (line, kind) in [
            ("LOADING Redis is loading SECRET", ErrorKind::Unavailable),
            ("READONLY You can't write against SECRET", ErrorKind::Unavailable),
            ("MISCONF SECRET", ErrorKind::Unavailable),
            ("ERR max number of clients reached SECRET", ErrorKind::Unavailable),
            ("OOM command not allowed SECRET", ErrorKind::Full),
            ("ERR Protocol error: invalid bulk length SECRET", ErrorKind::TooLarge),
            ("WRONGTYPE SECRET", ErrorKind::Corrupt),
            ("NOAUTH SECRET", ErrorKind::Config),
            ("WRONGPASS SECRET", ErrorKind::Config),
            ("NOPERM SECRET", ErrorKind::Config),
            ("MOVED 1 SECRET", ErrorKind::Config),
            ("ERR unknown command 'SECRET', with args beginning with: 'SECRET'", ErrorKind::Other),
            ("EXOTIC SECRET", ErrorKind::Other),
            ("sess:SECRET is wrong", ErrorKind::Other),
            ("SECRETSECRETSECRETSECRET is wrong", ErrorKind::Other),
        ] {
            let error = refusal(line);
            assert_eq!(error.kind(), kind, "{line}");
            assert!(!error.outcome_unknown(), "{line}");
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{line}: {error:?}");
        }
        assert_eq!(
            refusal("EXOTIC x").to_string(),
            "redis: set: the server returned the error EXOTIC"
        );
    }

    #[test]
    fn a_refusal_inside_of_a_script_is_that_refusal() {
        // As Redis 6.2 and Redis 7.0 word it.
        for (line, kind) in [
            (
                "ERR Error running script (call to f_6b1b): @user_script:4: @user_script: 4: -MISCONF Redis is SECRET",
                ErrorKind::Unavailable,
            ),
            (
                "ERR Error running script (call to f_6b1b): @user_script:4: @user_script: 4: -READONLY You can't SECRET",
                ErrorKind::Unavailable,
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'. script: f_6b1b, on @user_script:4.",
                ErrorKind::Full,
            ),
        ] {
            assert_eq!(refusal(line).kind(), kind, "{line}");
        }
        let line = "ERR Error running script (call to f_6b1b): @user_script:4: SECRET: -x SECRET";
        assert_eq!(refusal(line).to_string(), "redis: set: the server rejected the command");
    }

    #[test]
    fn after_a_lost_answer_every_error_of_a_write_has_an_unknown_outcome() {
        let broken = || RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        for idempotency in [Idempotency::Read, Idempotency::Repeatable, Idempotency::Once] {
            let operation = operation(idempotency);
            assert!(!operation.timeout().outcome_unknown(), "nothing was sent yet");
            operation.lose_answer();
            operation.reading().lose_answer();
            assert_eq!(operation.repeat(), idempotency != Idempotency::Once);
            assert!(!operation.repeat(), "once an operation");
            let error = lost(&operation, broken());
            assert_eq!(error.source().unwrap().to_string(), "broken pipe");
            let timeout = not_connected(&operation, &"h:1", ConnectFailure::Timeout);
            for error in [error, operation.timeout(), silent(&operation), timeout] {
                let unknown = idempotency != Idempotency::Read;
                assert_eq!(error.outcome_unknown(), unknown, "{idempotency:?}: {error}");
                assert!(error.is_retryable());
            }
        }
    }
}
