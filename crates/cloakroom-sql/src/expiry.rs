//! How a table keeps the time at which a session expires.

use cloakroom_core::{LAST_DATE_MS, parse_date, to_iso_string};

use crate::dialect::Dialect;

/// The last millisecond of the year 9999. Beyond it, SQLite's `datetime` answers NULL, and MySQL refuses the value.
const LAST_OF_9999_MS: i64 = 253_402_300_799_999;

/// The form in which a column keeps a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpiryForm {
    /// `timestamptz` of PostgreSQL.
    TimestampTz,
    /// `timestamp` of PostgreSQL without a time zone, in the zone of the connections of Node.js; see
    /// [`SqlOptions::time_zone`](crate::SqlOptions::time_zone).
    LocalTimestamp,
    /// `timestamp` of PostgreSQL without a time zone, in UTC.
    UtcTimestamp,
    /// `datetime` or `timestamp` of MySQL, in UTC.
    DateTime,
    /// A number of seconds since 1970.
    Seconds,
    /// A whole number of milliseconds since 1970.
    Milliseconds,
    /// A floating-point number of milliseconds since 1970, as SQLite's REAL.
    RealMilliseconds,
    /// Text such as `2100-01-01T00:00:00.500Z`, which SQLite compares by its function `datetime`, in whole seconds.
    IsoText,
    /// Text such as `2100-01-01 00:00:00.500 +00:00`, which SQLite compares as text.
    SpacedText,
}

/// How a time is rounded before it is stored, and the current time before it is compared with a stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rounding {
    /// Not at all: it has milliseconds.
    Exact,
    /// Up to a whole second.
    Up,
    /// Down to a whole second.
    Down,
    /// To the nearest second, half a second up.
    Nearest,
}

/// A time as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Time {
    Number(i64),
    Real(f64),
    Text(String),
}

impl Rounding {
    pub(crate) fn of(self, ms: i64) -> i64 {
        let down = |ms: i64| ms.div_euclid(1_000).saturating_mul(1_000);
        match self {
            Self::Exact => ms,
            Self::Up => down(ms.saturating_add(999)),
            Self::Down => down(ms),
            Self::Nearest => down(ms.saturating_add(500)),
        }
    }
}

impl ExpiryForm {
    /// Returns the last time that the form can hold. A later expiry becomes this one.
    pub(crate) const fn last_ms(self) -> i64 {
        match self {
            Self::DateTime | Self::IsoText | Self::SpacedText => LAST_OF_9999_MS,
            _ => LAST_DATE_MS,
        }
    }

    /// Returns true if the column holds a number.
    pub(crate) const fn is_number(self) -> bool {
        matches!(self, Self::Seconds | Self::Milliseconds | Self::RealMilliseconds)
    }

