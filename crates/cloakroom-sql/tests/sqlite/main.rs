//! What only SQLite does: a file that several processes share, and a database in memory.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

mod forms;
mod writers;

use std::{pin::pin, time::Duration};

use cloakroom_core::{Atomic, Clock, Created, Enumerate, ErrorKind, SessionData, Store, Updated};
use cloakroom_sql::{
    Column, Counterpart, Dialect, ExpiryForm, SqlOptions, SqlStore, Table,
    sqlx::{
        self, ConnectOptions as _, Row as _, SqliteConnection,
        sqlite::{SqliteConnectOptions, SqlitePoolOptions},
    },
};
use futures::{StreamExt, TryStreamExt, poll};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};

fn url(folder: &TempDir, parameters: &str) -> String {
    format!("sqlite://{}/sessions.db{parameters}", folder.path().display())
}

fn ann() -> SessionData {
    SessionData::from_json(r#"{"cookie":{"originalMaxAge":null},"user":"ann"}"#).unwrap()
}

async fn beside(folder: &TempDir) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.path().join("sessions.db"));
    options.create_if_missing(true).connect().await.unwrap()
}

#[tokio::test]
async fn a_file_is_made_at_once_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    SqlStore::open(&url(&folder, "")).unwrap().set("id", &ann()).await.unwrap();
    let again = SqlStore::open(&url(&folder, "?createTable=false")).unwrap();
    assert_eq!(again.get("id").await.unwrap(), Some(ann()));
    let row = sqlx::query("PRAGMA journal_mode").fetch_one(&mut beside(&folder).await).await;
    assert_eq!(row.unwrap().get::<String, _>(0), "wal");
}

#[tokio::test]
async fn without_create_table_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&folder, "?createTable=false")).unwrap();
    let error = store.get("id").await.unwrap_err();
    assert_eq!(error.to_string(), "sql: get: the file cannot be opened");
    drop(beside(&folder).await);
    let error = store.get("id").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("or with: CREATE TABLE"), "{error}");
    let mut beside = beside(&folder).await;
    sqlx::query("CREATE TABLE sessions (sid PRIMARY KEY, sess)")
        .execute(&mut beside)
        .await
        .unwrap();
    let error = store.get("id").await.unwrap_err().to_string();
    assert!(error.contains("the column \"expired\" of the table \"sessions\" does not"), "{error}");
}

/// SQLite returns the row of an update before it commits, and so before it checks a deferred foreign key.
#[tokio::test]
async fn a_touch_that_is_not_committed_is_an_error() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::fixed(4_102_444_800_500));
    let mut beside = beside(&folder).await;
    for sql in [
        "CREATE TABLE allowed (expired PRIMARY KEY)",
        "INSERT INTO allowed VALUES (4102531200500)",
        "CREATE TABLE sessions (sid PRIMARY KEY, sess, \
            expired REFERENCES allowed DEFERRABLE INITIALLY DEFERRED)",
    ] {
        sqlx::query(sql).execute(&mut beside).await.unwrap();
    }
    let options = SqlOptions::default().with_clock(clock.clone());
    let store = SqlStore::open_with(&url(&folder, ""), options).unwrap();
    store.set("id", &ann()).await.unwrap();
    assert_eq!(store.get_and_touch("id", None).await.unwrap(), Some(ann()));
    clock.advance(1_000);
    store.get_and_touch("id", None).await.unwrap_err();
    clock.advance(86_399_500);
    assert_eq!(store.get("id").await.unwrap(), None, "it was not extended");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sessions.db"), "not a database, but longer than its head")
        .unwrap();
    let error = SqlStore::open(&url(&folder, "")).unwrap().get("id").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_database_in_memory_is_one_for_all_runtimes() {
    let store = SqlStore::open("sqlite::memory:").unwrap();
    runtime().block_on(store.set("id", &ann())).unwrap();
    let other = Builder::new_multi_thread().enable_all().build().unwrap();
    assert_eq!(other.block_on(store.get("id")).unwrap(), Some(ann()));
}

