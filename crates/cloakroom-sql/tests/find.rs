//! The search by a value: in the rows of npm stores, and by the index.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::time::Duration;

use cloakroom_core::{ErrorKind, FindBy, SessionData, Store};
use cloakroom_sql::{
    Column, Counterpart, Dialect, SqlOptions, SqlStore,
    sqlx::{self, Connection as _, PgConnection, SqliteConnection},
};
use cloakroom_test_support::Postgres;
use futures::TryStreamExt;

const PATH: &str = "passport.user";

fn options() -> SqlOptions {
    SqlOptions::default().with_deadline(Duration::from_secs(60)).with_create_table(true)
}

fn of(user: &str) -> SessionData {
    let text = format!(r#"{{"cookie":{{"originalMaxAge":null}},"passport":{{"user":{user}}}}}"#);
    SessionData::from_json(text).unwrap()
}

/// Returns the ids of what is found, or `None` if no index tells.
async fn found(store: &SqlStore, value: &str) -> Option<Vec<String>> {
    let found = FindBy::find(store, PATH, value).await.unwrap()?;
    let mut ids: Vec<_> = found.map_ok(|listed| listed.id).try_collect().await.unwrap();
    ids.sort();
    Some(ids)
}

/// The server says how it ran each statement.
#[tokio::test]
#[ignore = "needs postgres"]
async fn a_search_reads_the_index_and_not_the_table() {
    let explained =
        ["-c", "session_preload_libraries=auto_explain", "-c", "auto_explain.log_min_duration=0"];
    let server = Postgres::start_with(&explained).unwrap();
    let store = SqlStore::open_with(&server.url(), options()).unwrap();
    store.set("theirs", &of("7")).await.unwrap();
    assert_eq!(found(&store, "7").await, None, "before the index");
    store.create_index(PATH).await.unwrap();
    let mut beside = PgConnection::connect(&server.url()).await.unwrap();
    let others = "INSERT INTO session (sid, sess, expire) SELECT 'id' || n, ('{\"cookie\":{},\"passport\":{\"user\":' || n + 100 || '}}')::json, \
        now() + interval '1 day' FROM generate_series(1, 2000) n";
    sqlx::query(others).execute(&mut beside).await.unwrap();
    let lines_before = server.log().lines().count();
    assert_eq!(found(&store, "7").await, Some(vec!["theirs".to_owned()]));
    let log = server.log();
    let since: Vec<_> = log.lines().skip(lines_before).collect();
    assert!(since.iter().any(|line| line.contains("using cloakroom_passport_user_")), "{since:?}");
    assert!(!since.iter().any(|line| line.contains("Seq Scan on session")), "{since:?}");
    // connect-pg-simple parses such a record once more.
    let quoted = "INSERT INTO session (sid, sess, expire) VALUES ('quoted', to_json('{\"cookie\":{},\"passport\":{\"user\":7}}'::text), now() + interval '1 day')";
    sqlx::query(quoted).execute(&mut beside).await.unwrap();
    assert_eq!(found(&store, "7").await.unwrap(), ["quoted", "theirs"]);
    in_a_column_of_binary_json(&server).await;
}

async fn in_a_column_of_binary_json(server: &Postgres) {
    let mut table = Counterpart::ConnectPgSimple.table(Dialect::Postgres).unwrap();
    table = table.with_name("binary");
    table.data = Column::new("sess", "jsonb NOT NULL");
    let store = SqlStore::open_with(&server.url(), options().with_table(table.clone())).unwrap();
    store.create_index(PATH).await.unwrap();
    for (sid, user) in [("a", "7"), ("b", "7.0"), ("c", "\"7\""), ("d", "[7]"), ("e", "null")] {
        store.set(sid, &of(user)).await.unwrap();
    }
    assert_eq!(found(&store, "7").await.unwrap(), ["a", "b"]);
    assert_eq!(found(&store, "\"7\"").await.unwrap(), ["c"]);
    assert_eq!(found(&store, "[7]").await, None);
    table = table.with_name("text");
    table.data = Column::new("sess", "text NOT NULL");
    let store = SqlStore::open_with(&server.url(), options().with_table(table)).unwrap();
    let error = store.create_index(PATH).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("only json or jsonb"), "{error}");
    assert_eq!(found(&store, "7").await, None);
}

/// What is not JSON can be written with the index, and hides no session.
#[tokio::test]
async fn a_row_that_sqlite_cannot_look_into_is_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.db");
    let store = SqlStore::open_with(&format!("sqlite:{}", file.display()), options()).unwrap();
    store.create_index(PATH).await.unwrap();
    store.set("theirs", &of("7")).await.unwrap();
    let mut beside =
        SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let quoted = "'\"{\\\"cookie\\\":{},\\\"passport\\\":{\\\"user\\\":7}}\"'";
    for (sid, data) in [("text", "'not JSON'"), ("blob", "x'ff00'"), ("quoted", quoted)] {
        let sql = format!(
            "INSERT INTO sessions (sid, expired, sess) VALUES ('{sid}', 4102444800000, {data})"
        );
        sqlx::query(&sql).execute(&mut beside).await.unwrap();
    }
    let listed = FindBy::find(&store, PATH, "7").await.unwrap().unwrap();
    let listed: Vec<_> = futures::StreamExt::collect(listed).await;
    let mut ids: Vec<_> = listed.iter().flatten().map(|listed| &*listed.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["quoted", "theirs"]);
    let errors: Vec<_> = listed.iter().filter_map(|listed| listed.as_ref().err()).collect();
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Corrupt), "{errors:?}");
    assert_eq!(errors.len(), 2);
}
