//! A row of the tables that the SQL store reads.

use std::{sync::LazyLock, time::Duration};

use cloakroom_backend::expires_at_ms;
use cloakroom_core::{ErrorKind, LAST_DATE_MS, SessionData, parse_date};
use cloakroom_sql::{Counterpart, Dialect, ExpiryForm, Rounding, Table, for_tests};

use crate::session;

/// The table of each npm store in each database that it is known in.
static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let databases = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];
    let of = |counterpart: Counterpart| databases.map(|dialect| counterpart.table(dialect));
    Counterpart::ALL.into_iter().flat_map(of).flatten().collect()
});

/// The default time to live.
const TTL: Duration = Duration::from_secs(86_400);

/// The current time: at the beginning, today, and just before the last date of JavaScript.
const NOW_MS: [i64; 4] = [0, 1_767_225_600_123, 253_402_300_799_000, 8_639_999_999_999_999];

/// The last time that a column holds: all, `int unsigned` and `int`.
const LAST_MS: [i64; 3] = [i64::MAX, 4_294_967_295_000, 2_147_483_647_000];

/// The first byte chooses the table. The second one says which columns are NULL, what time it is and what the column of
/// the expiry holds. The rest is the id, the expiry and the text of the session, with a line break after each of the
/// first two: the row is a session, no session, or corrupt, and an update compares the stored text itself.
pub(crate) fn row(input: &[u8]) {
    let [table, flags, rest @ ..] = input else { return };
    let table = &TABLES[usize::from(*table) % TABLES.len()];
    let now_ms = NOW_MS[usize::from(flags >> 3) % NOW_MS.len()];
    let last_ms = LAST_MS[usize::from(flags >> 5) % LAST_MS.len()];
    let max_record = if *flags < 128 { 1_000_000 } else { 200 };
    let mut columns = rest.splitn(3, |byte| *byte == b'\n');
    let [id, expiry, data] = [0, 1, 2].map(|bit| {
        let column = columns.next().unwrap_or_default();
        (flags & 1 << bit == 0).then_some(column)
    });
    if let Some(Ok(text)) = expiry.map(std::str::from_utf8) {
        let _ = for_tests::read_expiry(table, text);
    }
    match for_tests::listed(table, [id, data, expiry], max_record, now_ms) {
        Ok(Some(listed)) => {
            assert_eq!(Some(listed.id.as_bytes()), id);
            session::check(&listed.session);
            let compared = for_tests::compared(&listed.session).expect("it was read from a row");
            assert_eq!(Some(compared.as_bytes()), data);
            written(table, &listed.session, last_ms, now_ms);
        }
        Ok(None) => {}
        Err(error) => {
            let kinds = [ErrorKind::Corrupt, ErrorKind::TooLarge];
            assert!(kinds.contains(&error.kind()), "{error}");
            session::check_error(&error, input);
        }
    }
}

/// What is written as the expiry is read again as the same time, within the table's rounding.
fn written(table: &Table, session: &SessionData, last_ms: i64, now_ms: i64) {
    let Some(sent) = for_tests::expiry(table, session, TTL, last_ms, now_ms) else { return };
    let stored = stored(table.expiry_form, &sent);
    let read = for_tests::read_expiry(table, &stored);
    let read = read.unwrap_or_else(|| panic!("{stored:?} is not a time, in {table:?}"));
    let expires = expires_at_ms(session, now_ms, TTL).expect("an expiry is sent");
    // Beyond the year 9999 stands its last moment, in some forms.
    let last_ms = last_ms.min(match table.expiry_form {
        ExpiryForm::DateTime | ExpiryForm::IsoText | ExpiryForm::SpacedText => 253_402_300_799_999,
        _ => LAST_DATE_MS,
    });
    let expires = expires.min(last_ms);
    let (least, most) = match table.rounding {
        Rounding::Exact => (0, 0),
        // No later second is in the range.
        _ if expires > last_ms - 1_000 => (-999, last_ms - expires),
        Rounding::Up => (0, 999),
        Rounding::Down => (-999, 0),
        _ => (-499, 500),
    };
    // PostgreSQL takes seconds as a double, in which a far date is right to a millisecond.
    let slack = i64::from(table.dialect == Dialect::Postgres);
    let off = read - expires;
    assert!(
        (least - slack..=most + slack).contains(&off),
        "{expires} is stored as {sent:?} and read as {read}, in {table:?}"
    );
}

/// Returns what the database answers for an expiry that it was sent.
fn stored(form: ExpiryForm, sent: &str) -> String {
    let ms = match form {
        // A number of seconds becomes microseconds.
        ExpiryForm::TimestampTz | ExpiryForm::LocalTimestamp | ExpiryForm::UtcTimestamp => {
            let seconds: f64 = sent.parse().expect("seconds are sent");
            ((seconds * 1_000_000.0).round() as i128 / 1_000) as i64
        }
        ExpiryForm::DateTime => {
            parse_date(&format!("{}Z", sent.replacen(' ', "T", 1))).expect("a date is sent")
        }
        _ => return sent.to_owned(),
    };
    ms.to_string()
}
