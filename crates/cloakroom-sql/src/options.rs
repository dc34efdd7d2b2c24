//! The options of a `SqlStore`.

use std::time::Duration;

use cloakroom_backend::{MAX_RECORD, invalid_option};
use cloakroom_core::{Clock, Error};

use crate::{dialect::Dialect, error::STORE, expiry::ExpiryForm, table::Table};

/// Options of a [`SqlStore`](crate::SqlStore).
///
/// Most can also be given in the URL, which takes precedence; see [`SqlStore::open`](crate::SqlStore::open).
///
/// ```
/// use std::time::Duration;
/// use cloakroom_sql::SqlOptions;
///
/// let options = SqlOptions::default().with_connections(20).with_ttl(Duration::from_secs(3_600));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqlOptions {
    /// The table. By default, that of the [counterpart](crate::Counterpart::default_of) of the database.
    pub table: Option<Table>,
    /// Whether to create the table if it does not exist. `true` by default for a SQLite file, which is then created as
    /// well, and `false` for a server.
    pub create_table: Option<bool>,
    /// The time to live of a browser session. A day by default, as in the npm stores. Any other session lives as long
    /// as its cookie.
    pub ttl: Duration,
    /// The time zone of the connections of Node.js, for a column that keeps a local time
    /// ([`ExpiryForm::LocalTimestamp`](crate::ExpiryForm::LocalTimestamp)): `UTC`, or a name such as `Europe/Berlin`.
    ///
    /// By default, the zone that is set for the role of this store or for the database, or that of the server's
    /// configuration, which only some roles may read. A call returns an error that asks for this option if none of them
    /// tells. Set it if Node.js connects as a role with another zone, or sets one itself.
    pub time_zone: Option<String>,
    /// The maximum number of connections per runtime. 10 by default. It has no effect on a pool that the application
    /// passes, which has a limit of its own.
    pub connections: u32,
    /// Whether a write to SQLite is on the disk when it returns. `true` by default. Without it, writes are faster, and a
    /// power failure can lose the last ones. A server decides this by itself.
    pub durable: bool,
    /// The maximum size of a session's text in bytes. 16 MiB by default. A larger one is not written, and not parsed
    /// when it is read.
    pub max_record: u64,
    /// The time limit of an operation, and of each page of a listing. 5 seconds by default.
    pub deadline: Duration,
    /// The source of the current time, for the expiry of cookies and sessions.
    pub clock: Clock,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            table: None,
            create_table: None,
            ttl: Duration::from_secs(86_400),
            time_zone: None,
            connections: 10,
            durable: true,
            max_record: MAX_RECORD,
            deadline: Duration::from_secs(5),
            clock: Clock::system(),
        }
    }
}

impl SqlOptions {
    /// Sets [`table`](Self::table).
    #[must_use]
    pub fn with_table(self, table: impl Into<Option<Table>>) -> Self {
        Self { table: table.into(), ..self }
    }

    /// Sets [`create_table`](Self::create_table).
    #[must_use]
    pub fn with_create_table(self, create_table: impl Into<Option<bool>>) -> Self {
        Self { create_table: create_table.into(), ..self }
    }

    /// Sets [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// Sets [`time_zone`](Self::time_zone).
    #[must_use]
    pub fn with_time_zone(self, time_zone: impl Into<String>) -> Self {
        Self { time_zone: Some(time_zone.into()), ..self }
    }

    /// Sets [`connections`](Self::connections).
    #[must_use]
    pub fn with_connections(self, connections: u32) -> Self {
        Self { connections, ..self }
    }

    /// Sets [`durable`](Self::durable).
    #[must_use]
    pub fn with_durable(self, durable: bool) -> Self {
        Self { durable, ..self }
    }

