//! For the tests of this workspace only, which decode rows without a database. Any release may change or remove it.

use std::time::Duration;

use cloakroom_backend::{Idempotency, Operation, expires_at_ms};
use cloakroom_core::{Error, Listed, SessionData};

use crate::{Table, connection::NotText, error::STORE, expiry::Time, record};

fn operation() -> Operation {
    Operation::start(STORE, "all", Idempotency::Read, Duration::from_secs(5))
}

/// Returns the session in a row of id, text and expiry. Each column has the bytes that a driver would read as text, or
/// `None` for NULL.
///
/// # Errors
///
/// [`Corrupt`](cloakroom_core::ErrorKind::Corrupt) and [`TooLarge`](cloakroom_core::ErrorKind::TooLarge), as the store's.
pub fn listed(
    table: &Table,
    row: [Option<&[u8]>; 3],
    max_record: u64,
    now_ms: i64,
) -> Result<Option<Listed>, Error> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| NotText);
    let row = row.map(|column| column.map(text).transpose()).into();
    record::listed(&operation(), table, row, max_record, now_ms)
}

/// Returns the text that an update of a session compares with the stored one.
///
/// # Errors
///
/// As an update, if the session was not read from a row.
pub fn compared(session: &SessionData) -> Result<&str, Error> {
    record::read_from(&operation(), session)
}

/// Returns the expiry that is sent with a session, or `None` if it has passed. `last_ms` is the last time of a column that
/// holds less than the form of its table.
#[must_use]
pub fn expiry(
    table: &Table,
    session: &SessionData,
    ttl: Duration,
    last_ms: i64,
    now_ms: i64,
) -> Option<String> {
    let last_ms = last_ms.min(table.expiry_form.last_ms());
    let expires_ms = expires_at_ms(session, now_ms, ttl)?;
    Some(match table.rounded(expires_ms, last_ms) {
        Time::Number(number) => number.to_string(),
        Time::Real(real) => real.to_string(),
        Time::Text(text) => text,
    })
}

/// Returns the time in the text of an expiry as the database answers it, or `None` if it is not a time.
#[must_use]
pub fn read_expiry(table: &Table, text: &str) -> Option<i64> {
    table.expiry_form.read(text)
}