/// A runtime on which a call waits, and that nobody runs any more, has no connection that others wait for.
#[test]
fn a_runtime_that_stands_still_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (still, running) = (runtime(), runtime());
    for url in ["sqlite::memory:", &url(&folder, "?connections=1")] {
        let store = SqlStore::open(url).unwrap();
        still.block_on(store.set("id", &ann())).unwrap();
        running.block_on(store.get("id")).unwrap();
        // The thread of SQLite can be quick.
        let begin = |runtime: &Runtime| loop {
            let mut call = Box::pin(store.get("id"));
            if runtime.block_on(async { poll!(&mut call) }).is_pending() {
                break call;
            }
        };
        let first = begin(&running);
        // In memory, it waits for the first one; a file has a connection for each runtime.
        let waits = begin(&still);
        assert!(running.block_on(first).unwrap().is_some());
        assert!(running.block_on(store.get("id")).unwrap().is_some(), "{url}");
        assert!(still.block_on(waits).unwrap().is_some());
    }
}

#[tokio::test]
async fn calls_that_are_dropped_lose_no_database_in_memory() {
    let store = SqlStore::open("sqlite::memory:").unwrap();
    store.set("id", &ann()).await.unwrap();
    for micros in 0..100 {
        let call = store.get_and_touch("id", None);
        drop(tokio::time::timeout(Duration::from_micros(micros), call).await);
    }
    assert_eq!(store.get("id").await.unwrap(), Some(ann()));
}

/// A writer that holds the lock for longer than a call waits.
#[tokio::test]
async fn a_lock_that_is_not_released_is_a_timeout_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&folder, "?deadline=500")).unwrap();
    store.set("id", &ann()).await.unwrap();
    let mut beside = beside(&folder).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut beside).await.unwrap();
    let error = store.set("new", &ann()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(store.get("id").await.unwrap().is_some(), "readers do not wait");
    sqlx::query("ROLLBACK").execute(&mut beside).await.unwrap();
    store.set("other", &ann()).await.unwrap();
    assert!(error.outcome_unknown() || store.get("new").await.unwrap().is_none());
}

/// SQLite's own limit of a file belongs to a connection, so the store has the pool of an application here.
#[tokio::test]
async fn a_full_file_is_full_and_the_old_record_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteConnectOptions::new().filename(folder.path().join("sessions.db"));
    let one = SqlitePoolOptions::new().max_connections(1);
    let pool = one.connect_with(file.create_if_missing(true)).await.unwrap();
    let options = SqlOptions::default().with_create_table(true);
    let store = SqlStore::with_sqlite_pool(pool.clone(), options).unwrap();
    store.set("the-id", &ann()).await.unwrap();
    let limit = async |pages: &str| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        sqlx::raw_sql(&sql).execute(&pool).await.unwrap();
    };
    // It is at least what the file has.
    limit("1").await;
    let mut large = store.get("the-id").await.unwrap().unwrap();
    large.insert("text", "x".repeat(100_000)).unwrap();
    for error in [
        store.set("the-id", &large).await.unwrap_err(),
        store.create("another", &large).await.unwrap_err(),
        store.update("the-id", &large).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert!(!error.outcome_unknown(), "{error}");
    }
    assert_eq!(store.get("the-id").await.unwrap(), Some(ann()));
    assert_eq!(store.get("another").await.unwrap(), None);
    // A logout needs no room.
    store.set("other", &ann()).await.unwrap();
    store.destroy("other").await.unwrap();
    limit("1000000").await;
    assert!(matches!(store.update("the-id", &large).await.unwrap(), Updated::Stored(_)));
}

/// The statement of a call that was dropped may still wait for a lock, and a later call does not wait behind it.
#[tokio::test]
async fn a_dropped_call_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    let store = SqlStore::open_with(&url(&folder, ""), options).unwrap();
    store.set("id", &ann()).await.unwrap();
    let mut beside = beside(&folder).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut beside).await.unwrap();
    let session = ann();
    let mut write = Box::pin(store.set("id", &session));
    assert!(poll!(&mut write).is_pending());
    drop(write);
    let read = tokio::time::timeout(Duration::from_secs(20), store.get("id")).await;
    assert!(read.unwrap().unwrap().is_some());
    sqlx::query("ROLLBACK").execute(&mut beside).await.unwrap();
}

