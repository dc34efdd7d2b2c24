//! How a column keeps a time.

use cloakroom_core::{Error, LAST_DATE_MS, json, parse_date};

use super::{
    dialect::Dialect,
    statement::{Moment, Slot, Slots},
};

/// How a column keeps a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlTime {
    /// A `timestamptz` of PostgreSQL, or a `timestamp` in UTC, as Prisma and Drizzle write it. A `timestamp` of MySQL, as a
    /// point in time.
    Timestamp,
    /// A `datetime` of MySQL in UTC, as Prisma writes it.
    UtcDateTime,
    /// A `timestamp` of MySQL to which clients write UTC, although it is in the server's own time zone: Drizzle does, and
    /// `mysql2` with the option `timezone: "Z"`, which better-auth's documentation sets. On a server in UTC it is the same as
    /// [`Timestamp`](Self::Timestamp).
    UtcTimestamp,
    /// A column of SQLite with a whole number of milliseconds since 1970, as Drizzle and Prisma 6 write it, or a text such
    /// as `2026-01-31T00:00:00.123Z`, as better-auth and Prisma 7 write it. A row keeps the form that it has.
    NumberOrText,
    /// A whole number of milliseconds since 1970.
    Milliseconds,
    /// A whole number of seconds since 1970.
    Seconds,
}

impl SqlTime {
    /// Returns the form that was given, or the one that packages have on the database.
    pub(crate) fn on(
        dialect: Dialect,
        given: Option<Self>,
        on_mysql: Self,
        store: &'static str,
    ) -> Result<Self, Error> {
        let form = given.unwrap_or(match dialect {
            Dialect::Postgres => Self::Timestamp,
            Dialect::MySql => on_mysql,
            Dialect::Sqlite => Self::NumberOrText,
        });
        form.check(store, dialect).map(|()| form)
    }

    /// Rejects a form that the database does not have.
    fn check(self, store: &'static str, dialect: Dialect) -> Result<(), Error> {
        let is_there = match self {
            Self::Timestamp => dialect != Dialect::Sqlite,
            Self::UtcDateTime | Self::UtcTimestamp => dialect == Dialect::MySql,
            Self::NumberOrText => dialect == Dialect::Sqlite,
            Self::Milliseconds | Self::Seconds => true,
        };
        if is_there {
            return Ok(());
        }
        let why = format!("SqlTime::{self:?} does not exist in {dialect}");
        Err(cloakroom_backend::invalid_option(store, "tables", &why))
    }
}

/// Midnight of 1970 in MySQL.
const EPOCH: &str = "TIMESTAMP'1970-01-01 00:00:00'";

/// The SQL for the milliseconds since 1970 of a timestamp of PostgreSQL, with a time zone or in UTC.
fn epoch_ms(column: &str) -> String {
    format!("round(extract(epoch FROM date_trunc('milliseconds', {column})) * 1000)::bigint")
}

/// Returns the SQL that reads a column. [`read_time`] understands its value in JSON.
pub(crate) fn selected(form: SqlTime, dialect: Dialect, column: &str) -> String {
    let datetime = |value: &str| format!("TIMESTAMPDIFF(MICROSECOND, {EPOCH}, {value}) DIV 1000");
    match form {
        // The column can hold `infinity`, which has no milliseconds.
        SqlTime::Timestamp if dialect == Dialect::Postgres => {
            format!("CASE WHEN isfinite({column}) THEN {} END", epoch_ms(column))
        }
        SqlTime::Timestamp => format!("FLOOR(UNIX_TIMESTAMP({column}) * 1000)"),
        SqlTime::UtcDateTime => datetime(column),
        SqlTime::UtcTimestamp => {
            let shown = format!("CONVERT_TZ({column}, @@session.time_zone, @@global.time_zone)");
            datetime(&shown)
        }
        SqlTime::NumberOrText | SqlTime::Milliseconds => column.to_owned(),
        SqlTime::Seconds => format!("{column} * 1000"),
    }
}

/// Returns the SQL of a time that is assigned to a column.
pub(crate) fn assigned(
    form: SqlTime,
    dialect: Dialect,
    column: &str,
    moment: Moment,
    slots: &mut Slots,
) -> String {
    let ms = slots.place(Slot::Milliseconds(moment));
    let datetime = || format!("TIMESTAMPADD(MICROSECOND, CAST({ms} AS SIGNED) * 1000, {EPOCH})");
    match form {
        // Moved from the time that it has, so that it does not matter which of the two types it is.
        SqlTime::Timestamp if dialect == Dialect::Postgres => format!(
            "date_trunc('milliseconds', {column}) + ({ms} - {}) * interval '1 millisecond'",
            epoch_ms(column)
        ),
        SqlTime::Timestamp => format!("FROM_UNIXTIME(CAST({ms} AS SIGNED) / 1000)"),
        SqlTime::UtcDateTime => datetime(),
        SqlTime::UtcTimestamp => {
            format!("CONVERT_TZ({}, @@global.time_zone, @@session.time_zone)", datetime())
        }
        SqlTime::NumberOrText => {
            let iso = slots.place(Slot::Iso(moment));
            format!(
                "CASE WHEN typeof({column}) <> 'text' THEN {ms} \
                 WHEN {column} LIKE '%Z' THEN {iso} || 'Z' ELSE {iso} || '+00:00' END"
            )
        }
        SqlTime::Milliseconds => ms,
        SqlTime::Seconds if dialect == Dialect::MySql => format!("{ms} DIV 1000"),
        SqlTime::Seconds => format!("{ms} / 1000"),
    }
}

/// Returns the time in a value that was [`selected`], in milliseconds since 1970, or `None` if it is not a time.
pub(crate) fn read_time(value: &str) -> Option<i64> {
    match json::unquote(value) {
        Some(text) => parse_date(&text),
        None => value.parse().ok().or_else(|| {
            let ms: f64 = value.parse().ok()?;
            // Beyond JavaScript's dates there is nothing to read.
            (ms.abs() <= LAST_DATE_MS as f64).then_some(ms.floor() as i64)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_every_form() {
        for (value, expected) in [
            ("1769817600123", Some(1_769_817_600_123)),
            ("1769817600123.0", Some(1_769_817_600_123)),
            ("\"2026-01-31T00:00:00.123Z\"", Some(1_769_817_600_123)),
            ("\"2026-01-31T00:00:00.123+00:00\"", Some(1_769_817_600_123)),
            ("null", None),
            ("\"soon\"", None),
            ("1e300", None),
            ("true", None),
        ] {
            assert_eq!(read_time(value), expected, "{value}");
        }
    }

    #[test]
    fn the_placeholders_of_mysql_are_in_the_order_of_the_text() {
        let mut slots = Slots::new(Dialect::Sqlite);
        let sql = assigned(SqlTime::NumberOrText, Dialect::Sqlite, "e", Moment::Expiry, &mut slots);
        assert!(sql.contains("THEN ?1 ") && sql.ends_with("?2 || '+00:00' END"), "{sql}");
        for form in [SqlTime::Timestamp, SqlTime::UtcDateTime, SqlTime::UtcTimestamp] {
            let mut slots = Slots::new(Dialect::MySql);
            let sql = assigned(form, Dialect::MySql, "e", Moment::Now, &mut slots);
            assert_eq!(sql.matches('?').count(), 1, "{sql}");
        }
    }
}
