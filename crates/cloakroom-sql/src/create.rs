//! The statements that create a table.

use crate::{dialect::Dialect, table::Table};

impl Table {
    /// Returns the statements that create the table and its index on the expiry, if they do not exist yet. The option
    /// [`create_table`](crate::SqlOptions::create_table) runs them.
    #[must_use]
    pub fn create_statements(&self) -> Vec<String> {
        let mut columns = vec![&self.id, &self.expiry, &self.data];
        // connect-sqlite3 inserts by position: id, expiry, data. The others name their columns.
        columns.extend(self.further.iter().map(|(column, _)| column));
        let mut parts: Vec<_> = columns
            .iter()
            .map(|column| {
                format!("{} {}", self.dialect.quote(&column.name), column.sql_type)
                    .trim_end()
                    .to_owned()
            })
            .collect();
        parts.push(format!("PRIMARY KEY ({})", self.dialect.quote(&self.id.name)));
        let (index, table) = (self.dialect.quote(&self.index()), self.quoted());
        let expiry = self.dialect.quote(&self.expiry.name);
        if self.dialect == Dialect::MySql {
            // It has no `CREATE INDEX IF NOT EXISTS`.
            parts.push(format!("INDEX {index} ({expiry})"));
        }
        let create = format!("CREATE TABLE IF NOT EXISTS {table} ({})", parts.join(", "));
        if self.dialect == Dialect::MySql {
            return vec![create];
        }
        vec![create, format!("CREATE INDEX IF NOT EXISTS {index} ON {table} ({expiry})")]
    }

    /// The name of the index on the expiry, as connect-pg-simple makes it. MySQL refuses a longer one than 64 characters, and
    /// has the names of a table by themselves; PostgreSQL cuts it.
    fn index(&self) -> String {
        let name = format!("IDX_{}_{}", self.name, self.expiry.name);
        match self.dialect {
            Dialect::MySql => name.chars().take(64).collect::<String>().trim_end().to_owned(),
            Dialect::Postgres | Dialect::Sqlite => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Counterpart, Dialect};

    #[test]
    fn the_statements_make_the_table_of_the_npm_store() {
        for (counterpart, dialect, statements) in [
            (
                Counterpart::ConnectPgSimple,
                Dialect::Postgres,
                r#"CREATE TABLE IF NOT EXISTS "session" ("sid" varchar NOT NULL COLLATE "default", "expire" timestamp(6) NOT NULL, "sess" json NOT NULL, PRIMARY KEY ("sid")); CREATE INDEX IF NOT EXISTS "IDX_session_expire" ON "session" ("expire")"#,
            ),
            (
                Counterpart::ConnectSqlite3,
                Dialect::Sqlite,
                r#"CREATE TABLE IF NOT EXISTS "sessions" ("sid", "expired", "sess", PRIMARY KEY ("sid")); CREATE INDEX IF NOT EXISTS "IDX_sessions_expired" ON "sessions" ("expired")"#,
            ),
            (
                Counterpart::ExpressMysqlSession,
                Dialect::MySql,
                "CREATE TABLE IF NOT EXISTS `sessions` (`session_id` varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `expires` int(11) unsigned NOT NULL, `data` mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, PRIMARY KEY (`session_id`), INDEX `IDX_sessions_expires` (`expires`))",
            ),
        ] {
            let table = counterpart.table(dialect).unwrap();
            assert_eq!(table.create_statements().join("; "), statements, "{counterpart}");
        }
    }
}
