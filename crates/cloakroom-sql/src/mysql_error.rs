//! What the error numbers of MySQL and MariaDB mean. Their SQLSTATE is often `HY000`, which says nothing.

use cloakroom_core::ErrorKind;
use sqlx::error::DatabaseError;

/// What is said of columns that the store does not know of, in each database.
pub(crate) const NEEDS_VALUE: &str =
    "a column of the table that is not part of its description needs a value";
pub(crate) const IS_UNIQUE: &str =
    "another unique index of the table than that of the id refuses the row";

/// Returns the error's number, or `None` if it comes from another database.
pub(crate) fn number(refusal: &dyn DatabaseError) -> Option<u16> {
    #[cfg(feature = "mysql")]
    let number = refusal
        .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
        .map(sqlx::mysql::MySqlDatabaseError::number);
    #[cfg(not(feature = "mysql"))]
    let number = {
        let _ = refusal;
        None
    };
    number
}

/// Returns true if the server has ended the connection: it shuts down, its administrator has killed the connection, or
/// it was idle for too long. No server sends the number 0, so it is junk.
pub(crate) fn is_lost(number: u16) -> bool {
    matches!(number, 0 | 1053 | 1079 | 1080 | 1152 | 1154..=1161 | 1184 | 1927 | 4031)
}

/// Returns true if the statement was not carried out, and none would be on this connection: it leads to a server that
/// only reads since another one took over, lacks the prepared statements of a proxy, or has to end after a large packet.
pub(crate) fn is_to_close(number: u16) -> bool {
    matches!(number, 1153 | 1243 | 1290 | 1461 | 1792 | 1836)
}

/// Returns true if the table does not exist.
pub(crate) fn is_no_table(number: u16) -> bool {
    number == 1146
}

/// Returns true if the table lacks a column.
pub(crate) fn is_no_column(number: u16) -> bool {
    number == 1054
}

/// Returns what went wrong, or `None` for a number that is not known.
pub(crate) fn refused(number: u16) -> Option<(ErrorKind, &'static str)> {
    Some(match number {
        1044 | 1142 | 1143 | 1227 => {
            (ErrorKind::Config, "the user lacks a permission that the store needs")
        }
        // With 1045, a server also rejects a user without TLS who has `REQUIRE SSL`, and MariaDB every user if
        // `require_secure_transport` is on, for which MySQL has 3159.
        1045 => (
            ErrorKind::Config,
            "the server rejected the user name or the password, or admits this user only with TLS (sslmode=require)",
        ),
        1698 | 1820 | 1862 | 3118 => {
            (ErrorKind::Config, "the server rejected the user name or the password")
        }
        3159 => (ErrorKind::Config, "the server requires TLS: set sslmode=require"),
        0 => (ErrorKind::Unavailable, "the server sent an unexpected answer"),
        1046 | 1049 => (ErrorKind::Config, "the database does not exist"),
        1054 => (ErrorKind::Config, "the table lacks a column"),
        1146 => (ErrorKind::Config, "the table does not exist any more"),
        1048 | 1364 => (ErrorKind::Config, NEEDS_VALUE),
        1062 | 1586 => (ErrorKind::Config, IS_UNIQUE),
        1129 | 1130 => (ErrorKind::Unavailable, "the server does not accept this client's host"),
        1040 | 1203 | 1226 => (ErrorKind::Unavailable, "the server has too many connections"),
        1461 => (ErrorKind::Unavailable, "the server has too many prepared statements"),
        1053 | 1079 | 1080 => (ErrorKind::Unavailable, "the server is shutting down"),
        1152 | 1154..=1161 | 1184 | 1243 | 1927 | 4031 => {
            (ErrorKind::Unavailable, "the server has ended the connection")
        }
        1290 | 1792 | 1836 => (ErrorKind::Unavailable, "the server only reads"),
        1213 => (ErrorKind::Unavailable, "the server is overloaded"),
        1205 => (ErrorKind::Timeout, "another client did not release its lock in time"),
        1317 | 1969 | 3024 => (ErrorKind::Timeout, "the server took too long"),
        // The first three are EE_WRITE, EE_OUTOFMEMORY and EE_DISK_FULL of the system below the server.
        3 | 5 | 20 | 1021 | 1037 | 1038 | 1041 | 1114 => {
            (ErrorKind::Full, "the server has no room left")
        }
        1406 => (ErrorKind::TooLarge, "the session is longer than its column"),
        1153 | 1301 => (ErrorKind::TooLarge, "the session is longer than max_allowed_packet"),
        1264 | 1292 | 1300 | 1366 | 1977 | 3140..=3146 | 3157 | 3819 | 3854 | 3988 | 4025 => {
            (ErrorKind::InvalidData, "the database cannot keep this session unchanged")
        }
        1265 | 1267 | 1270 | 1271 => {
            (ErrorKind::Config, "a column of the table has another type than is described")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn a_server_that_requires_tls_is_an_error_that_says_so() {
        for number in [1045, 3159] {
            let why = refused(number).map(|(_, why)| why);
            assert!(why.is_some_and(|why| why.contains("sslmode=require")), "{number}: {why:?}");
        }
    }
}