/// SQLite itself does not wait for the lock under which a file gets its log.
#[tokio::test]
async fn the_first_call_waits_while_another_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    let store = SqlStore::open_with(&url(&folder, ""), options).unwrap();
    let mut beside = beside(&folder).await;
    for sql in ["PRAGMA journal_mode = DELETE", "CREATE TABLE other (a)", "BEGIN IMMEDIATE"] {
        sqlx::query(sql).execute(&mut beside).await.unwrap();
    }
    let session = ann();
    let mut write = Box::pin(store.set("id", &session));
    // Long enough for some attempts, but for a machine that is too busy to make one.
    let early = tokio::time::timeout(Duration::from_millis(200), &mut write).await;
    assert!(early.is_err(), "{early:?}");
    sqlx::query("COMMIT").execute(&mut beside).await.unwrap();
    write.await.unwrap();
    assert!(store.get("id").await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_not_text_is_an_error_of_its_row_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&url(&folder, "")).unwrap();
    store.set("a", &ann()).await.unwrap();
    store.set("d", &ann()).await.unwrap();
    for row in ["'b', CAST(x'ff' AS TEXT)", "CAST(x'63ff' AS TEXT), '{}'", "5, '{}'", "x'61', '{}'"]
    {
        let sql = format!("INSERT INTO sessions (sid, sess, expired) VALUES ({row}, 1e15)");
        sqlx::query(&sql).execute(&mut beside(&folder).await).await.unwrap();
    }
    assert_eq!(store.get("b").await.unwrap_err().kind(), ErrorKind::Corrupt);
    let ids: Vec<_> = store.ids().map(|id| id.map_err(|error| error.kind())).collect().await;
    let ok = |sid: &str| Ok(sid.to_owned());
    assert_eq!(ids, [ok("a"), ok("b"), Err(ErrorKind::Corrupt), ok("d")]);
    let all: Vec<_> = store.all().map_ok(|listed| listed.id).collect().await;
    let all: Vec<_> = all.into_iter().map(Result::ok).collect();
    assert_eq!(all, [Some("a".to_owned()), None, None, Some("d".to_owned())]);
}

#[tokio::test]
async fn a_column_that_changes_what_is_written_is_refused() {
    for (columns, message) in [
        ("sid INTEGER PRIMARY KEY, expired, sess", "the column \"sid\""),
        ("sid NUMERIC PRIMARY KEY, expired, sess", "which changes an id that looks like a number"),
        ("sid TEXT PRIMARY KEY, expired VARCHAR(20), sess", "the column \"expired\""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let sql = format!("CREATE TABLE sessions ({columns})");
        sqlx::query(&sql).execute(&mut beside(&folder).await).await.unwrap();
        let error = SqlStore::open(&url(&folder, "")).unwrap().get("id").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{columns}");
        assert!(error.to_string().contains(message), "{columns}: {error}");
    }
}

#[tokio::test]
async fn any_deadline_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    for milliseconds in [u64::MAX / 2_000_000, 1_000_000_000_000] {
        let store = SqlStore::open(&url(&folder, &format!("?deadline={milliseconds}"))).unwrap();
        store.set("id", &ann()).await.unwrap();
    }
}

#[test]
fn pruning_without_timers_is_an_error() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let store = SqlStore::open("sqlite::memory:").unwrap();
    let mut errors = Vec::new();
    runtime.block_on(async {
        let mut pruning =
            pin!(store.remove_expired_every(Duration::ZERO, |error| errors.push(error.kind())));
        assert!(poll!(pruning.as_mut()).is_pending() && poll!(pruning).is_pending());
    });
    assert_eq!(errors, [ErrorKind::Config]);
}

/// Under such a collation, an insert meets the row of another id.
#[tokio::test]
async fn an_id_that_the_collation_takes_for_another_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE sessions (sid TEXT COLLATE NOCASE PRIMARY KEY, expired, sess)";
    sqlx::query(sql).execute(&mut beside(&folder).await).await.unwrap();
    let store = SqlStore::open(&url(&folder, "")).unwrap();
    store.set("AbC", &ann()).await.unwrap();
    assert_eq!(store.get("aBc").await.unwrap(), None);
    let mut bob = ann();
    bob.insert("user", "bob").unwrap();
    let error = store.set("aBc", &bob).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidId, "{error}");
    store.destroy("aBc").await.unwrap();
    assert_eq!(store.get("AbC").await.unwrap(), Some(ann()));
}

