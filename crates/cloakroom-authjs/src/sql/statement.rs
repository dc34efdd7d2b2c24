//! The text of a statement, and the values that it is sent with.

use cloakroom_core::to_iso_string;

use super::dialect::Dialect;

/// A time that a statement writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Expiry,
    Now,
}

/// A value that a statement is sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Token,
    /// In milliseconds since 1970.
    Milliseconds(Moment),
    /// As `2026-01-31T00:00:00.123`, which is UTC.
    Iso(Moment),
}

/// The slots of a statement while its text is written, in the order of the text.
pub(crate) struct Slots {
    dialect: Dialect,
    slots: Vec<Slot>,
}

impl Slots {
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self { dialect, slots: Vec::new() }
    }

    /// Returns the placeholder of a value.
    pub(crate) fn place(&mut self, slot: Slot) -> String {
        let known = self.slots.iter().position(|known| *known == slot);
        let number = known.unwrap_or(self.slots.len()) + 1;
        // The placeholders of MySQL have no numbers.
        if known.is_none() || self.dialect == Dialect::MySql {
            self.slots.push(slot);
        }
        match self.dialect {
            Dialect::Postgres => format!("${number}"),
            Dialect::MySql => "?".to_owned(),
            Dialect::Sqlite => format!("?{number}"),
        }
    }

    /// Returns the condition that a column is the token, byte for byte.
    pub(crate) fn is_token(&mut self, column: &str) -> String {
        let dialect = self.dialect;
        // The first comparison finds the row by the index, and the second one is not up to a collation.
        let first = format!("{column} = {}", self.place(Slot::Token));
        let second = dialect.bytes(&self.place(Slot::Token));
        format!("{first} AND {} = {second}", dialect.bytes(column))
    }

    /// Returns a statement with this text.
    pub(crate) fn statement(self, sql: String, reads: bool) -> Statement {
        Statement { sql, slots: self.slots, reads }
    }
}

/// A statement. One that reads answers one text.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(super) sql: String,
    pub(super) slots: Vec<Slot>,
    pub(super) reads: bool,
}

/// The values of a call. Each statement takes those that it needs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Values<'v> {
    pub(crate) token: &'v str,
    pub(crate) expires_at_ms: i64,
    pub(crate) now_ms: i64,
}

/// A value as a client binds it.
pub(super) enum Value {
    Text(String),
    Number(i64),
}

impl<'v> Values<'v> {
    /// Returns the values of a call that writes no time.
    pub(crate) fn of(token: &'v str) -> Self {
        Self { token, ..Self::default() }
    }

    pub(super) fn value(&self, slot: Slot) -> Value {
        let ms = |moment| match moment {
            Moment::Expiry => self.expires_at_ms,
            Moment::Now => self.now_ms,
        };
        match slot {
            Slot::Token => Value::Text(self.token.to_owned()),
            Slot::Milliseconds(moment) => Value::Number(ms(moment)),
            Slot::Iso(moment) => {
                // A number of milliseconds where JavaScript has no date.
                let iso = to_iso_string(ms(moment)).unwrap_or_else(|| ms(moment).to_string());
                Value::Text(iso.trim_end_matches('Z').to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_byte_for_byte() {
        let condition = |dialect: Dialect| {
            let mut slots = Slots::new(dialect);
            (slots.is_token("t"), slots.slots.len())
        };
        let postgres = "t = $1 AND t::text COLLATE \"C\" = $1::text COLLATE \"C\"";
        assert_eq!(condition(Dialect::Postgres), (postgres.to_owned(), 1));
        let sqlite = "t = ?1 AND CAST(t AS TEXT) COLLATE BINARY = CAST(?1 AS TEXT) COLLATE BINARY";
        assert_eq!(condition(Dialect::Sqlite), (sqlite.to_owned(), 1));
        assert_eq!(condition(Dialect::MySql).1, 2);
    }
}
