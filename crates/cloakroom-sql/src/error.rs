//! Maps failures to the contract's errors.
//!
//! Neither the driver's text nor the database's is passed on: both can quote an id, such as `Key (sid)=(..) already
//! exists`. The operating system's errors are passed on.

use std::io;

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind};

use crate::mysql_error::{self as mysql, IS_UNIQUE, NEEDS_VALUE};

/// The store's name.
pub(crate) const STORE: &str = "sql";

/// Returns the error for a scheme whose feature, which has the same name, is off.
#[cfg(not(all(feature = "mysql", feature = "postgres", feature = "sqlite")))]
pub(crate) fn is_off(scheme: &str) -> Error {
    // Not the URL itself: a URL of SQLite can lack the slashes.
    match cloakroom_backend::StoreUrl::parse(STORE, &format!("{scheme}://"), "a scheme") {
        Ok(url) => url.scheme_needs_feature([scheme; 2], "cloakroom-sql"),
        Err(error) => error,
    }
}

/// A failed statement.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) cause: sqlx::Error,
    /// Whether it may have reached the database.
    pub(crate) sent: bool,
}

/// What a failure means for the connection and for the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The statement did nothing, and will fail again.
    Refused,
    /// The database undid the statement because of another transaction. It can be sent again.
    Overtaken,
    /// The statement did nothing, and no statement works on this connection, but perhaps on another one.
    Unfit,
    /// The connection has ended, before the statement or after it.
    Lost,
}

/// Returns what a failure means.
pub(crate) fn verdict(cause: &sqlx::Error) -> Verdict {
    match cause {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Verdict::Lost,
        sqlx::Error::Database(refusal) => match refusal.code().as_deref().unwrap_or_default() {
            _ if is_fatal(&**refusal) => Verdict::Lost,
            _ if mysql::number(&**refusal).is_some_and(mysql::is_lost) => Verdict::Lost,
            _ if mysql::number(&**refusal).is_some_and(mysql::is_to_close) => Verdict::Unfit,
            "57P01" | "57P02" | "57P03" | "57P05" => Verdict::Lost,
            code if code.starts_with("08") => Verdict::Lost,
            // serialization_failure, deadlock_detected.
            "40001" | "40P01" => Verdict::Overtaken,
            // A plan that an `ALTER TABLE` has made wrong, a prepared statement that a pooler has dropped or has
            // already, and a primary that has become a standby.
            "0A000" | "26000" | "42P05" | "25006" => Verdict::Unfit,
            _ => Verdict::Refused,
        },
        _ => Verdict::Refused,
    }
}

/// Returns true if the server closes the connection after this error, or if no server sends such an error.
fn is_fatal(refusal: &dyn sqlx::error::DatabaseError) -> bool {
    #[cfg(feature = "postgres")]
    if let Some(refusal) = refusal.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        use sqlx::postgres::PgSeverity;
        let is_end = matches!(refusal.severity(), PgSeverity::Fatal | PgSeverity::Panic);
        return is_end || is_junk(refusal.code());
    }
    let _ = refusal;
    false
}

/// Returns true if this is not an SQLSTATE, which has five characters. The driver accepts an error without one.
#[cfg(feature = "postgres")]
fn is_junk(state: &str) -> bool {
    state.len() != 5
}

/// Returns true if a pooler refused the settings that a connection began with: PgBouncer, or RDS Proxy.
#[cfg(feature = "postgres")]
pub(crate) fn is_of_a_pooler(cause: &sqlx::Error) -> bool {
    let sqlx::Error::Database(refusal) = cause else { return false };
    matches!(refusal.code().as_deref(), Some("08P01" | "0A000"))
}

/// Returns true if SQLite found the file locked and did not wait: SQLITE_BUSY.
pub(crate) fn is_locked(cause: &sqlx::Error) -> bool {
    let sqlx::Error::Database(refusal) = cause else { return false };
    refusal.code().is_some_and(|code| primary(&code) == Some(5))
}

/// Returns SQLite's primary code, which its extended codes have in their lowest byte (sqlite3.h). `None` for an
/// SQLSTATE, which has five characters.
fn primary(code: &str) -> Option<u32> {
    (code.len() < 5).then(|| code.parse::<u32>().ok())?.map(|code| code & 0xff)
}

/// Returns true if the table does not exist (any more).
pub(crate) fn is_no_table(cause: &sqlx::Error) -> bool {
    let sqlx::Error::Database(refusal) = cause else { return false };
    if let Some(number) = mysql::number(&**refusal) {
        return mysql::is_no_table(number);
    }
    match refusal.code().as_deref() {
        Some("42P01" | "3F000") => true,
        // SQLITE_ERROR says what it is only in its text.
        Some("1") => refusal.message().contains("no such table"),
        _ => false,
    }
}

