//! Maps failures to the contract's errors.
//!
//! Neither the server's text nor the errors of the crate `memcache` are passed on: the former can quote the command,
//! the latter name the key and with it the id. The operating system's errors are passed on.

use std::io;

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind};
use memcache::exp::Error as ClientError;

pub(crate) const STORE: &str = "memcached";

/// What a server says that has no room for an item.
const OUT_OF_MEMORY: [&str; 2] = ["out of memory storing", "out of memory allocating"];

/// What a server with the option `-Y` says to every command before a login.
pub(crate) const UNAUTHENTICATED: &str = "unauthenticated";

/// Converts an error of the crate `memcache`. `server` is the server's name in the URL.
pub(crate) fn of_client(operation: &Operation, server: &str, cause: ClientError) -> Error {
    match cause {
        // The error reply to a write is wrapped like this as well, although the server has answered.
        ClientError::Ambiguous { source, .. } => match *source {
            ClientError::Io(cause) => lost(operation, server, cause),
            answer => of_client(operation, server, answer),
        },
        ClientError::Io(cause) => unreachable(operation, server, cause),
        ClientError::Timeout { .. } => {
            operation.error(ErrorKind::Timeout, format!("no answer from {server} in time"))
        }
        ClientError::Protocol(_) => unintelligible(operation, server),
        ClientError::Server(text) => refused(operation, &text),
        ClientError::Rejected(text) if text == "ERROR" => {
            // The server sends no more than the word ERROR, or the crate passes no more on.
            let why = "accepts no more connections, or is older than memcached 1.6";
            operation.error(ErrorKind::Unavailable, format!("{server} {why}"))
        }
        ClientError::Rejected(text) if text == UNAUTHENTICATED => {
            let why =
                "requires a login (-Y), which this store and connect-memcached do not support";
            operation.error(ErrorKind::Config, format!("{server} {why}"))
        }
        ClientError::Rejected(_) => {
            operation.error(ErrorKind::Other, "the server rejected the command as malformed")
        }
        _ => operation.error(ErrorKind::Other, "the client library rejected the command"),
    }
}

/// Returns the error for a SERVER_ERROR of the server.
fn refused(operation: &Operation, text: &str) -> Error {
    // A write that has no room in its server, or in any, also removes the old item, whatever its condition: memcached
    // 1.6.18, `process_mset_command` and `process_update_command`.
    let (kind, why) = if starts_with(text, "object too large") {
        operation.lose_answer();
        let why =
            "the record is larger than the server accepts (-I); it may have removed the old record";
        (ErrorKind::TooLarge, why)
    } else if OUT_OF_MEMORY.iter().any(|start| starts_with(text, start)) {
        operation.lose_answer();
        let why = "the server is out of memory (-m) and found nothing to evict for a record of this size; it may have removed the old record";
        (ErrorKind::Full, why)
    } else if starts_with(text, "out of memory") {
        // It lacks memory for an answer or for the connection. A write may have happened before.
        operation.lose_answer();
        (ErrorKind::Full, "the server is out of memory")
    } else if starts_with(text, "backend failure") {
        // This comes from memcached's own proxy: it lost its server, perhaps after sending the command.
        operation.lose_answer();
        (ErrorKind::Unavailable, "the server behind the proxy cannot be reached")
    } else {
        (ErrorKind::Other, "the server rejected the command")
    };
    operation.error(kind, why)
}

/// Compares without case, because some messages of memcached begin with a capital.
fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// Returns the error for a record that exceeds the limit and was not sent.
pub(crate) fn too_large(operation: &Operation, bytes: u64, limit: u64) -> Error {
    let message = format!("the record is {bytes} bytes long; the limit is {limit}");
    operation.error(ErrorKind::TooLarge, message)
}

/// Returns the error of a call that got no connection, or lost it before the command was sent. Nothing was written.
pub(crate) fn unreachable(operation: &Operation, server: &str, cause: io::Error) -> Error {
    if cause.kind() == io::ErrorKind::TimedOut {
        let message = format!("cannot connect to {server} in time");
        return operation.error(ErrorKind::Timeout, message).with_source(cause);
    }
    operation
        .error(ErrorKind::Unavailable, format!("{server} cannot be reached"))
        .with_source(cause)
}

/// Returns the error of a call whose connection was lost before its answer came.
pub(crate) fn lost(operation: &Operation, server: &str, cause: io::Error) -> Error {
    operation
        .error(ErrorKind::Unavailable, format!("the connection to {server} was lost"))
        .with_source(cause)
}

/// Returns the error for an answer that this command never gets.
pub(crate) fn unintelligible(operation: &Operation, server: &str) -> Error {
    operation
        .error(ErrorKind::Unavailable, format!("{server} does not speak the memcached protocol"))
}

#[cfg(test)]
mod tests {
    use std::{error::Error as _, time::Duration};

