//! Maps failures to the contract's errors.
//!
//! Neither the driver's text nor the server's is passed on: both can quote an id, a document or a login, such as
//! `E11000 duplicate key error .. dup key: { _id: ".." }`. The operating system's errors are passed on.

use std::{io, sync::Arc};

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind};
use mongodb::error::{Error as MongoError, ErrorKind as MongoKind, WriteFailure};

use crate::document::Unfit;

pub(crate) const STORE: &str = "mongodb";

/// The largest document in bytes, 16 MiB (BSONObjMaxUserSize).
pub(crate) const LARGEST: usize = 16 * 1_024 * 1_024;

const LOGIN: &str = "the server rejected the user name or the password";

const FULL: &str = "the server's disk is full";

/// `E11000`, from a unique index.
const DUPLICATE_KEY: i32 = 11_000;

/// A failed operation of the driver.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) cause: MongoError,
    /// Whether the command may have reached a server.
    pub(crate) sent: bool,
}

/// Returns the error for a task that ended without an answer: its runtime shut down, or the driver panicked.
pub(crate) fn cancelled(operation: &Operation) -> Error {
    operation.error(ErrorKind::Unavailable, "the runtime of the client has ended")
}

/// Returns the error for a stored value that is not a session.
pub(crate) fn corrupt(operation: &Operation, message: &'static str) -> Error {
    operation.error(ErrorKind::Corrupt, message)
}

/// Returns the error for a session that cannot become a document.
pub(crate) fn unfit(operation: &Operation, why: Unfit) -> Error {
    match why {
        Unfit::NulInName => operation.error(
            ErrorKind::InvalidData,
            "a member's name contains a NUL character, which BSON does not allow",
        ),
        Unfit::TooDeep => too_deep(operation),
        Unfit::TooLong => operation.error(ErrorKind::TooLarge, "the session is larger than 2 GiB"),
    }
}

fn too_deep(operation: &Operation) -> Error {
    operation
        .error(ErrorKind::InvalidData, "the session is nested more deeply than MongoDB accepts")
}

pub(crate) fn too_large(operation: &Operation, bytes: usize) -> Error {
    let message =
        format!("the session is {bytes} bytes long; the limit of a MongoDB document is {LARGEST}");
    operation.error(ErrorKind::TooLarge, message)
}

/// Returns true if a write failed because a document with this `_id` exists.
pub(crate) fn is_same_id(cause: &MongoError) -> bool {
    match &*cause.kind {
        MongoKind::Write(WriteFailure::WriteError(refusal)) => {
            refusal.code == DUPLICATE_KEY && refusal.message.contains(" index: _id_ ")
        }
        MongoKind::Command(refusal) => {
            refusal.code == DUPLICATE_KEY && refusal.message.contains(" index: _id_ ")
        }
        _ => false,
    }
}

/// Returns true if the server began a write before it rejected it. It removes one document after the other, so those
/// before the error are gone.
pub(crate) fn has_begun(cause: &MongoError) -> bool {
    matches!(&*cause.kind, MongoKind::Write(_))
}

/// Returns true if the connection was lost.
pub(crate) fn is_lost(cause: &MongoError) -> bool {
    match &*cause.kind {
        MongoKind::Io(io) => io.kind() != io::ErrorKind::InvalidData,
        MongoKind::ConnectionPoolCleared { .. } => true,
        _ => false,
    }
}

/// Returns true if no server could be reached. Only the text of the driver's error says so.
pub(crate) fn is_no_server(cause: &MongoError) -> bool {
    matches!(
        &*cause.kind,
        MongoKind::ServerSelection { message, .. } if message.contains("No available servers")
    )
}

/// Converts a failed operation to an error. `hosts` are the servers of the URL.
pub(crate) fn of(operation: &Operation, hosts: &str, failure: &Failure) -> Error {
    of_driver(operation, hosts, &failure.cause, failure.sent)
}