/// Returns true if the table lacks a column, such as one that belongs to an index that was dropped.
pub(crate) fn is_no_column(cause: &sqlx::Error) -> bool {
    let sqlx::Error::Database(refusal) = cause else { return false };
    if let Some(number) = mysql::number(&**refusal) {
        return mysql::is_no_column(number);
    }
    match refusal.code().as_deref() {
        Some("42703") => true,
        Some("1") => refusal.message().contains("no such column"),
        _ => false,
    }
}

/// Returns true if another process created the same table or index at the same time.
pub(crate) fn is_created_at_once(cause: &sqlx::Error) -> bool {
    let sqlx::Error::Database(refusal) = cause else { return false };
    // duplicate_table, duplicate_object, unique_violation of the catalogue.
    matches!(refusal.code().as_deref(), Some("42P07" | "42710" | "23505" | "42S01"))
}

/// Says why a handshake failed. The driver passes on the error of rustls as one of the system. Its text is repeated where
/// it is about the certificate, of which nothing is secret.
fn handshake(place: &str, error: &io::Error) -> String {
    let cause = error.get_ref().map(ToString::to_string);
    match cause.filter(|cause| cause.starts_with("invalid peer certificate")) {
        Some(cause) => format!("the TLS handshake with {place} failed: {cause}"),
        None => format!("the TLS handshake with {place} failed"),
    }
}

/// Converts a failure to an error. `place` is the server or the file, for messages.
pub(crate) fn of(operation: &Operation, place: &str, failure: &Failure) -> Error {
    let told = |error: Error| {
        if failure.sent { operation.idempotency().unanswered(error) } else { error }
    };
    let unavailable = |message: String| operation.error(ErrorKind::Unavailable, message);
    match &failure.cause {
        sqlx::Error::Io(io) if !failure.sent && io.kind() == io::ErrorKind::InvalidData => {
            operation.error(ErrorKind::Config, handshake(place, io))
        }
        sqlx::Error::Io(io) => {
            // Its text can be that of the driver.
            let source = io
                .raw_os_error()
                .map_or_else(|| io::Error::from(io.kind()), io::Error::from_raw_os_error);
            let message = if failure.sent {
                format!("the connection to {place} was lost")
            } else {
                format!("cannot connect to {place}")
            };
            told(unavailable(message).with_source(source))
        }
        sqlx::Error::Tls(_) => {
            operation.error(ErrorKind::Config, format!("the TLS handshake with {place} failed"))
        }
        sqlx::Error::PoolTimedOut => {
            operation.error(ErrorKind::Timeout, "the application's pool had no connection in time")
        }
        sqlx::Error::PoolClosed => unavailable("the application's pool is closed".to_owned()),
        sqlx::Error::WorkerCrashed => {
            told(unavailable("the thread of SQLite has ended".to_owned()))
        }
        sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) => {
            operation.error(ErrorKind::Config, "the driver rejected an option of the url")
        }
        sqlx::Error::Protocol(_) => told(unavailable(format!("{place} sent an unexpected answer"))),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            operation.error(ErrorKind::Corrupt, "the record is not text")
        }
        sqlx::Error::Database(refusal) => {
            let error = refused(operation, place, &**refusal);
            if verdict(&failure.cause) == Verdict::Lost { told(error) } else { error }
        }
        _ => told(operation.error(ErrorKind::Other, "the driver failed")),
    }
}

