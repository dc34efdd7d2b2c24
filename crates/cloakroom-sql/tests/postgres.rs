//! What only PostgreSQL does: its types, its time zones, several processes that create a table.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{sync::LazyLock, time::Duration};

use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, SessionData, Store, Touched, Updated,
};
use cloakroom_sql::{
    SqlOptions, SqlStore,
    sqlx::{self, Connection as _, PgConnection, PgPool, Row as _},
};
use cloakroom_test_support::{Postgres, unique};
use futures::TryStreamExt;

static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start().unwrap());

/// A name of a table of its own, and a connection beside the store.
async fn table() -> (String, PgConnection) {
    let name = unique("table").replace(['-', '.'], "_");
    (name, PgConnection::connect(&SERVER.url()).await.unwrap())
}

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::query(sql).execute(connection).await.unwrap();
}

fn open(parameters: &str) -> SqlStore {
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    SqlStore::open_with(&format!("{}?{parameters}", SERVER.url()), options).unwrap()
}

fn ann() -> SessionData {
    SessionData::from_json(r#"{"cookie":{"originalMaxAge":null},"user":"ann"}"#).unwrap()
}

/// Returns the error, which must be one of this kind.
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, kind: ErrorKind) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(!error.outcome_unknown(), "{error}");
    error.to_string()
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_missing_table_is_an_error_that_says_how_to_create_it() {
    let (name, mut beside) = table().await;
    let store = open(&format!("table={name}"));
    let error = refused(store.get("id").await, ErrorKind::Config);
    let (_, statements) = error.split_once("or with: ").unwrap();
    assert!(error.contains("createTable=true"), "{error}");
    for statement in statements.split("; ") {
        run(&mut beside, statement).await;
    }
    store.set("id", &ann()).await.unwrap();
    // It is looked for again when it is gone.
    run(&mut beside, &format!("DROP TABLE {name}")).await;
    refused(store.get("id").await, ErrorKind::Config);
    let creates = open(&format!("table={name}&createTable=true"));
    assert_eq!(creates.get("id").await.unwrap(), None);
    run(&mut beside, &format!("DROP TABLE {name}")).await;
    refused(creates.get("id").await, ErrorKind::Config);
    assert_eq!(creates.get("id").await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_wrong_column_is_an_error_that_names_it() {
    for (columns, message) in [
        ("sess json, expire timestamp", "the column \"sid\" of the table"),
        ("sid integer, sess json, expire timestamp", "the column \"sid\""),
        ("sid char(32), sess json, expire timestamp", "the column \"sid\""),
        ("sid text, sess bytea, expire timestamp", "the column \"sess\""),
        ("sid text, sess json, expire timestamptz", "the column \"expire\""),
        ("sid text, sess json, expire bigint", "has the type bigint; it must be timestamp without"),
        ("sid text COLLATE folded, sess json, expire timestamp", "must be deterministic"),
        ("sid text, sess json, expire timestamp", "the column of the id needs a unique index"),
    ] {
        let (name, mut beside) = table().await;
        run(
            &mut beside,
            "CREATE COLLATION IF NOT EXISTS folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        )
        .await;
        run(&mut beside, &format!("CREATE TABLE {name} ({columns})")).await;
        let error =
            refused(open(&format!("table={name}")).set("id", &ann()).await, ErrorKind::Config);
        assert!(error.contains(message), "{columns}: {error}");
    }
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn what_the_table_or_its_schema_refuses_is_told() {
    let store = open("schema=nowhere&createTable=true");
    let error = refused(store.get("id").await, ErrorKind::Config);
    assert!(error.contains("the schema of the table does not exist"), "{error}");
    for (column, part) in
        [("shop integer NOT NULL", "needs a value"), ("shop integer DEFAULT 1 UNIQUE", "unique")]
    {
        let (name, mut beside) = table().await;
        let columns = "sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL";
        run(&mut beside, &format!("CREATE TABLE {name} ({columns}, {column})")).await;
        let store = open(&format!("table={name}"));
        store.set("other", &ann()).await.ok();
        let error = refused(store.set("id", &ann()).await, ErrorKind::Config);
        assert!(error.contains(part), "{column}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgres"]
async fn several_processes_create_the_table_at_once() {
    for _ in 0..5 {
        let (name, _) = table().await;
        let stores = (0..8).map(|_| open(&format!("table={name}&createTable=true&connections=1")));
        let calls: Vec<_> = stores
            .map(|store| tokio::spawn(async move { store.set("id", &ann()).await }))
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
    }
}

/// What the connections of Node.js do with a zone is `SET timezone`, and what the store sends is `AT TIME ZONE`.
#[tokio::test]
#[ignore = "needs postgres"]
async fn a_zone_without_a_slash_is_taken_if_it_means_one_zone() {
    let (_, mut beside) = table().await;
    let sql = "SELECT name FROM pg_timezone_names WHERE name !~ '/'";
    let names = sqlx::query(sql).fetch_all(&mut beside).await.unwrap();
    let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
    let mut refused = Vec::new();
    for name in names {
        let url = format!("{}?timeZone={}", SERVER.url(), name.replace('+', "%2B"));
        if SqlStore::open(&url).is_err() {
            refused.push(name);
            continue;
        }
        run(&mut beside, &format!("SET timezone TO '{name}'")).await;
        let sql = format!(
            "SELECT bool_and(t::timestamp = t AT TIME ZONE '{name}') FROM \
             generate_series('2000-01-01'::timestamptz, '2030-01-01', '30 days') t"
        );
        let row = sqlx::query(&sql).fetch_one(&mut beside).await.unwrap();
        assert!(row.get::<bool, _>(0), "{name}");
    }
    // The last two are not zones of anybody.
    let known = ["CET", "EET", "EST", "HST", "MET", "MST", "WET", "Factory", "posixrules"];
    refused.retain(|name| !known.contains(&&**name));
    assert!(refused.is_empty(), "{refused:?}");
}

/// `to_timestamp`, as connect-pg-simple calls it, converts to the zone of its connection.
#[tokio::test]
#[ignore = "needs postgres"]
async fn a_local_time_is_that_of_the_connections_of_node() {
    let (name, mut beside) = table().await;
    let clock = Clock::fixed(4_102_444_800_500);
    let berlin =
        open_with(&format!("table={name}&createTable=true&timeZone=Europe/Berlin"), &clock);
    berlin.set("id", &ann()).await.unwrap();
    let sql = format!("SELECT expire::text FROM {name}");
    let row = sqlx::query(&sql).fetch_one(&mut beside).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "2100-01-02 01:00:01");
    clock.advance(86_400_000);
    assert!(berlin.get("id").await.unwrap().is_some());
    clock.advance(1_000);
    assert!(berlin.get("id").await.unwrap().is_none());
    // Without the parameter, what is set for the role counts.
    run(&mut beside, "CREATE ROLE traveller LOGIN SUPERUSER").await;
    run(&mut beside, "ALTER ROLE traveller SET timezone TO 'Asia/Tokyo'").await;
    let url = SERVER.url().replace("postgres@", "traveller@");
    let tokyo = SqlStore::open_with(
        &format!("{url}?table={name}"),
        SqlOptions::default().with_clock(Clock::fixed(4_102_444_800_500)),
    )
    .unwrap();
    tokyo.set("id", &ann()).await.unwrap();
    let row = sqlx::query(&sql).fetch_one(&mut beside).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "2100-01-02 09:00:01");
}

/// On that day, 00:50 UTC was 02:50 in Berlin and 01:10 UTC was 02:10. Where connect-pg-simple compares the column with
/// `to_timestamp`, PostgreSQL takes a time that comes twice for the later one.
#[tokio::test]
#[ignore = "needs postgres"]
async fn a_session_lives_through_the_hour_in_which_the_clocks_go_back() {
    let (name, mut beside) = table().await;
    let clock = Clock::fixed(1_761_439_800_000);
    let url = format!("table={name}&createTable=true&timeZone=Europe/Berlin");
    let store = open_with(&url, &clock);
    let mut session = ann();
    session.set_max_age(Duration::from_secs(1_200), clock.now_ms()).unwrap();
    store.set("id", &session).await.unwrap();
    run(&mut beside, "SET timezone TO 'Europe/Berlin'").await;
    let of_node = format!("SELECT count(*) FROM {name} WHERE expire >= to_timestamp(1761439800)");
    assert_eq!(number(&mut beside, &of_node).await, 1);
    assert_eq!(store.remove_expired().await.unwrap(), 0);
    let mut read = store.get("id").await.unwrap().unwrap();
    assert!(matches!(store.create("id", &session).await.unwrap(), Created::Exists));
    assert_eq!(store.touch("id", &session).await.unwrap(), Touched::Extended);
    read.insert("a", 1).unwrap();
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Stored(_)));
    let listed: Vec<_> = store.all().try_collect().await.unwrap();
    assert_eq!(listed[0].time_left, Some(Duration::from_secs(1_200)));
    clock.advance(1_201_000);
    assert_eq!(store.get("id").await.unwrap(), None);
    assert_eq!(store.remove_expired().await.unwrap(), 1);
}

fn open_with(parameters: &str, clock: &Clock) -> SqlStore {
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    let url = format!("{}?{parameters}", SERVER.url());
    SqlStore::open_with(&url, options.with_clock(clock.clone())).unwrap()
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_jsonb_column_keeps_the_meaning_and_refuses_what_it_cannot_keep() {
    let (name, mut beside) = table().await;
    let columns = "sid varchar(40) PRIMARY KEY, sess jsonb NOT NULL, expire timestamp(6) NOT NULL";
    run(&mut beside, &format!("CREATE TABLE {name} ({columns})")).await;
    let store = open(&format!("table={name}"));
    let text = r#"{"cookie":{"originalMaxAge":null},"z":1.0,"a":12345678901234567890}"#;
    store.set("id", &SessionData::from_json(text).unwrap()).await.unwrap();
    let mut read = store.get("id").await.unwrap().unwrap();
    assert_eq!(read.get_json("z"), Some("1.0"));
    assert_eq!(read.get_json("a"), Some("12345678901234567890"));
    read.insert("b", 1).unwrap();
    let Updated::Stored(revision) = store.update("id", &read).await.unwrap() else { panic!() };
    read.mark_stored(revision);
    read.insert("b", 2).unwrap();
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Stored(_)));
    run(&mut beside, &format!("UPDATE {name} SET sess = sess || '{{\"node\":1}}'")).await;
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Conflict(_)));
    for value in [r#""\u0000""#, r#""\ud83d""#] {
        let text = format!(r#"{{"cookie":{{"originalMaxAge":null}},"a":{value}}}"#);
        let session = SessionData::from_json(text).unwrap();
        refused(store.set("other", &session).await, ErrorKind::InvalidData);
        assert_eq!(store.get("other").await.unwrap(), None);
    }
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn nothing_is_cut_to_fit_a_column() {
    let (name, mut beside) = table().await;
    let columns = "sid varchar(36) PRIMARY KEY, data varchar(60), expires timestamptz, \"createdAt\" timestamptz NOT NULL, \"updatedAt\" timestamptz NOT NULL";
    run(&mut beside, &format!("CREATE TABLE {name} ({columns})")).await;
    let store = open(&format!("table={name}&counterpart=connect-session-sequelize"));
    store.set(&"é".repeat(36), &ann()).await.unwrap();
    assert!(store.get(&"é".repeat(36)).await.unwrap().is_some());
    refused(store.set(&"é".repeat(37), &ann()).await, ErrorKind::InvalidId);
    refused(store.get(&"x".repeat(37)).await, ErrorKind::InvalidId);
    refused(store.get("a\0b").await, ErrorKind::InvalidId);
    let mut long = ann();
    long.insert("text", "x".repeat(60)).unwrap();
    refused(store.set("id", &long).await, ErrorKind::TooLarge);
    assert_eq!(store.get("id").await.unwrap(), None);
}

/// connect-typeorm marks a row, and never brings it back.
#[tokio::test]
#[ignore = "needs postgres"]
async fn a_row_that_was_marked_as_destroyed_is_no_session() {
    let (name, mut beside) = table().await;
    let store = open(&format!("table={name}&counterpart=connect-typeorm&createTable=true"));
    store.set("id", &ann()).await.unwrap();
    let read = store.get("id").await.unwrap().unwrap();
    store.destroy("id").await.unwrap();
    let sql = format!("SELECT \"destroyedAt\" IS NOT NULL FROM {name}");
    assert!(sqlx::query(&sql).fetch_one(&mut beside).await.unwrap().get::<bool, _>(0));
    assert_eq!(store.get("id").await.unwrap(), None);
    assert_eq!(store.touch("id", &read).await.unwrap(), Touched::Missing);
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Gone));
    assert_eq!(store.get_and_touch("id", None).await.unwrap(), None);
    store.set("id", &ann()).await.unwrap();
    assert!(store.get("id").await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_text_in_a_json_string_is_read_and_updated() {
    let (name, mut beside) = table().await;
    let store = open(&format!("table={name}&createTable=true"));
    store.set("id", &ann()).await.unwrap();
    let quoted = r#""{\"cookie\":{},\"user\":\"ann\"}""#;
    run(&mut beside, &format!("UPDATE {name} SET sess = '{quoted}'")).await;
    let mut read = store.get("id").await.unwrap().unwrap();
    assert_eq!(read.get::<String>("user").unwrap().as_deref(), Some("ann"));
    read.insert("user", "bob").unwrap();
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Stored(_)));
    assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Conflict(_)));
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_store_on_the_pool_of_an_application_leaves_it_usable() {
    let (name, _) = table().await;
    let pool = PgPool::connect(&SERVER.url()).await.unwrap();
    let table = cloakroom_sql::Counterpart::ConnectPgSimple
        .table(cloakroom_sql::Dialect::Postgres)
        .unwrap()
        .with_name(&name);
    let options = SqlOptions::default().with_table(table).with_create_table(true);
    let store = SqlStore::with_postgres_pool(pool.clone(), options).unwrap();
    for number in 0..50 {
        store.set(&format!("id-{number}"), &ann()).await.unwrap();
        // Dropped in the middle of the call.
        drop(tokio::time::timeout(Duration::from_micros(50), store.get("id-1")).await);
    }
    assert!(store.get("id-49").await.unwrap().is_some());
    sqlx::query("SELECT 1").execute(&pool).await.unwrap();
}

