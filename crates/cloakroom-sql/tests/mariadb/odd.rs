//! A server with odd settings: time zone, strict mode, autocommit, character set. And the pool of an application, whose
//! settings are its own.

use cloakroom_core::{Atomic, Clock, Created, Enumerate, Store, Touched, Updated};
use cloakroom_sql::{
    Column, Counterpart, Dialect, ExpiryForm, Rounding, Table,
    sqlx::{Executor as _, MySqlPool, Row as _, mysql::MySqlPoolOptions},
};

use futures::TryStreamExt as _;

use super::*;

/// The last moment of a `timestamp`.
const IN_2038: &str = "2038-01-19 03:14:07";

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_date_is_in_utc_whatever_the_zone_of_the_server() {
    let clock = Clock::fixed(1_700_000_000_500);
    for time in ["datetime", "timestamp"] {
        let (name, mut beside) = table(&ODD).await;
        let table = Table::new(
            Dialect::MySql,
            &*name,
            Column::new("id", "varchar(40) CHARACTER SET utf8mb4 NOT NULL"),
            Column::new("session", "text CHARACTER SET utf8mb4 NOT NULL"),
            Column::new("ends", format!("{time} NULL")),
            ExpiryForm::DateTime,
        );
        let options = |table: &Table| {
            let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
            options.with_clock(clock.clone()).with_create_table(true).with_table(table.clone())
        };
        // It would be rounded by the database.
        let exact = SqlStore::open_with(&ODD.url(), options(&table)).unwrap();
        let error = refused(exact.set("id", &ann()).await, ErrorKind::Config);
        assert!(error.contains("datetime(3)"), "{error}");
        let table = table.with_rounding(Rounding::Down);
        let store = SqlStore::open_with(&ODD.url(), options(&table)).unwrap();
        store.set("id", &ann()).await.unwrap();
        let sql = format!("SELECT CAST(ends AS CHAR) FROM {name}");
        let read = sqlx::query(&sql).fetch_one(&mut beside).await.unwrap();
        assert_eq!(read.get_unchecked::<String, _>(0), "2023-11-15 22:13:20");
        assert_eq!(time_left(&store).await, Duration::from_millis(86_399_500));
        // A century is too long for `timestamp`.
        let text = r#"{"cookie":{"originalMaxAge":null,"expires":"2123-01-01T00:00:00.000Z"}}"#;
        store.set("id", &SessionData::from_json(text).unwrap()).await.unwrap();
        let read = sqlx::query(&sql).fetch_one(&mut beside).await.unwrap();
        assert_eq!(read.get_unchecked::<String, _>(0) == IN_2038, time == "timestamp");
    }
}

/// The time that the only session has left.
async fn time_left(store: &SqlStore) -> Duration {
    let listed: Vec<_> = store.all().try_collect().await.unwrap();
    let [listed] = &*listed else { panic!("not one session") };
    listed.time_left.unwrap()
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_session_that_no_packet_holds_is_too_large() {
    let (name, _) = table(&ODD).await;
    let store = open(&ODD, &format!("table={name}&createTable=true"));
    let error =
        refused(store.set("id", &with("text", &"x".repeat(1 << 20))).await, ErrorKind::TooLarge);
    assert!(error.contains("max_allowed_packet"), "{error}");
    let large = with("text", &"x".repeat((1 << 20) - 8_192));
    store.set("id", &large).await.unwrap();
    assert_eq!(store.get("id").await.unwrap(), Some(large));
}

/// The old text and the new one together are longer than a packet.
#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_session_of_almost_a_packet_can_be_updated() {
    let (name, _) = table(&ODD).await;
    let store = open(&ODD, &format!("table={name}&createTable=true"));
    let text = |letter: &str| letter.repeat((1 << 20) - 8_192);
    store.set("id", &with("text", &"é".repeat(500_000))).await.unwrap();
    let mut read = store.get("id").await.unwrap().unwrap();
    let before = read.clone();
    read.insert("text", text("b")).unwrap();
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Stored(_)));
    let current = store.get("id").await.unwrap().unwrap();
    assert_eq!(current, read);
    assert!(matches!(store.update("id", &before).await.unwrap(), Updated::Conflict(_)));
    // A session that has ended is removed if it is still the same.
    for (mut session, is_removed) in [(before, false), (current, true)] {
        session.cookie_mut().set_max_age_ms(Some(0), Clock::system().now_ms()).unwrap();
        store.update("id", &session).await.unwrap();
        assert_eq!(store.get("id").await.unwrap().is_none(), is_removed);
    }
}

