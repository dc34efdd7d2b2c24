//! Maps failures to the contract's errors.
//!
//! Neither the driver's text nor the database's is passed on: both can quote a token.

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind};

/// What a failure means for the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It did nothing, and will fail again.
    Refused,
    /// The database undid it because of another transaction.
    Overtaken,
    /// The connection has ended, before the statement or after it.
    Lost,
    /// The database has no characters for the token, so it has no such token either.
    NotThere,
}

/// Returns what a failure means.
pub(super) fn verdict(cause: &sqlx::Error) -> Verdict {
    match cause {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Verdict::Lost,
        sqlx::Error::Database(refusal) => match refusal.code().as_deref().unwrap_or_default() {
            _ if is_fatal(&**refusal) => Verdict::Lost,
            "57P01" | "57P02" | "57P03" | "57P05" => Verdict::Lost,
            code if code.len() == 5 && code.starts_with("08") => Verdict::Lost,
            // serialization_failure, deadlock_detected.
            "40001" | "40P01" => Verdict::Overtaken,
            // character_not_in_repertoire, untranslatable_character.
            "22021" | "22P05" => Verdict::NotThere,
            _ => Verdict::Refused,
        },
        _ => Verdict::Refused,
    }
}

/// Returns true if the server closes the connection after this error, or if no server sends such an error: without an
/// SQLSTATE or a number, which the driver accepts.
fn is_fatal(refusal: &dyn sqlx::error::DatabaseError) -> bool {
    #[cfg(feature = "postgres")]
    if let Some(refusal) = refusal.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        use sqlx::postgres::PgSeverity;
        let is_end = matches!(refusal.severity(), PgSeverity::Fatal | PgSeverity::Panic);
        return is_end || refusal.code().len() != 5;
    }
    // The server shuts down or has killed the connection, or the connection failed there.
    #[cfg(feature = "mysql")]
    if let Some(refusal) = refusal.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        let number = refusal.number();
        return matches!(number, 0 | 1053 | 1079 | 1080 | 1152..=1161 | 1184 | 1927 | 4031);
    }
    let _ = refusal;
    false
}

/// Returns the error for a failed statement.
pub(super) fn of(operation: &Operation, cause: &sqlx::Error) -> Error {
    let (kind, why) = match cause {
        sqlx::Error::Io(_) => (ErrorKind::Unavailable, "the connection failed"),
        sqlx::Error::Tls(_) => (ErrorKind::Config, "the TLS handshake failed"),
        sqlx::Error::PoolTimedOut => {
            (ErrorKind::Timeout, "the application's pool had no connection in time")
        }
        sqlx::Error::PoolClosed => (ErrorKind::Unavailable, "the application's pool is closed"),
        sqlx::Error::WorkerCrashed => (ErrorKind::Unavailable, "the thread of SQLite has ended"),
        sqlx::Error::Configuration(_) => {
            (ErrorKind::Config, "the driver rejected an option of the pool")
        }
        sqlx::Error::Protocol(_) => {
            (ErrorKind::Unavailable, "the server sent an unexpected answer")
        }
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            (ErrorKind::Corrupt, "a row cannot be read")
        }
        sqlx::Error::Database(refusal) => {
            refused(&refusal.code().unwrap_or_default(), refusal.message())
        }
        _ => (ErrorKind::Other, "the driver failed"),
    };
    operation.error(kind, why)
}

/// Returns what the database refused: by the SQLSTATE of a server, or the code of SQLite.
fn refused(code: &str, message: &str) -> (ErrorKind, &'static str) {
    match code {
        "42P01" | "3F000" | "42S02" => (ErrorKind::Config, "a table does not exist"),
        "42703" | "42S22" => (ErrorKind::Config, "a table lacks a column that is described"),
        // SQLITE_ERROR says what it is only in its text.
        "1" if message.starts_with("no such table") => {
            (ErrorKind::Config, "a table does not exist")
        }
        "1" if message.starts_with("no such column") => {
            (ErrorKind::Config, "a table lacks a column that is described")
        }
        "42501" => (ErrorKind::Config, "the user lacks a permission"),
        "42000" => {
            (ErrorKind::Config, "the user lacks a permission, or the server has no JSON_ARRAY")
        }
        // Of MySQL, a wrong password; of PostgreSQL, also its rules in pg_hba.conf, which can ask for TLS.
        "28000" => (
            ErrorKind::Config,
            "the server rejected the user name or the password, or admits this user only with TLS",
        ),
        "28P01" => (ErrorKind::Config, "the server rejected the user name or the password"),
        "3D000" => (ErrorKind::Config, "the database does not exist"),
        "42883" | "42804" | "42846" | "42P08" => {
            (ErrorKind::Config, "a column has another type than is described")
        }
        "26000" | "42P05" => (
            ErrorKind::Config,
            "the pooler loses prepared statements: use its session mode, or PgBouncer 1.21 with max_prepared_statements",
        ),
        "53300" | "08004" => (ErrorKind::Unavailable, "the server has too many connections"),
        "53100" | "53200" | "13" => (ErrorKind::Full, "no room is left"),
        "25006" => (ErrorKind::Unavailable, "the server only reads"),
        "57014" | "55P03" | "40001" | "40P01" | "5" | "6" | "261" | "517" => {
            (ErrorKind::Timeout, "another transaction did not release its lock in time")
        }
        "22003" | "22007" | "22008" => {
            (ErrorKind::InvalidData, "the column cannot hold the new expiry")
        }
        code if code.starts_with("57P0") || (code.len() == 5 && code.starts_with("08")) => {
            (ErrorKind::Unavailable, "the server ended the connection")
        }
        _ => (ErrorKind::Other, "the database refused the statement"),
    }
}