/// The server counts transactions, and a statement is one. What it takes to connect and to prepare is the same in both
/// runs.
#[tokio::test]
#[ignore = "needs postgres"]
async fn every_call_is_one_statement() {
    let (_, mut beside) = table().await;
    // It would be counted, too.
    run(&mut beside, "ALTER SYSTEM SET autovacuum = off").await;
    run(&mut beside, "SELECT pg_reload_conf()").await;
    assert_eq!(
        transactions(&mut beside, "twice", 2).await - transactions(&mut beside, "once", 1).await,
        7
    );
}

/// Returns the number of transactions of a store in a database of its own, which makes these calls.
async fn transactions(beside: &mut PgConnection, database: &str, rounds: usize) -> i64 {
    run(beside, &format!("CREATE DATABASE {database}")).await;
    let url = SERVER.url();
    let (server, _) = url.rsplit_once('/').unwrap();
    let url = format!("{server}/{database}?createTable=true&connections=1");
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    let store = SqlStore::open_with(&url, options).unwrap();
    for _ in 0..rounds {
        store.set("id", &ann()).await.unwrap();
        let mut read = store.get("id").await.unwrap().unwrap();
        assert_eq!(store.touch("id", &ann()).await.unwrap(), Touched::Extended);
        assert!(store.get_and_touch("id", None).await.unwrap().is_some());
        read.insert("a", 1).unwrap();
        assert!(matches!(store.update("id", &read).await.unwrap(), Updated::Stored(_)));
        assert!(matches!(store.create("new", &ann()).await.unwrap(), Created::Stored(_)));
        store.destroy("new").await.unwrap();
    }
    drop(store);
    // A connection reports what it has done before it ends. One query would ask for the two in any order.
    let of = |column: &str| {
        format!("SELECT {column}::int8 FROM pg_stat_database WHERE datname = '{database}'")
    };
    let connections = of("numbackends");
    while number(beside, &connections).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    number(beside, &of("xact_commit")).await
}

async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query(sql).fetch_one(connection).await.unwrap().get(0)
}
