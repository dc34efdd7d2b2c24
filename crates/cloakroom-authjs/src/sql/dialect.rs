//! What differs between the databases in the text of a statement.

use std::fmt;

use cloakroom_core::Error;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    MySql,
    Sqlite,
}

impl Dialect {
    /// Returns the name of a table or a column in quotes.
    pub(crate) fn quote(self, name: &str) -> String {
        match self {
            Self::MySql => format!("`{}`", name.replace('`', "``")),
            Self::Postgres | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// Returns the name of a table in quotes, with its schema if it has one.
    pub(crate) fn table(self, schema: Option<&str>, name: &str) -> String {
        match schema {
            Some(schema) => format!("{}.{}", self.quote(schema), self.quote(name)),
            None => self.quote(name),
        }
    }

    /// Returns an array of these expressions as JSON text.
    pub(crate) fn json_array(self, expressions: &[String]) -> String {
        let expressions = expressions.join(", ");
        match self {
            Self::Postgres => format!("json_build_array({expressions})::text"),
            Self::MySql => format!("JSON_ARRAY({expressions})"),
            Self::Sqlite => format!("json_array({expressions})"),
        }
    }

    /// Returns an expression that no collation compares.
    pub(super) fn bytes(self, expression: &str) -> String {
        match self {
            Self::Postgres => format!("{expression}::text COLLATE \"C\""),
            // The column can have another character set.
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

/// Rejects a name that no table and no column can have.
pub(crate) fn check_names<'n>(
    store: &'static str,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<(), Error> {
    let is_wrong = |name: &str| name.is_empty() || name.contains(|c: char| c.is_control());
    if names.into_iter().any(is_wrong) {
        let why = "the names of tables and columns must not be empty or contain control characters";
        return Err(cloakroom_backend::invalid_option(store, "tables", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(Dialect::Postgres.quote("a\"; DROP"), "\"a\"\"; DROP\"");
        assert_eq!(Dialect::MySql.table(Some("a`b"), "c"), "`a``b`.`c`");
        for name in ["", "a\0b", "a\nb"] {
            assert!(check_names("sql", ["fine", name]).is_err(), "{name:?}");
        }
    }
}