#[tokio::test]
async fn expired_rows_are_pruned_in_batches_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(4_102_444_800_500);
    let options = SqlOptions::default().with_clock(clock.clone()).with_durable(false);
    let store = SqlStore::open_with(&url(&folder, ""), options).unwrap();
    store.set("id-0", &ann()).await.unwrap();
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
        INSERT INTO sessions SELECT 'id-' || i, 4102444800499.0, '{}' FROM n";
    sqlx::query(sql).execute(&mut beside(&folder).await).await.unwrap();
    assert_eq!(store.length().await.unwrap(), 1);
    assert_eq!(store.remove_expired().await.unwrap(), 2_500);
    assert_eq!(store.remove_expired().await.unwrap(), 0);
    clock.advance(86_400_001);
    let pruned = async {
        let (mut beside, sql) = (beside(&folder).await, "SELECT count(*) FROM sessions");
        while sqlx::query(sql).fetch_one(&mut beside).await.unwrap().get::<i64, _>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = store.remove_expired_every(Duration::ZERO, |error| panic!("{error}")) => {}
        () = pruned => {}
    }
}

#[tokio::test]
async fn a_browser_session_lives_for_the_option_ttl() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(1_750_000_000_000);
    let options = SqlOptions::default().with_clock(clock.clone());
    let options = options.with_ttl(Duration::from_secs(60));
    let store = SqlStore::open_with(&url(&folder, ""), options).unwrap();
    let mut hour = ann();
    hour.cookie_mut().set_max_age_ms(Some(3_600_000), clock.now_ms()).unwrap();
    store.set("browser", &ann()).await.unwrap();
    store.set("hour", &hour).await.unwrap();
    for (passed, live) in [(58_000, [true, true]), (4_000, [false, true])] {
        clock.advance(passed);
        let found = [store.get("browser").await.unwrap(), store.get("hour").await.unwrap()];
        assert_eq!(found.map(|session| session.is_some()), live);
    }
}

/// Beyond the year 9999, `datetime` of SQLite answers NULL, and Node.js never finds the row again.
#[tokio::test]
async fn an_expiry_beyond_the_range_is_the_last_one() {
    for counterpart in [Counterpart::ConnectSessionKnex, Counterpart::BetterSqlite3SessionStore] {
        let folder = tempfile::tempdir().unwrap();
        let table = counterpart.table(Dialect::Sqlite).unwrap();
        let column = table.expiry.name.clone();
        let options = SqlOptions::default().with_table(table);
        let store = SqlStore::open_with(&url(&folder, ""), options).unwrap();
        let text = r#"{"cookie":{"originalMaxAge":1,"expires":"+010000-01-01T00:00:00.000Z"}}"#;
        store.set("id", &SessionData::from_json(text).unwrap()).await.unwrap();
        assert!(store.get("id").await.unwrap().is_some(), "{counterpart}");
        let sql = format!("SELECT {column} FROM sessions");
        let row = sqlx::query(&sql).fetch_one(&mut beside(&folder).await).await.unwrap();
        assert!(row.get::<String, _>(0).starts_with("9999-12-31T23:59:59."), "{counterpart}");
    }
}

#[tokio::test]
async fn a_table_of_ones_own_is_a_description() {
    let table = Table::new(
        Dialect::Sqlite,
        "log\"ins",
        Column::new("the id", "TEXT NOT NULL"),
        Column::new("session", "TEXT NOT NULL"),
        Column::new("ends at", "INTEGER NOT NULL"),
        ExpiryForm::Seconds,
    )
    .with_rounding(cloakroom_sql::Rounding::Up);
    let folder = tempfile::tempdir().unwrap();
    let options = SqlOptions::default().with_table(table);
    let store = SqlStore::open_with(&url(&folder, ""), options).unwrap();
    assert!(matches!(store.create("id", &ann()).await.unwrap(), Created::Stored(_)));
    assert!(matches!(store.create("id", &ann()).await.unwrap(), Created::Exists));
    assert_eq!(store.get("id").await.unwrap(), Some(ann()));
}