/// Returns the error for what the database refused: by the SQLSTATE of a server, or the code of SQLite.
fn refused(operation: &Operation, place: &str, refusal: &dyn sqlx::error::DatabaseError) -> Error {
    if let Some((kind, why)) = mysql::number(refusal).and_then(mysql::refused) {
        return operation.error(kind, why);
    }
    let code = refusal.code().unwrap_or_default();
    let (kind, why) = match &*code {
        "42P01" => (ErrorKind::Config, "the table does not exist any more"),
        "42703" => (ErrorKind::Config, "the table lacks a column"),
        "42P10" => (ErrorKind::Config, "the column of the id needs a unique index"),
        "42501" => (ErrorKind::Config, "the user lacks a permission that the store needs"),
        "28P01" => (ErrorKind::Config, "the server rejected the user name or the password"),
        // The name of the file is the same in every language of the server.
        "28000" if refusal.message().contains("pg_hba.conf") => {
            let why = "pg_hba.conf of the server does not admit this user from this address, or only with TLS: set sslmode=require, or add an entry to that file";
            (ErrorKind::Config, why)
        }
        "28000" => (
            ErrorKind::Config,
            "the server does not know this user, or rejects the way in which it logs in",
        ),
        "3D000" => (ErrorKind::Config, "the database does not exist"),
        "3F000" => {
            let why = "the schema of the table does not exist: create it, or name another one with schema";
            (ErrorKind::Config, why)
        }
        // Four digits are a code of SQLite, here and below.
        "23502" | "1299" => (ErrorKind::Config, NEEDS_VALUE),
        "23505" | "1555" | "2067" => (ErrorKind::Config, IS_UNIQUE),
        "53100" | "53200" => (ErrorKind::Full, "the server has no room left"),
        "53300" | "08004" => (ErrorKind::Unavailable, "the server has too many connections"),
        "57P01" | "57P02" => (ErrorKind::Unavailable, "the server is shutting down"),
        "57P05" => (ErrorKind::Unavailable, "the server has ended an idle connection"),
        "57P03" => (ErrorKind::Unavailable, "the server does not accept connections yet"),
        "57014" => (
            ErrorKind::Timeout,
            "the statement took too long, or another transaction holds its lock",
        ),
        "25006" => (ErrorKind::Unavailable, "the server only reads"),
        "55P03" => (ErrorKind::Timeout, "another transaction did not release its lock in time"),
        "40001" | "40P01" => (ErrorKind::Timeout, "it met other transactions until the deadline"),
        "26000" | "42P05" => {
            let why = "the pooler loses prepared statements: use its session mode, or PgBouncer 1.21 with max_prepared_statements";
            (ErrorKind::Config, why)
        }
        "22023" => {
            let why = "the server does not know the time zone: set timeZone to UTC or to a name such as Europe/Berlin";
            (ErrorKind::Config, why)
        }
        // 54001 is the depth of JSON, and 275 a CHECK of SQLite.
        "22P05" | "22P02" | "22021" | "22003" | "23514" | "54001" | "275" => {
            (ErrorKind::InvalidData, "the database cannot keep this session unchanged")
        }
        "22001" => (ErrorKind::TooLarge, "the session is longer than its column"),
        "54000" => (ErrorKind::InvalidId, "the id is too long for the index"),
        "42804" | "42883" | "42846" | "42P08" | "3091" => {
            (ErrorKind::Config, "a column of the table has another type than is described")
        }
        _ => return other(operation, place, &code, refusal),
    };
    operation.error(kind, why)
}

fn other(
    operation: &Operation,
    place: &str,
    code: &str,
    refusal: &dyn sqlx::error::DatabaseError,
) -> Error {
    if let Some(number) = mysql::number(refusal) {
        let message = format!("the database refused the statement (error {number})");
        return operation.error(ErrorKind::Other, message);
    }
    let (kind, why) = match primary(code) {
        Some(1) if refusal.message().contains("ON CONFLICT") => {
            (ErrorKind::Config, "the column of the id needs a unique index")
        }
        Some(1) => (ErrorKind::Config, "the table does not fit its description"),
        Some(3 | 23) => (ErrorKind::Unavailable, "permission denied"),
        Some(5 | 6) => {
            (ErrorKind::Timeout, "another connection or process did not release its lock in time")
        }
        Some(8) => (ErrorKind::Unavailable, "the file cannot be written"),
        Some(10) => (ErrorKind::Unavailable, "the system refused to read or write the file"),
        Some(11 | 26) => (ErrorKind::Config, "the file is not a SQLite database, or is damaged"),
        Some(13) => (ErrorKind::Full, "the disk is full"),
        Some(14) => (ErrorKind::Unavailable, "the file cannot be opened"),
        Some(18) => (ErrorKind::TooLarge, "the session is longer than SQLite accepts"),
        _ if code.starts_with("08") => {
            let message = format!("the connection to {place} was lost");
            return operation.error(ErrorKind::Unavailable, message);
        }
        _ if is_fatal(refusal) => {
            let message = if code.len() == 5 {
                format!("{place} ended the connection (code {code})")
            } else {
                format!("{place} sent an unexpected answer")
            };
            return operation.error(ErrorKind::Unavailable, message);
        }
        _ => {
            let message = format!("the database refused the statement (code {code})");
            return operation.error(ErrorKind::Other, message);
        }
    };
    operation.error(kind, why)
}

#[cfg(test)]
mod tests {
    use super::primary;

    #[test]
    fn a_state_of_postgresql_is_no_code_of_sqlite() {
        // SQLITE_BUSY_SNAPSHOT.
        assert_eq!(primary("517"), Some(5));
        assert_eq!(primary("14"), Some(14));
        for state in ["22005", "25000", "23505", "08P01", ""] {
            assert_eq!(primary(state), None, "{state}");
        }
    }
}
