//! What SQLite says about the columns of the table. A type there is only a hint, but it tells what wrote the rows.

use crate::{expiry::ExpiryForm, table::Table};

/// Checks the types of the id and of the expiry. Returns the column that is wrong, and why.
pub(crate) fn check<'t>(table: &'t Table, id: &str, expiry: &str) -> Result<(), (&'t str, String)> {
    if affinity(id) == Affinity::Number {
        let why = format!(
            "has the type {id}, which changes an id that looks like a number; it must be TEXT"
        );
        return Err((&table.id.name, why));
    }
    let why = match table.expiry_form {
        form if form.is_number() && affinity(expiry) == Affinity::Text => {
            format!(
                "has the type {expiry}, which compares numbers as text; it must be INTEGER or REAL"
            )
        }
        // Both packages have a table `sessions` with the columns `sid`, `sess` and `expired`.
        ExpiryForm::RealMilliseconds if is_date(expiry) => {
            format!(
                "has the type {expiry}, in which connect-session-knex keeps dates as text: set counterpart=connect-session-knex"
            )
        }
        ExpiryForm::IsoText | ExpiryForm::SpacedText
            if affinity(expiry) != Affinity::Text && !is_date(expiry) =>
        {
            let found = match expiry {
                "" => "no type".to_owned(),
                expiry => format!("the type {expiry}"),
            };
            format!(
                "has {found}; it must be TEXT or DATETIME for dates as text. The table of connect-sqlite3, which has numbers, needs counterpart=connect-sqlite3"
            )
        }
        _ => return Ok(()),
    };
    Err((&table.expiry.name, why))
}

/// What a column of SQLite does to a value, by its type (sqlite.org/datatype3.html, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Affinity {
    /// A number becomes text.
    Text,
    /// Text that looks like a number becomes one.
    Number,
    Nothing,
}

fn affinity(sql_type: &str) -> Affinity {
    if has(sql_type, &["INT"]) {
        Affinity::Number
    } else if has(sql_type, &["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if has(sql_type, &["BLOB"]) || sql_type.is_empty() {
        Affinity::Nothing
    } else {
        Affinity::Number
    }
}

/// Returns true for `datetime`, `DATE`, `timestamp` and the like. Their affinity is that of numbers, but dates as text
/// stay text.
fn is_date(sql_type: &str) -> bool {
    has(sql_type, &["DATE", "TIME"])
}

fn has(sql_type: &str, parts: &[&str]) -> bool {
    let sql_type = sql_type.to_ascii_uppercase();
    parts.iter().any(|part| sql_type.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counterpart, Dialect};

    /// The types of the id and the expiry in the tables that the npm packages make.
    const MADE: [(Counterpart, &str, &str); 5] = [
        (Counterpart::ConnectSqlite3, "", ""),
        (Counterpart::ConnectSessionKnex, "varchar(255)", "datetime"),
        (Counterpart::BetterSqlite3SessionStore, "TEXT", "TEXT"),
        (Counterpart::ConnectSessionSequelize, "VARCHAR(36)", "DATETIME"),
        (Counterpart::ConnectTypeorm, "varchar(255)", "bigint"),
    ];

    #[test]
    fn the_table_of_each_package_is_taken_and_that_of_another_form_is_refused() {
        for (counterpart, id, expiry) in MADE {
            let table = counterpart.table(Dialect::Sqlite).unwrap();
            assert_eq!(check(&table, id, expiry), Ok(()), "{counterpart}");
            let declared = table.expiry.sql_type.split(' ').next().unwrap();
            assert_eq!(check(&table, id, declared), Ok(()), "{counterpart}");
        }
        let refused = |counterpart: Counterpart, expiry| {
            let table = counterpart.table(Dialect::Sqlite).unwrap();
            check(&table, "TEXT", expiry).unwrap_err().1
        };
        for expiry in ["datetime", "DATE", "timestamp"] {
            let why = refused(Counterpart::ConnectSqlite3, expiry);
            assert!(why.contains("counterpart=connect-session-knex"), "{why}");
        }
        for expiry in ["", "REAL", "INTEGER", "BLOB", "NUMERIC"] {
            for counterpart in [
                Counterpart::ConnectSessionKnex,
                Counterpart::BetterSqlite3SessionStore,
                Counterpart::ConnectSessionSequelize,
            ] {
                let why = refused(counterpart, expiry);
                assert!(why.contains("counterpart=connect-sqlite3"), "{why}");
            }
        }
    }
}