/// Converts an error of the driver. `sent` is true if the command may have reached a server.
pub(crate) fn of_driver(
    operation: &Operation,
    hosts: &str,
    cause: &MongoError,
    sent: bool,
) -> Error {
    let told = |error| if sent { operation.idempotency().unanswered(error) } else { error };
    let told_by_code = |code, error| if may_have_happened(code) { told(error) } else { error };
    match &*cause.kind {
        MongoKind::Io(io) if io.kind() == io::ErrorKind::InvalidData => {
            told(operation.error(ErrorKind::Config, tls_failed(hosts)).with_source(Arc::clone(io)))
        }
        MongoKind::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused => operation
            .error(ErrorKind::Unavailable, format!("cannot connect to {hosts}"))
            .with_source(Arc::clone(io)),
        MongoKind::Io(io) => {
            let error = if io.kind() == io::ErrorKind::TimedOut {
                operation.error(ErrorKind::Timeout, format!("no answer from {hosts}"))
            } else {
                operation
                    .error(ErrorKind::Unavailable, format!("the connection to {hosts} was lost"))
            };
            told(error.with_source(Arc::clone(io)))
        }
        // Only the text of the driver's error says why no server is available.
        MongoKind::ServerSelection { message, .. } if message.contains("AuthenticationFailed") => {
            operation.error(ErrorKind::Config, LOGIN)
        }
        MongoKind::ServerSelection { message, .. } => match tls_cause(message) {
            Some(why) => operation.error(ErrorKind::Config, tls_failed(hosts)).with_source(why),
            None if message.contains("No available servers") => {
                operation.error(ErrorKind::Unavailable, format!("cannot reach {hosts}"))
            }
            None => {
                operation.error(ErrorKind::Unavailable, format!("no primary found among {hosts}"))
            }
        },
        MongoKind::DnsResolve { .. } => {
            operation.error(ErrorKind::Unavailable, format!("cannot reach {hosts}"))
        }
        // The operation waited for a connection, or it was sent and the driver's monitor closed the connection.
        MongoKind::ConnectionPoolCleared { message, .. } => {
            let error = operation
                .error(ErrorKind::Unavailable, format!("the connections to {hosts} were lost"));
            if message.contains("interrupted") { told(error) } else { error }
        }
        MongoKind::Shutdown => {
            operation.error(ErrorKind::Unavailable, format!("the connections to {hosts} were lost"))
        }
        MongoKind::Authentication { .. } => operation.error(ErrorKind::Config, LOGIN),
        MongoKind::InvalidTlsConfig { .. } => operation
            .error(ErrorKind::Config, "cannot set up TLS with the certificate files of the url"),
        MongoKind::InvalidArgument { .. } => {
            operation.error(ErrorKind::Config, "the MongoDB driver rejected an option of the url")
        }
        MongoKind::IncompatibleServer { .. } | MongoKind::SessionsNotSupported => {
            operation.error(ErrorKind::Config, "the server is too old for the driver")
        }
        MongoKind::Command(refusal) => told_by_code(
            refusal.code,
            refused(operation, refusal.code, &refusal.code_name, &refusal.message),
        ),
        MongoKind::Write(WriteFailure::WriteError(refusal)) => {
            let name = refusal.code_name.as_deref().unwrap_or_default();
            told_by_code(refusal.code, refused(operation, refusal.code, name, &refusal.message))
        }
        // The write happened here, but not yet on as many servers as the write concern requires.
        MongoKind::Write(WriteFailure::WriteConcernError(refusal)) => told(match refusal.code {
            64 => {
                operation.error(ErrorKind::Timeout, "too few servers confirmed the write in time")
            }
            100 => operation.error(
                ErrorKind::Config,
                "the write concern requires more servers than the replica set has",
            ),
            code => refused(operation, code, &refusal.code_name, &refusal.message),
        }),
        MongoKind::InvalidResponse { .. } => {
            told(operation.error(ErrorKind::Other, "the server sent an unexpected answer"))
        }
        _ => told(operation.error(ErrorKind::Other, "the MongoDB driver failed")),
    }
}

fn tls_failed(hosts: &str) -> String {
    format!("the TLS handshake with {hosts} failed")
}

/// Returns the reason if TLS failed with all servers. Only the text of the driver's error contains it, in the words of
/// rustls.
fn tls_cause(message: &str) -> Option<String> {
    let start = ["invalid peer certificate", "received fatal alert"]
        .iter()
        .find_map(|words| message.find(words))?;
    let words = &message[start..];
    let end = words.find([',', '}', ';']).unwrap_or(words.len());
    Some(words[..end].trim_end().to_owned())
}

/// Returns the error for an error code of the server. The codes are in `src/mongo/base/error_codes.yml` of MongoDB.
fn refused(operation: &Operation, code: i32, name: &str, message: &str) -> Error {
    let (kind, why) = match code {
        10_107 | 13_435 | 13_436 | 10_058 | 189 => {
            (ErrorKind::Unavailable, "the server is not the primary")
        }
        91 | 11_600 => (ErrorKind::Unavailable, "the server is shutting down"),
        6 | 7 | 89 | 9_001 | 133 | 134 => {
            (ErrorKind::Unavailable, "the servers cannot reach each other")
        }
        11_601 | 11_602 => (ErrorKind::Unavailable, "the server interrupted the operation"),
        // WriteConflict, TemporarilyUnavailable, IngressRequestRateLimitExceeded, and Cosmos DB's "too many requests".
        112 | 365 | 462 | 16_500 => (ErrorKind::Unavailable, "the server is overloaded"),
        50 | 262 | 290 => (ErrorKind::Timeout, "the server took too long"),
        13 => (ErrorKind::Config, "the user lacks a permission that the store needs"),
        18 | 11 => (ErrorKind::Config, LOGIN),
        73 => (ErrorKind::Config, "the server rejected the name of the database or the collection"),
        166 | 20 => (ErrorKind::Config, "the server does not allow this command"),
        10_334 | 17_419 | 17_420 | 17_280 => {
            (ErrorKind::TooLarge, "the document would be larger than MongoDB accepts")
        }
        15 => return too_deep(operation),
        121 => (ErrorKind::InvalidData, "the document failed the collection's validation"),
        // OutOfDiskSpace. The errors of WiredTiger have an unspecific code, and only their text says more.
        14_031 => (ErrorKind::Full, FULL),
        _ if message.contains("No space left on device") => (ErrorKind::Full, FULL),
        // AtlasError, the only code of Atlas's own errors.
        8_000 if message.contains("space quota") => {
            (ErrorKind::Full, "the cluster's quota is used up")
        }
        8_000 if message.contains("bad auth") => (ErrorKind::Config, LOGIN),
        _ => {
            let name = if is_name(name) { format!(" ({name})") } else { String::new() };
            let message = format!("the server returned error code {code}{name}");
            return operation.error(ErrorKind::Other, message);
        }
    };
    operation.error(kind, why)
}