    use cloakroom_backend::Idempotency;

    use super::*;

    fn operation() -> Operation {
        Operation::start(STORE, "set", Idempotency::Once, Duration::from_secs(5))
    }

    fn io(kind: io::ErrorKind) -> ClientError {
        ClientError::Io(io::Error::from(kind))
    }

    /// Checks an error as it comes for a read and, wrapped, for a write.
    fn check(cause: fn() -> ClientError, kind: ErrorKind, message: &str) {
        let wrapped = ClientError::Ambiguous { key: b"SECRET".to_vec(), source: Box::new(cause()) };
        for cause in [cause(), wrapped] {
            let wording = cause.to_string();
            let error = of_client(&operation(), "h:1", cause);
            assert_eq!(error.kind(), kind, "{wording}");
            assert_eq!(error.to_string(), format!("memcached: set: {message}"), "{wording}");
            assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
            let is_unknown = matches!(kind, ErrorKind::Full | ErrorKind::TooLarge);
            assert_eq!(error.outcome_unknown(), is_unknown, "{wording}");
        }
    }

    #[test]
    fn the_clients_errors_have_kinds_and_never_its_words() {
        use ClientError::{Protocol, Rejected, Server, Timeout};

        check(
            || Server("object too large for cache SECRET".to_owned()),
            ErrorKind::TooLarge,
            "the record is larger than the server accepts (-I); it may have removed the old record",
        );
        check(
            || Server("out of memory storing object SECRET".to_owned()),
            ErrorKind::Full,
            "the server is out of memory (-m) and found nothing to evict for a record of this size; it may have removed the old record",
        );
        check(
            || Server("Out of memory allocating new item".to_owned()),
            ErrorKind::Full,
            "the server is out of memory (-m) and found nothing to evict for a record of this size; it may have removed the old record",
        );
        check(
            || Server("out of memory writing get response".to_owned()),
            ErrorKind::Full,
            "the server is out of memory",
        );
        check(|| Server("SECRET".to_owned()), ErrorKind::Other, "the server rejected the command");
        check(
            || Rejected("ERROR".to_owned()),
            ErrorKind::Unavailable,
            "h:1 accepts no more connections, or is older than memcached 1.6",
        );
        check(
            || Rejected("unauthenticated".to_owned()),
            ErrorKind::Config,
            "h:1 requires a login (-Y), which this store and connect-memcached do not support",
        );
        check(
            || Rejected("bad command line format SECRET".to_owned()),
            ErrorKind::Other,
            "the server rejected the command as malformed",
        );
        check(
            || Protocol("SECRET".to_owned()),
            ErrorKind::Unavailable,
            "h:1 does not speak the memcached protocol",
        );
        check(
            || Timeout { key: b"SECRET".to_vec() },
            ErrorKind::Timeout,
            "no answer from h:1 in time",
        );
    }

    #[test]
    fn a_lost_connection_keeps_the_systems_words() {
        let lost = ClientError::Ambiguous {
            key: b"SECRET".to_vec(),
            source: Box::new(io(io::ErrorKind::BrokenPipe)),
        };
        let error = of_client(&operation(), "h:1", lost);
        assert_eq!(error.to_string(), "memcached: set: the connection to h:1 was lost");
        assert_eq!(error.source().unwrap().to_string(), "broken pipe");
        let error = of_client(&operation(), "h:1", io(io::ErrorKind::ConnectionRefused));
        assert_eq!(error.to_string(), "memcached: set: h:1 cannot be reached");
        assert_eq!(error.source().unwrap().to_string(), "connection refused");
        assert!(error.is_retryable());
    }

    #[test]
    fn a_write_whose_answer_was_lost_has_an_unknown_outcome_whatever_comes_then() {
        let operation = operation();
        operation.lose_answer();
        let refused = || io(io::ErrorKind::ConnectionRefused);
        assert!(of_client(&operation, "h:1", refused()).outcome_unknown());
        assert!(operation.timeout().outcome_unknown());
        assert!(!of_client(&operation.reading(), "h:1", refused()).outcome_unknown());
    }

    #[test]
    fn a_proxy_that_lost_its_server_may_have_passed_a_write_on() {
        let lost = || ClientError::Server("backend failure".to_owned());
        let error = of_client(&operation(), "h:1", lost());
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.outcome_unknown());
        assert!(!of_client(&operation().reading(), "h:1", lost()).outcome_unknown());
    }

    #[test]
    fn a_record_that_is_too_large_is_told_with_its_size_and_was_not_sent() {
        let error = too_large(&operation(), 2_000_000, 1_048_576);
        assert_eq!(
            error.to_string(),
            "memcached: set: the record is 2000000 bytes long; the limit is 1048576"
        );
        assert!(!error.outcome_unknown());
    }
}
