use std::{fs, time::Duration};

use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::{Clock, Error};
use cloakroom_sql::{Column as SqlColumn, Counterpart, Dialect, SqlOptions, SqlStore, Table};
use cloakroom_test_backends::{Harmed, One, RawSql};
use cloakroom_test_support::{MariaDb, Pg, Postgres, unique};

use super::{
    super::{
        Result,
        column::{Backend, Column},
        outcomes::Outcomes,
        round_trips::round_trips,
    },
    PATIENCE, SUITE, run, three,
};

const CRATE: &str = "cloakroom-sql";
/// The package that the mark of the crate names.
const MARK: &str = "connect-pg-simple";

/// Each case has some connections, and several run at once.
const MANY: [&str; 2] = ["-c", "max_connections=400"];

pub(super) async fn column() -> Result<Column> {
    let counted = Postgres::start_with(&["-c", "log_statement=all"])?;
    let store = store_at(&counted.url(), "session", Dialect::Postgres, PATIENCE)?;
    let mut seen = 0;
    let mut since_the_last_time = || {
        // A statement that is prepared already is one line, before it runs.
        let log = counted.log();
        let lines = log.lines().filter(|line| line.contains("LOG:  execute "));
        let all = lines.count();
        let since = all - seen;
        seen = all;
        Ok(since)
    };
    let round_trips = round_trips(&store, &mut since_the_last_time).await?;
    let log = counted.log();
    let version = log.split("starting PostgreSQL ").nth(1).and_then(|rest| rest.split(' ').next());
    let version = version.ok_or("PostgreSQL tells no version")?.to_owned();
    Ok(Column {
        name: "PostgreSQL",
        outcomes: run(Postgres::start_with(&MANY)?, on_postgres).await,
        round_trips,
        backend: Some(Backend::new(CRATE, format!("PostgreSQL {version}"), "sqlx")?),
    })
}

/// Where the suite runs on MariaDB.
const SUITE_ON_MARIADB: &str = "tests/mariadb/suite.rs";

pub(super) async fn mariadb() -> Result<Column> {
    let folder = tempfile::tempdir()?;
    let statements = folder.path().join("statements");
    let file = format!("--general-log-file={}", statements.display());
    let counted = MariaDb::start_with(&["--general-log", &file])?;
    let store = store_at(&counted.url(), "sessions", Dialect::MySql, PATIENCE)?;
    let mut seen = 0;
    let mut since_the_last_time = || {
        let all = fs::read_to_string(&statements)?.matches(" Execute\t").count();
        let since = all - seen;
        seen = all;
        Ok(since)
    };
    let round_trips = round_trips(&store, &mut since_the_last_time).await?;
    let log = counted.log();
    let version = log.split("Version: '").nth(1).and_then(|rest| rest.split('-').next());
    let server = format!("MariaDB {}", version.ok_or("MariaDB tells no version")?);
    Ok(Column {
        name: "MySQL, MariaDB",
        outcomes: Outcomes::declared(
            &store,
            CRATE,
            SUITE_ON_MARIADB,
            Some("express_mysql_session"),
        )
        .await?,
        round_trips,
        backend: Some(Backend::beside(CRATE, server, "sqlx", "express-mysql-session", MARK)?),
    })
}

pub(super) async fn sqlite() -> Result<Column> {
    let parent = tempfile::tempdir()?;
    let url = format!("sqlite:{}", parent.path().join("counted.db").display());
    let store = store_at(&url, "sessions", Dialect::Sqlite, PATIENCE)?;
    let round_trips = round_trips(&store, &mut || Ok(0)).await?;
    Ok(Column {
        name: "SQLite",
        outcomes: Outcomes::declared(&store, CRATE, SUITE, Some("sqlite3")).await?,
        round_trips,
        backend: Some(Backend::beside(
            CRATE,
            "SQLite, embedded".to_owned(),
            "sqlx",
            "connect-sqlite3",
            MARK,
        )?),
    })
}

/// The default counterpart's table under another name, with a text column: `json` refuses what some cases put there.
fn table(name: &str, dialect: Dialect) -> Option<Table> {
    let mut table = Counterpart::default_of(dialect).table(dialect)?.with_name(name);
    if dialect == Dialect::Postgres {
        table.data = SqlColumn::new("sess", "text NOT NULL");
    }
    Some(table)
}

/// Cases write records before the store has made its table.
fn statements(name: &str, dialect: Dialect) -> Vec<String> {
    table(name, dialect).map(|table| table.create_statements()).unwrap_or_default()
}

fn store_at(
    url: &str,
    name: &str,
    dialect: Dialect,
    deadline: Duration,
) -> std::result::Result<SqlStore, Error> {
    let options = SqlOptions::default().with_deadline(deadline).with_create_table(true);
    SqlStore::open_with(url, options.with_connections(4).with_table(table(name, dialect)))
}

fn on_postgres(server: &Postgres) -> StoreUnderTest {
    let (name, url) = (unique("case"), server.url());
    let raw = RawSql::new("connect-pg-simple", &*url, &name, Clock::system());
    let raw = raw.expect("its rows are known").in_text_column();
    let raw = raw.in_new_table(statements(&name, Dialect::Postgres));
    three(|part| store_at(&url, &format!("{name}{part}"), Dialect::Postgres, PATIENCE))
        .with_raw(raw)
        .with_faults(|| {
            Harmed::<One<Pg>>::start(|addr, deadline| {
                let url = format!("postgres://postgres@{addr}/postgres");
                Ok(Box::new(store_at(&url, "session", Dialect::Postgres, deadline)?))
            })
        })
}