    /// Sets [`max_record`](Self::max_record).
    #[must_use]
    pub fn with_max_record(self, max_record: u64) -> Self {
        Self { max_record, ..self }
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Rejects an invalid option by its name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (option, why) = match self {
            Self { ttl: Duration::ZERO, .. } => ("ttl", "must be above zero"),
            Self { connections: 0, .. } => ("connections", "must be above zero"),
            Self { max_record: 0, .. } => ("maxRecord", "must be above zero"),
            Self { deadline: Duration::ZERO, .. } => ("deadline", "must be above zero"),
            Self { time_zone: Some(zone), .. } if !is_zone(zone) => {
                let why = "must be UTC or the name of a zone, such as Europe/Berlin; an abbreviation such as CET or EST can mean two zones";
                ("timeZone", why)
            }
            Self { table: Some(table), .. } => return table.check(),
            _ => return Ok(()),
        };
        Err(invalid_option(STORE, option, why))
    }

    /// Rejects an option that would be ignored, because it does not apply to this table.
    pub(crate) fn check_for(&self, table: &Table) -> Result<(), Error> {
        if self.time_zone.is_some() && table.expiry_form != ExpiryForm::LocalTimestamp {
            let why = "applies only to a table of PostgreSQL whose expiry is a timestamp without time zone, such as that of connect-pg-simple";
            return Err(invalid_option(STORE, "timeZone", why));
        }
        if !self.durable && table.dialect != Dialect::Sqlite {
            let why = "applies only to SQLite; a server has settings of its own";
            return Err(invalid_option(STORE, "durable", why));
        }
        Ok(())
    }
}

/// Returns how long the database runs a statement, or waits for a lock, for a call with this deadline. It is less than the
/// patience of an operation, so that a call that waited in vain is known to have written nothing, and that nobody takes
/// the server for silent.
pub(crate) fn longest_wait(deadline: Duration) -> Duration {
    // PostgreSQL and SQLite count in an `i32`, and take zero for no limit.
    let longest = Duration::from_millis(i32::MAX.unsigned_abs().into());
    (deadline / 10 * 7).clamp(Duration::from_millis(1), longest)
}

/// The time zones whose names have no slash, and are not abbreviations as well.
#[rustfmt::skip]
const ZONES: [&str; 38] = [
    "CST6CDT", "Cuba", "EST5EDT", "Egypt", "Eire", "GB", "GB-Eire", "GMT", "GMT+0", "GMT-0", "GMT0", "Greenwich",
    "Hongkong", "Iceland", "Iran", "Israel", "Jamaica", "Japan", "Kwajalein", "Libya", "MST7MDT", "NZ", "NZ-CHAT",
    "Navajo", "PRC", "PST8PDT", "Poland", "Portugal", "ROC", "ROK", "Singapore", "Turkey", "UCT", "UTC", "Universal",
    "W-SU", "Zulu", "localtime",
];

/// Returns true for what can be the name of a time zone, so that it is safe in a statement.
///
/// `SET timezone` and `AT TIME ZONE`, which the statements use, understand other texts differently: `+2` is east of
/// Greenwich for one and west for the other, and `CET` has summers for one only.
pub(crate) fn is_zone(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
    let is_known = ZONES.iter().any(|zone| zone.eq_ignore_ascii_case(name));
    let is_place = name.contains('/') && name.starts_with(|c: char| c.is_ascii_alphabetic());
    is_known || (is_place && name.len() < 64 && name.bytes().all(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_a_meaning_are_refused() {
        let default = SqlOptions::default;
        default().check().unwrap();
        for (options, name) in [
            (default().with_ttl(Duration::ZERO), "ttl"),
            (default().with_connections(0), "connections"),
            (default().with_max_record(0), "maxRecord"),
            (default().with_deadline(Duration::ZERO), "deadline"),
            (default().with_time_zone("Etc/UTC'; DROP"), "timeZone"),
            (default().with_time_zone("+02"), "timeZone"),
            (default().with_time_zone("UTC+2"), "timeZone"),
            (default().with_time_zone("CET"), "timeZone"),
        ] {
            let error = options.check().unwrap_err();
            let begin = format!("sql: open: invalid option {name:?}: must ");
            assert!(error.to_string().starts_with(&begin), "{error}");
        }
    }
}
