//! The npm stores whose tables are known.

use std::fmt;

use crate::{
    dialect::Dialect,
    expiry::{ExpiryForm, Rounding},
    table::{Column, Further, Table},
};

/// An npm store that keeps sessions in a table. Its name is the value of the URL parameter `counterpart`.
///
/// ```
/// use cloakroom_sql::{Counterpart, Dialect};
///
/// let table = Counterpart::ConnectPgSimple.table(Dialect::Postgres);
/// assert_eq!(table.map(|table| table.name).as_deref(), Some("session"));
/// // It knows no other database.
/// assert!(Counterpart::ConnectPgSimple.table(Dialect::Sqlite).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Counterpart {
    /// `connect-pg-simple`, on PostgreSQL.
    ConnectPgSimple,
    /// `connect-session-knex`, on PostgreSQL, MySQL and SQLite.
    ConnectSessionKnex,
    /// `express-mysql-session`, on MySQL.
    ExpressMysqlSession,
    /// `connect-sqlite3`, on SQLite.
    ConnectSqlite3,
    /// `better-sqlite3-session-store`, on SQLite.
    BetterSqlite3SessionStore,
    /// `connect-session-sequelize`, on PostgreSQL, MySQL and SQLite.
    ConnectSessionSequelize,
    /// `@quixo3/prisma-session-store`, on PostgreSQL.
    PrismaSessionStore,
    /// `connect-typeorm`, with the entity of its README, on PostgreSQL, MySQL and SQLite.
    ConnectTypeorm,
}

impl Counterpart {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ConnectPgSimple,
        Self::ConnectSessionKnex,
        Self::ExpressMysqlSession,
        Self::ConnectSqlite3,
        Self::BetterSqlite3SessionStore,
        Self::ConnectSessionSequelize,
        Self::PrismaSessionStore,
        Self::ConnectTypeorm,
    ];

    /// Returns the name of the npm package.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Self::ConnectPgSimple => "connect-pg-simple",
            Self::ConnectSessionKnex => "connect-session-knex",
            Self::ExpressMysqlSession => "express-mysql-session",
            Self::ConnectSqlite3 => "connect-sqlite3",
            Self::BetterSqlite3SessionStore => "better-sqlite3-session-store",
            Self::ConnectSessionSequelize => "connect-session-sequelize",
            Self::PrismaSessionStore => "@quixo3/prisma-session-store",
            Self::ConnectTypeorm => "connect-typeorm",
        }
    }

    /// Returns the one whose table a store has if its URL names none.
    #[must_use]
    pub const fn default_of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => Self::ConnectPgSimple,
            Dialect::MySql => Self::ExpressMysqlSession,
            Dialect::Sqlite => Self::ConnectSqlite3,
        }
    }

    /// Returns the description of its table, or `None` if it was not observed on this database.
    #[must_use]
    pub fn table(self, dialect: Dialect) -> Option<Table> {
        match (self, dialect) {
            (Self::ConnectPgSimple, Dialect::Postgres) => Some(pg_simple()),
            (Self::ConnectSessionKnex, _) => Some(knex(dialect)),
            (Self::ExpressMysqlSession, Dialect::MySql) => Some(mysql_session()),
            (Self::ConnectSqlite3, Dialect::Sqlite) => Some(sqlite3()),
            (Self::BetterSqlite3SessionStore, Dialect::Sqlite) => Some(better_sqlite3()),
            (Self::ConnectSessionSequelize, _) => Some(sequelize(dialect)),
            (Self::PrismaSessionStore, Dialect::Postgres) => Some(prisma()),
            (Self::ConnectTypeorm, _) => Some(typeorm(dialect)),
            _ => None,
        }
    }
}

impl fmt::Display for Counterpart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.package())
    }
}

/// A description by names and types: `name`, then id, data and expiry.
fn table(dialect: Dialect, name: &str, columns: [(&str, &str); 3], form: ExpiryForm) -> Table {
    let [id, data, expiry] = columns.map(|(name, sql_type)| Column::new(name, sql_type));
    Table::new(dialect, name, id, data, expiry, form)
}

fn pg_simple() -> Table {
    table(
        Dialect::Postgres,
        "session",
        [
            ("sid", "varchar NOT NULL COLLATE \"default\""),
            ("sess", "json NOT NULL"),
            ("expire", "timestamp(6) NOT NULL"),
        ],
        ExpiryForm::LocalTimestamp,
    )
    .with_rounding(Rounding::Up)
}

fn knex(dialect: Dialect) -> Table {
    let (expiry, form) = match dialect {
        Dialect::Postgres => ("timestamptz NOT NULL", ExpiryForm::TimestampTz),
        Dialect::MySql => ("datetime NOT NULL", ExpiryForm::DateTime),
        // Its own comparison, by `datetime`, is in whole seconds.
        Dialect::Sqlite => ("datetime NOT NULL", ExpiryForm::IsoText),
    };
    let id = id_type(dialect, "varchar(255)") + " NOT NULL";
    let columns = [("sid", &*id), ("sess", "json NOT NULL"), ("expired", expiry)];
    table(dialect, "sessions", columns, form).with_rounding(of_dates(dialect))
}

