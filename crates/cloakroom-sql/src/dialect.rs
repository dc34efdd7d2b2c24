//! What differs between the databases in the text of a statement.

use std::fmt;

/// A kind of database, and so the SQL that a [`SqlStore`](crate::SqlStore) sends to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL 12 or newer.
    Postgres,
    /// MySQL 8 or MariaDB 10.5, or newer.
    MySql,
    /// SQLite.
    Sqlite,
}

/// How the text of a session is stored: what the type of the column says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DataType {
    #[default]
    Text,
    /// `json` of PostgreSQL, which keeps the text.
    Json,
    /// `jsonb` of PostgreSQL and `json` of MySQL, which keep the meaning.
    Jsonb,
}

impl Dialect {
    /// Returns the name of a table or a column in quotes.
    pub(crate) fn quote(self, name: &str) -> String {
        match self {
            Self::MySql => format!("`{}`", name.replace('`', "``")),
            Self::Postgres | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// Returns an expression as text, in which every value is read.
    pub(crate) fn as_text(self, expression: &str) -> String {
        match self {
            Self::Postgres => format!("({expression})::text"),
            Self::MySql => format!("CAST({expression} AS CHAR)"),
            Self::Sqlite => format!("CAST({expression} AS TEXT)"),
        }
    }

    /// Returns an expression as bytes, which no collation compares.
    pub(crate) fn as_bytes(self, expression: &str) -> String {
        match self {
            // The check of the table refuses collations under which other texts are equal.
            Self::Postgres => expression.to_owned(),
            // A column can have another character set.
            Self::MySql => format!("CAST(CONVERT({expression} USING utf8mb4) AS BINARY)"),
            Self::Sqlite => format!("CAST({expression} AS TEXT) COLLATE BINARY"),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
            Self::Sqlite => "SQLite",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(Dialect::Postgres.quote("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(Dialect::Sqlite.quote("a`b"), "\"a`b\"");
        assert_eq!(Dialect::MySql.quote("a`; DROP"), "`a``; DROP`");
    }
}