fn on(pool: &MySqlPool, name: &str) -> SqlStore {
    let table = Counterpart::ExpressMysqlSession.table(Dialect::MySql).unwrap().with_name(name);
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    let options = options.with_table(table).with_create_table(true);
    SqlStore::with_mysql_pool(pool.clone(), options).unwrap()
}

fn pool(set: &'static str) -> MySqlPoolOptions {
    MySqlPoolOptions::new().max_connections(1).after_connect(move |connection, _| {
        Box::pin(async move { connection.execute(set).await.map(drop) })
    })
}

#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_pool_that_would_cut_or_lose_a_write_is_refused() {
    let (name, _) = table(&ODD).await;
    for (set, message) in [
        ("SET sql_mode = 'STRICT_ALL_TABLES'", "without autocommit"),
        ("SET autocommit = 1", "without strict mode"),
        (
            "SET autocommit = 1, sql_mode = 'STRICT_TRANS_TABLES', NAMES latin1",
            "another character set",
        ),
    ] {
        let pool = pool(set).connect(&ODD.url()).await.unwrap();
        let error = refused(on(&pool, &name).set("id", &ann()).await, ErrorKind::Config);
        assert!(error.contains(message), "{set}: {error}");
    }
}

/// The only connection of the pool counts what the store sends.
#[tokio::test]
#[ignore = "needs mariadb-server"]
async fn a_call_is_one_statement_and_get_and_touch_two() {
    let (name, _) = table(&ODD).await;
    let set = "SET autocommit = 1, sql_mode = 'STRICT_ALL_TABLES'";
    let pool = pool(set).connect(&ODD.url()).await.unwrap();
    let store = on(&pool, &name);
    store.ping().await.unwrap();
    let mut before = sent(&pool).await;
    let mut since = async || {
        let sent = sent(&pool).await;
        std::mem::replace(&mut before, sent).abs_diff(sent)
    };
    store.set("id", &ann()).await.unwrap();
    assert_eq!(since().await, 1, "set");
    let mut read = store.get("id").await.unwrap().unwrap();
    assert_eq!(since().await, 1, "get");
    assert_eq!(store.touch("id", &ann()).await.unwrap(), Touched::Extended);
    assert_eq!(since().await, 1, "touch");
    assert!(store.get_and_touch("id", None).await.unwrap().is_some());
    assert_eq!(since().await, 2, "get_and_touch");
    assert_eq!(store.get_and_touch("none", None).await.unwrap(), None);
    assert_eq!(since().await, 1, "get_and_touch of none");
    read.insert("a", 1).unwrap();
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Stored(_)));
    assert_eq!(since().await, 1, "update");
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Conflict(_)));
    assert_eq!(since().await, 2, "an update that meets a conflict");
    assert!(matches!(store.create("new", &ann()).await.unwrap(), Created::Stored(_)));
    assert_eq!(store.create("new", &ann()).await.unwrap(), Created::Exists);
    assert_eq!(since().await, 2, "two creates");
    store.destroy("new").await.unwrap();
    assert_eq!(since().await, 1, "destroy");
    // A call that is dropped in the middle takes its connection along, and the pool makes another one.
    for _ in 0..20 {
        drop(tokio::time::timeout(Duration::from_micros(50), store.get("id")).await);
    }
    assert!(store.get("id").await.unwrap().is_some());
    assert_eq!(pool.size(), 1);
}

/// Returns how many statements the connection of a pool has carried out.
async fn sent(pool: &MySqlPool) -> u64 {
    let rows = sqlx::raw_sql("SHOW SESSION STATUS LIKE 'Com_stmt_execute'");
    let row = rows.fetch_one(pool).await.unwrap();
    row.get_unchecked::<String, _>(1).parse().unwrap()
}