/// The type of an id: in MySQL, one under which no two ids are the same.
fn id_type(dialect: Dialect, sql_type: &str) -> String {
    match dialect {
        Dialect::MySql => format!("{sql_type} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
        Dialect::Postgres | Dialect::Sqlite => sql_type.to_owned(),
    }
}

/// The type of a session's text: `text` of MySQL ends at 65,535 bytes.
const fn text_type(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::MySql => "mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        Dialect::Postgres | Dialect::Sqlite => "text",
    }
}

/// How the date of an expiry is rounded: `datetime` of MySQL has whole seconds.
const fn of_dates(dialect: Dialect) -> Rounding {
    match dialect {
        Dialect::MySql => Rounding::Down,
        Dialect::Postgres | Dialect::Sqlite => Rounding::Exact,
    }
}

fn mysql_session() -> Table {
    let id = id_type(Dialect::MySql, "varchar(128)") + " NOT NULL";
    table(
        Dialect::MySql,
        "sessions",
        [
            ("session_id", &*id),
            ("data", text_type(Dialect::MySql)),
            ("expires", "int(11) unsigned NOT NULL"),
        ],
        ExpiryForm::Seconds,
    )
    .with_rounding(Rounding::Nearest)
}

fn sqlite3() -> Table {
    // It names no types. Its inserts go by the order of the columns, and `create_statements` has another one, so the
    // expiry stands between the id and the data there.
    table(
        Dialect::Sqlite,
        "sessions",
        [("sid", ""), ("sess", ""), ("expired", "")],
        ExpiryForm::RealMilliseconds,
    )
}

fn better_sqlite3() -> Table {
    // It reads `datetime('now') < datetime(expire)`, in whole seconds: rounded down, a session would end too soon.
    table(
        Dialect::Sqlite,
        "sessions",
        [("sid", "TEXT NOT NULL"), ("sess", "JSON NOT NULL"), ("expire", "TEXT NOT NULL")],
        ExpiryForm::IsoText,
    )
    .with_rounding(Rounding::Up)
    .with_live_at_expiry(false)
}

fn sequelize(dialect: Dialect) -> Table {
    let (time, form) = match dialect {
        Dialect::Postgres => ("timestamptz", ExpiryForm::TimestampTz),
        Dialect::MySql => ("datetime", ExpiryForm::DateTime),
        Dialect::Sqlite => ("datetime", ExpiryForm::SpacedText),
    };
    let stamp = format!("{time} NOT NULL");
    let id = id_type(dialect, "varchar(36)");
    let columns = [("sid", &*id), ("data", text_type(dialect)), ("expires", time)];
    table(dialect, "Sessions", columns, form)
        .with_rounding(of_dates(dialect))
        .add_further(Column::new("createdAt", &*stamp), Further::CreatedAt)
        .add_further(Column::new("updatedAt", &*stamp), Further::UpdatedAt)
}

fn prisma() -> Table {
    table(
        Dialect::Postgres,
        "Session",
        [
            ("sid", "text NOT NULL"),
            ("data", "text NOT NULL"),
            ("expiresAt", "timestamp(3) NOT NULL"),
        ],
        ExpiryForm::UtcTimestamp,
    )
    .with_live_at_expiry(false)
    .add_further(Column::new("id", "text NOT NULL UNIQUE"), Further::RowId)
}

fn typeorm(dialect: Dialect) -> Table {
    let destroyed = match dialect {
        Dialect::Postgres => "timestamp",
        Dialect::MySql => "datetime(6)",
        Dialect::Sqlite => "datetime",
    };
    let id = id_type(dialect, "varchar(255)") + " NOT NULL";
    let data = format!("{} NOT NULL", text_type(dialect));
    let columns = [("id", &*id), ("json", &*data), ("expiredAt", "bigint NOT NULL")];
    table(dialect, "session", columns, ExpiryForm::Milliseconds)
        .with_live_at_expiry(false)
        .add_further(Column::new("destroyedAt", destroyed), Further::DestroyedAt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counterpart_has_a_table_and_every_database_a_default() {
        for counterpart in Counterpart::ALL {
            let dialects = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];
            let tables: Vec<_> =
                dialects.iter().filter_map(|dialect| counterpart.table(*dialect)).collect();
            assert!(!tables.is_empty(), "{counterpart}");
            assert!(tables.iter().all(|table| table.check().is_ok()), "{counterpart}");
        }
        for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
            assert!(Counterpart::default_of(dialect).table(dialect).is_some(), "{dialect}");
        }
    }
}
