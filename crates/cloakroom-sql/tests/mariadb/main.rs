//! What is stored in MariaDB: every promise of the contract, and what only this database does.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod locks;
mod odd;
mod shape;
mod suite;

use std::{sync::LazyLock, time::Duration};

use cloakroom_core::{Error, ErrorKind, SessionData};
use cloakroom_sql::{
    SqlOptions, SqlStore,
    sqlx::{self, Connection as _, MySqlConnection},
};
use cloakroom_test_support::{MariaDb, Wait, unique};

/// As it is installed. All tests share it; a static is never dropped, and the server ends with the test process.
static SERVER: LazyLock<MariaDb> =
    LazyLock::new(|| MariaDb::start_with(&["--max-connections=400"]).unwrap());

/// Set so that a client that takes its settings cuts texts, commits nothing, and is hours off.
static ODD: LazyLock<MariaDb> = LazyLock::new(|| {
    MariaDb::start_with(&[
        "--sql-mode=",
        "--autocommit=0",
        "--default-time-zone=+05:00",
        "--max-allowed-packet=1M",
        "--character-set-server=latin1",
        "--collation-server=latin1_swedish_ci",
    ])
    .unwrap()
});

/// A name of a table of its own, and a connection beside the store.
async fn table(server: &MariaDb) -> (String, MySqlConnection) {
    let name = unique("table").replace(['-', '.'], "_");
    let mut beside = MySqlConnection::connect(&server.url()).await.unwrap();
    run(&mut beside, "SET autocommit = 1").await;
    (name, beside)
}

async fn run(connection: &mut MySqlConnection, sql: &str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

fn open(server: &MariaDb, parameters: &str) -> SqlStore {
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    SqlStore::open_with(&format!("{}?{parameters}", server.url()), options).unwrap()
}

fn ann() -> SessionData {
    with("user", "ann")
}

fn with(name: &str, text: &str) -> SessionData {
    let mut session = SessionData::from_json(r#"{"cookie":{"originalMaxAge":null}}"#).unwrap();
    session.insert(name, text).unwrap();
    session
}

/// Returns the error, which must be one of this kind.
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, kind: ErrorKind) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(!error.outcome_unknown(), "{error}");
    error.to_string()
}
