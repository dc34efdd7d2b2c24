//! Errors from what the child says.

use cloakroom_core::{Error, ErrorKind};

use crate::{operation::Operation, settings::Settings};

/// The codes of Node.js, and the names of errors of clients, that say that the backend cannot be reached.
const UNAVAILABLE: &[&str] = &[
    "EAI_AGAIN",
    "ECONNABORTED",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOTFOUND",
    "EPIPE",
    "ClientClosedError",
    "ClientOfflineError",
    "ConnectionTimeoutError",
    "MaxRetriesPerRequestError",
    "MongoNetworkError",
    "MongoNotConnectedError",
    "MongoServerSelectionError",
    "MongoTopologyClosedError",
    "SocketClosedUnexpectedlyError",
];

/// Those that say that it did not answer in time.
const TIMEOUT: &[&str] =
    &["ETIMEDOUT", "ESOCKETTIMEDOUT", "MongoNetworkTimeoutError", "TimeoutError"];

/// The name and the code of an error of JavaScript, as they are printed.
fn printed(about: &[String]) -> String {
    let about: Vec<&str> =
        about.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    match *about {
        [] => "an error without a name".to_owned(),
        [name] => name.to_owned(),
        [name, code, ..] => format!("{name} ({code})"),
    }
}

fn kind(about: &[String]) -> ErrorKind {
    let has = |list: &[&str]| about.iter().any(|text| list.contains(&&**text));
    if has(TIMEOUT) {
        ErrorKind::Timeout
    } else if has(UNAVAILABLE) {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Other
    }
}

impl Settings {
    /// The error of a call that the store failed: `how` is the status of the answer. A write may have happened before.
    pub(crate) fn store_failed(&self, operation: Operation, how: u8, about: &[String]) -> Error {
        let how = match how {
            5 => "the store threw",
            6 => "the store rejected its promise with",
            _ => "the store called back with",
        };
        let error = self.error(kind(about), operation, format!("{how} {}", printed(about)));
        operation.idempotency().unanswered(error)
    }

    pub(crate) fn rubbish(&self, operation: Operation, about: &[String]) -> Error {
        let wanted = match operation {
            Operation::Length => "the number of sessions",
            Operation::All => "the sessions by their ids",
            _ => "a session",
        };
        // `length` of connect-memcached answers with the statistics of its servers.
        let kind =
            if operation == Operation::Get { ErrorKind::Corrupt } else { ErrorKind::Unsupported };
        self.error(
            kind,
            operation,
            format!("the store answered with {}, not {wanted}", printed(about)),
        )
    }

    pub(crate) fn twice(&self, operation: Operation) -> Error {
        let error = self.error(ErrorKind::Other, operation, "the store answered a second time");
        operation.idempotency().unanswered(error)
    }

    pub(crate) fn emitted(&self, about: &[String]) -> Error {
        let message = format!("the store emitted an error: {}", printed(about));
        self.error(kind(about), Operation::Start, message)
    }

    pub(crate) fn fatal(&self, is_rejection: bool, about: &[String]) -> String {
        let what =
            if is_rejection { "left a rejection unhandled" } else { "threw outside of a call" };
        format!("the store {what} and ended its process: {}", printed(about))
    }

    /// The error of a child that has no store to call, and what to do about it.
    pub(crate) fn no_store(&self, why: u8, about: &[String]) -> (ErrorKind, String) {
        let text = |at: usize| about.get(at).map_or("", String::as_str);
        let folder = &self.folder;
        let message = match why {
            0 => format!("Node.js {} is too old: install version 20 or newer", text(0)),
            1 => match text(0) {
                file if file.starts_with(['.', '/']) => format!("there is no file {file:?}"),
                package => format!(
                    "the package {package:?} is missing: run `npm install {package}` in {folder:?}"
                ),
            },
            2 => format!("there is no export {:?}: there are {}", text(0), text(1)),
            3 => format!("the factory is not an expression of JavaScript: {}", printed(about)),
            4 => format!(
                "the factory, or the package, made a value of type {}, not a store; name the export, or give a factory",
                text(0)
            ),
            5 => format!("the store has no method `{}`: a store has get, set and destroy", text(0)),
            _ => {
                let kind = kind(about);
                let kind = if kind == ErrorKind::Other { ErrorKind::Config } else { kind };
                return (kind, format!("the store could not be made: {}", printed(about)));
            }
        };
        (ErrorKind::Config, message)
    }
}
