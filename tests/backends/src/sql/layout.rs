//! How each npm store keeps a session in a row, as statements.

/// The statements for one table. They take the id, the text, and the milliseconds since 1970, in this order.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) insert: String,
    pub(super) select: String,
    pub(super) delete: String,
}

/// A database, by the scheme of its URL.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Database {
    Postgres,
    MariaDb,
    Sqlite,
}

/// A row of an npm store.
struct Row {
    table: &'static str,
    id: &'static str,
    data: &'static str,
    expiry: &'static str,
    /// The expiry from `MS`, and the milliseconds from `EXPIRY`.
    forms: [&'static str; 2],
    /// Further columns with their values.
    further: &'static [(&'static str, &'static str)],
    /// The column that is not NULL once the session was destroyed.
    destroyed: Option<&'static str>,
}

// `strftime` has the milliseconds of `%f`; `julianday` reads every form that SQLite has for a time.
const SQLITE_ISO: [&str; 2] =
    ["strftime('%Y-%m-%dT%H:%M:%fZ', MS / 1000.0, 'unixepoch')", SQLITE_MS];
const SQLITE_SPACED: [&str; 2] =
    ["strftime('%Y-%m-%d %H:%M:%f +00:00', MS / 1000.0, 'unixepoch')", SQLITE_MS];
const SQLITE_MS: &str = "CAST(round((julianday(EXPIRY) - 2440587.5) * 86400000.0) AS INTEGER)";
const POSTGRES_ZONED: [&str; 2] =
    ["to_timestamp(MS / 1000.0)", "(extract(epoch FROM EXPIRY) * 1000)::bigint"];
const MARIADB_DATE: [&str; 2] = [
    "TIMESTAMPADD(SECOND, MS DIV 1000, '1970-01-01')",
    "TIMESTAMPDIFF(SECOND, '1970-01-01', EXPIRY) * 1000",
];
const MILLISECONDS: [&str; 2] = ["MS", "EXPIRY"];

fn row(package: &str, database: Database) -> Option<Row> {
    use Database::{MariaDb, Postgres, Sqlite};
    Some(match (package, database) {
        ("connect-pg-simple", Postgres) => Row {
            table: "session",
            id: "sid",
            data: "sess",
            expiry: "expire",
            // Both sides of a test have the time zone of the server.
            forms: [
                "to_timestamp(ceil(MS / 1000.0))",
                "(extract(epoch FROM EXPIRY::timestamptz) * 1000)::bigint",
            ],
            further: &[],
            destroyed: None,
        },
        ("connect-session-knex", _) => Row {
            table: "sessions",
            id: "sid",
            data: "sess",
            expiry: "expired",
            forms: match database {
                Postgres => POSTGRES_ZONED,
                MariaDb => MARIADB_DATE,
                Sqlite => SQLITE_ISO,
            },
            further: &[],
            destroyed: None,
        },
        ("express-mysql-session", MariaDb) => Row {
            table: "sessions",
            id: "session_id",
            data: "data",
            expiry: "expires",
            forms: ["round(MS / 1000)", "CAST(EXPIRY AS SIGNED) * 1000"],
            further: &[],
            destroyed: None,
        },
        ("connect-sqlite3", Sqlite) => Row {
            table: "sessions",
            id: "sid",
            data: "sess",
            expiry: "expired",
            forms: ["MS * 1.0", "CAST(EXPIRY AS INTEGER)"],
            further: &[],
            destroyed: None,
        },
        ("better-sqlite3-session-store", Sqlite) => Row {
            table: "sessions",
            id: "sid",
            data: "sess",
            expiry: "expire",
            forms: SQLITE_ISO,
            further: &[],
            destroyed: None,
        },
        ("connect-session-sequelize", _) => Row {
            table: "Sessions",
            id: "sid",
            data: "data",
            expiry: "expires",
            forms: match database {
                Postgres => POSTGRES_ZONED,
                MariaDb => MARIADB_DATE,
                Sqlite => SQLITE_SPACED,
            },
            further: &[("createdAt", "CURRENT_TIMESTAMP"), ("updatedAt", "CURRENT_TIMESTAMP")],
            destroyed: None,
        },
        ("connect-typeorm", _) => Row {
            table: "session",
            id: "id",
            data: "json",
            expiry: "expiredAt",
            forms: MILLISECONDS,
            further: &[],
            destroyed: Some("destroyedAt"),
        },
        ("@quixo3/prisma-session-store", Postgres) => Row {
            table: "Session",
            id: "sid",
            data: "data",
            expiry: "expiresAt",
            forms: [
                "to_timestamp(MS / 1000.0) AT TIME ZONE 'UTC'",
                "(extract(epoch FROM EXPIRY AT TIME ZONE 'UTC') * 1000)::bigint",
            ],
            further: &[("id", "gen_random_uuid()")],
            destroyed: None,
        },
        _ => return None,
    })
}

impl Layout {
    pub(super) fn of(package: &str, url: &str, table: &str) -> Option<Self> {
        let database = match url.split(':').next()? {
            "postgres" => Database::Postgres,
            "mysql" => Database::MariaDb,
            "sqlite" => Database::Sqlite,
            _ => return None,
        };
        let row = row(package, database)?;
        let quote = |name: &str| match database {
            Database::MariaDb => format!("`{name}`"),
            _ => format!("\"{name}\""),
        };
        // A declared type is what the parameter is bound as; the column's own follows from the cast.
        let [sid, text, ms] = match database {
            Database::Postgres => ["$1::text", "$2::text", "$3::bigint"],
            _ => ["?", "?", "?"],
        };
        let text = match (row.data, database) {
            ("sess", Database::Postgres) => format!("({text})::json"),
            _ => text.to_owned(),
        };
        let table = quote(if table.is_empty() { row.table } else { table });
        let (id, data, expiry) = (quote(row.id), quote(row.data), quote(row.expiry));
        let [to_expiry, to_ms] = row.forms;
        let mut columns = format!("{id}, {data}, {expiry}");
        let mut values = format!("{sid}, {text}, {}", to_expiry.replace("MS", ms));
        for (column, value) in row.further {
            columns += &format!(", {}", quote(column));
            values += &format!(", {value}");
        }
        let ms = to_ms.replace("EXPIRY", &expiry);
        let data = match database {
            Database::Postgres => format!("{data}::text"),
            // The driver for any database reads a text of MariaDB as bytes otherwise.
            Database::MariaDb => format!("CONVERT({data} USING utf8mb4)"),
            Database::Sqlite => format!("CAST({data} AS TEXT)"),
        };
        // Two ids that a collation takes for one are two sessions.
        let is_id = match database {
            Database::MariaDb => format!("BINARY {id} = {sid}"),
            _ => format!("{id} = {sid}"),
        };
        let is_there = match row.destroyed {
            Some(column) => format!("{is_id} AND {} IS NULL", quote(column)),
            None => is_id.clone(),
        };
        Some(Self {
            insert: format!("INSERT INTO {table} ({columns}) VALUES ({values})"),
            select: format!("SELECT {data}, {ms} FROM {table} WHERE {is_there}"),
            delete: format!("DELETE FROM {table} WHERE {is_id}"),
        })
    }
}