    /// Returns what SQLite's `typeof` answers for a column of this form. A column can turn whole numbers into floating-point
    /// ones and the other way round.
    pub(crate) const fn kinds(self) -> &'static str {
        if self.is_number() { "'integer', 'real'" } else { "'text'" }
    }

    /// Returns a time in this form, as it is sent to the database.
    pub(crate) fn time(self, ms: i64) -> Time {
        match self {
            Self::TimestampTz | Self::LocalTimestamp | Self::UtcTimestamp => {
                Time::Real(ms as f64 / 1_000.0)
            }
            Self::Seconds => Time::Number(ms.div_euclid(1_000)),
            Self::Milliseconds => Time::Number(ms),
            Self::RealMilliseconds => Time::Real(ms as f64),
            Self::DateTime => Time::Text(iso(ms).replace('T', " ").replace('Z', "")),
            Self::IsoText => Time::Text(iso(ms)),
            Self::SpacedText => Time::Text(iso(ms).replace('T', " ").replace('Z', " +00:00")),
        }
    }

    /// Returns the SQL for the value of a column that is sent as `argument`. `zone` is a literal, for
    /// [`LocalTimestamp`](Self::LocalTimestamp).
    pub(crate) fn sent(self, argument: &str, zone: &str) -> String {
        match self {
            Self::TimestampTz => format!("to_timestamp({argument})"),
            Self::LocalTimestamp => format!("(to_timestamp({argument}) AT TIME ZONE {zone})"),
            Self::UtcTimestamp => format!("(to_timestamp({argument}) AT TIME ZONE 'UTC')"),
            Self::DateTime => format!("CAST({argument} AS DATETIME(3))"),
            _ => argument.to_owned(),
        }
    }

    /// Returns the SQL of the end of a session, from its column, to be compared with [`now`](Self::now).
    ///
    /// In the hour before the clocks go back, a local time that comes is below the current one, so it is compared as the
    /// moment that PostgreSQL takes it for, as connect-pg-simple does.
    pub(crate) fn ends(self, column: &str, zone: &str) -> String {
        match self {
            Self::LocalTimestamp => format!("({column} AT TIME ZONE {zone})"),
            Self::IsoText => format!("datetime({column})"),
            _ => column.to_owned(),
        }
    }

    /// Returns the SQL of the current time, which is sent as `argument`.
    pub(crate) fn now(self, argument: &str, zone: &str) -> String {
        match self {
            Self::LocalTimestamp => Self::TimestampTz.sent(argument, zone),
            Self::IsoText => format!("datetime({argument})"),
            _ => self.sent(argument, zone),
        }
    }

    /// Returns a condition that every expired row meets and for which PostgreSQL uses an index on the column, or `None` if
    /// it does so for [`ends`](Self::ends). No zone sets its clocks back by more than three hours.
    pub(crate) fn may_have_ended(self, column: &str, argument: &str, zone: &str) -> Option<String> {
        (self == Self::LocalTimestamp)
            .then(|| format!("{column} < {} + interval '3 hours'", self.sent(argument, zone)))
    }

    /// Returns the SQL that reads a column as text, which [`read`](Self::read) understands.
    pub(crate) fn selected(self, dialect: Dialect, column: &str, zone: &str) -> String {
        // The column can hold `infinity`, which has no milliseconds.
        let epoch = |moment: String| {
            let ms = format!("floor(extract(epoch FROM {moment}) * 1000)::bigint");
            dialect.as_text(&format!("CASE WHEN isfinite({column}) THEN {ms} END"))
        };
        match self {
            Self::TimestampTz => epoch(column.to_owned()),
            Self::LocalTimestamp => epoch(format!("({column} AT TIME ZONE {zone})")),
            Self::UtcTimestamp => epoch(format!("({column} AT TIME ZONE 'UTC')")),
            Self::DateTime => dialect
                .as_text(&format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {column}) DIV 1000")),
            _ => dialect.as_text(column),
        }
    }

    /// Returns the time in a text that was [`selected`](Self::selected), or `None` if it is not a time.
    pub(crate) fn read(self, text: &str) -> Option<i64> {
        match self {
            Self::TimestampTz
            | Self::LocalTimestamp
            | Self::UtcTimestamp
            | Self::DateTime
            | Self::Milliseconds => text.parse().ok(),
            Self::Seconds => text.parse::<i64>().ok()?.checked_mul(1_000),
            Self::RealMilliseconds => text.parse::<f64>().ok().map(|ms| ms as i64),
            Self::IsoText => parse_date(text),
            Self::SpacedText => {
                let text = text.strip_suffix(" +00:00")?.replacen(' ', "T", 1);
                parse_date(&format!("{text}Z"))
            }
        }
    }
}

fn iso(ms: i64) -> String {
    // Every caller has made it a date of JavaScript; the last one stands in for others.
    to_iso_string(ms).unwrap_or_else(|| "9999-12-31T23:59:59.999Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 4_102_444_800_500;

    #[test]
    fn times_have_the_form_of_the_npm_store() {
        for (form, expected) in [
            (ExpiryForm::TimestampTz, Time::Real(4_102_444_800.5)),
            (ExpiryForm::Seconds, Time::Number(4_102_444_800)),
            (ExpiryForm::Milliseconds, Time::Number(NOW)),
            (ExpiryForm::RealMilliseconds, Time::Real(4_102_444_800_500.0)),
            (ExpiryForm::IsoText, Time::Text("2100-01-01T00:00:00.500Z".to_owned())),
            (ExpiryForm::SpacedText, Time::Text("2100-01-01 00:00:00.500 +00:00".to_owned())),
            (ExpiryForm::DateTime, Time::Text("2100-01-01 00:00:00.500".to_owned())),
        ] {
            assert_eq!(form.time(NOW), expected, "{form:?}");
            // MySQL gives milliseconds back.
            if form == ExpiryForm::DateTime {
                continue;
            }
            if let Time::Text(text) = expected {
                assert_eq!(form.read(&text), Some(NOW), "{form:?}");
            }
        }
    }

    #[test]
    fn a_rounding_never_turns_two_times_round() {
        for rounding in [Rounding::Exact, Rounding::Up, Rounding::Down, Rounding::Nearest] {
            let mut last = i64::MIN;
            for ms in -1_500..1_500 {
                assert!(rounding.of(ms) >= last);
                last = rounding.of(ms);
            }
        }
        assert_eq!(Rounding::Up.of(1), 1_000);
        assert_eq!(Rounding::Nearest.of(1_499), 1_000);
        assert_eq!(Rounding::Nearest.of(1_500), 2_000);
        assert_eq!(Rounding::Down.of(-1), -1_000);
        assert_eq!(Rounding::Up.of(i64::MAX) / 1_000, i64::MAX / 1_000);
    }
}