/// Returns true if a command with this answer may still be carried out.
fn may_have_happened(code: i32) -> bool {
    matches!(code, 50 | 91 | 189 | 262 | 11_600 | 11_601 | 11_602)
}

/// Returns true if the name of a code is a single word. Anything else is not passed on.
fn is_name(name: &str) -> bool {
    (1..=60).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::{error::Error as _, time::Duration};

    use cloakroom_backend::Idempotency;

    use super::*;

    fn operation(idempotency: Idempotency) -> Operation {
        Operation::start(STORE, "set", idempotency, Duration::from_secs(5))
    }

    #[test]
    fn refusals_have_kinds() {
        for (code, message, kind, unknown) in [
            (10_107, "", ErrorKind::Unavailable, false),
            (189, "", ErrorKind::Unavailable, true),
            (91, "", ErrorKind::Unavailable, true),
            (112, "", ErrorKind::Unavailable, false),
            (50, "", ErrorKind::Timeout, true),
            (13, "", ErrorKind::Config, false),
            (18, "", ErrorKind::Config, false),
            (10_334, "", ErrorKind::TooLarge, false),
            (15, "", ErrorKind::InvalidData, false),
            (121, "", ErrorKind::InvalidData, false),
            (2, "", ErrorKind::Other, false),
            (14_031, "", ErrorKind::Full, false),
            (8, "28: No space left on device", ErrorKind::Full, false),
            (
                8_000,
                "you are over your space quota, using 513 MB of 512 MB",
                ErrorKind::Full,
                false,
            ),
            (8_000, "bad auth : Authentication failed.", ErrorKind::Config, false),
            (8_000, "CMD_NOT_ALLOWED", ErrorKind::Other, false),
        ] {
            let error = refused(&operation(Idempotency::Once), code, "Name", message);
            assert_eq!((error.kind(), error.outcome_unknown()), (kind, false), "{code}");
            assert_eq!(may_have_happened(code), unknown, "{code}");
        }
        let named = refused(&operation(Idempotency::Once), 2, "BadValue", "").to_string();
        assert_eq!(named, "mongodb: set: the server returned error code 2 (BadValue)");
        let unnamed =
            refused(&operation(Idempotency::Once), 2, "{ _id: \"secret\" }", "secret").to_string();
        assert_eq!(unnamed, "mongodb: set: the server returned error code 2");
    }

    #[test]
    fn a_lost_write_has_an_unknown_outcome_and_a_lost_read_has_none() {
        let lost = |kind: io::ErrorKind| MongoError::from(io::Error::from(kind));
        for (idempotency, unknown) in
            [(Idempotency::Read, false), (Idempotency::Repeatable, true), (Idempotency::Once, true)]
        {
            for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::TimedOut] {
                for (sent, earlier) in [(true, false), (false, true), (false, false)] {
                    let operation = operation(idempotency);
                    if earlier {
                        operation.lose_answer();
                    }
                    let error = of(&operation, "h:1", &Failure { cause: lost(kind), sent });
                    let unknown = unknown && (sent || earlier);
                    assert_eq!(error.outcome_unknown(), unknown, "{idempotency:?}: {error}");
                    assert!(error.is_retryable());
                }
            }
            let cause = lost(io::ErrorKind::ConnectionRefused);
            let failure = Failure { cause, sent: true };
            let refused = of(&operation(idempotency), "h:1", &failure);
            assert!(!refused.outcome_unknown());
            assert_eq!(refused.to_string(), "mongodb: set: cannot connect to h:1");
            assert_eq!(refused.source().unwrap().to_string(), "connection refused");
            assert!(!operation(idempotency).timeout().outcome_unknown());
        }
    }

    #[test]
    fn the_cause_of_a_refused_certificate_is_found() {
        let message = "Server selection timeout: No available servers. Topology: { Type: Unknown, Servers: \
            [ { Address: h:1, Type: Unknown, Error: Kind: I/O error: invalid peer certificate: \
            UnknownIssuer, labels: {} } ] }";
        assert_eq!(tls_cause(message).unwrap(), "invalid peer certificate: UnknownIssuer");
        assert_eq!(tls_cause("Server selection timeout: No available servers"), None);
    }
}
