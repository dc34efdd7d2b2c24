//! What becomes of a connection that PostgreSQL, another transaction or a caller holds up, and of the call on it.

#![allow(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{pin::pin, sync::LazyLock, time::Duration};

use cloakroom_backend::{Idempotency, within};
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, SessionData, Store, Touched,
};
use cloakroom_sql::{
    Counterpart, Dialect, SqlOptions, SqlStore,
    sqlx::{self, Connection as _, PgConnection, Row as _, postgres::PgPoolOptions},
};
use cloakroom_test_support::{Postgres, unique};
use futures::{TryStreamExt, poll};

static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start().unwrap());
/// Its settings change.
static CHANGING: LazyLock<Postgres> = LazyLock::new(|| Postgres::start().unwrap());

/// A table of its own, and a role of its own, by which the server tells the connections of the store from others.
struct Place {
    server: &'static Postgres,
    name: String,
    beside: PgConnection,
    /// Sees what the others wait for.
    watch: PgConnection,
}

impl Place {
    async fn new() -> Self {
        Self::on(&SERVER).await
    }

    async fn on(server: &'static Postgres) -> Self {
        let name = unique("place").replace(['-', '.'], "_");
        let connect = || async { PgConnection::connect(&server.url()).await.unwrap() };
        let mut place = Self { server, name, beside: connect().await, watch: connect().await };
        place.run("CREATE ROLE @ LOGIN SUPERUSER").await;
        place
    }

    /// A statement, in which `@` stands for the name.
    fn sql(&self, sql: &str) -> String {
        sql.replace('@', &self.name)
    }

    async fn run(&mut self, sql: &str) {
        let sql = self.sql(sql);
        sqlx::query(&sql).execute(&mut self.beside).await.unwrap();
    }

    async fn number(&mut self, sql: &str) -> i64 {
        let sql = self.sql(sql);
        sqlx::query(&sql).fetch_one(&mut self.watch).await.unwrap().get(0)
    }

    /// The processes of the server for the store.
    async fn processes(&mut self) -> Vec<i32> {
        let sql = format!("SELECT pid FROM pg_stat_activity WHERE usename = '{}'", self.name);
        let rows = sqlx::query(&sql).fetch_all(&mut self.watch).await.unwrap();
        rows.into_iter().map(|row| row.get(0)).collect()
    }

    /// How many of them wait for a lock.
    async fn waiting(&mut self) -> i64 {
        let name = &self.name;
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = '{name}' AND wait_event_type = 'Lock'"
        );
        self.number(&sql).await
    }

    fn url(&self) -> String {
        self.server.url().replace("postgres@", &format!("{}@", self.name))
    }

    fn store(&self, parameters: &str) -> SqlStore {
        let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
        let url = format!("{}?table={}&createTable=true&{parameters}", self.url(), self.name);
        SqlStore::open_with(&url, options).unwrap()
    }
}

fn ann() -> SessionData {
    SessionData::from_json(r#"{"cookie":{"originalMaxAge":null},"user":"ann"}"#).unwrap()
}

/// Waits for something on the server. It is an error of the test if it has not come after a minute.
macro_rules! until {
    ($condition:expr) => {
        for round in 0.. {
            if $condition {
                break;
            }
            assert!(round < 3_000, "{} never came", stringify!($condition));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_call_that_is_dropped_or_late_leaves_no_process_waiting_on_the_server() {
    let mut place = Place::new().await;
    let store = place.store("deadline=2000");
    store.set("id", &ann()).await.unwrap();
    place.run("BEGIN").await;
    place.run("LOCK @").await;
    let error = {
        let session = ann();
        let late = store.set("id", &session);
        let mut dropped = Box::pin(store.set("id", &session));
        assert!(poll!(&mut dropped).is_pending());
        until!(place.waiting().await == 1);
        drop(dropped);
        late.await.unwrap_err()
    };
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    // The lock is still held.
    until!(place.waiting().await == 0);
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_page_that_is_not_read_to_its_end_costs_its_connection_and_no_session() {
    let mut place = Place::new().await;
    let store = place.store("connections=1");
    let mut large = ann();
    large.insert("text", "x".repeat(3 << 20)).unwrap();
    for sid in ["a", "b", "c", "d"] {
        store.set(sid, &large).await.unwrap();
    }
    store.set("e", &ann()).await.unwrap();
    let before = place.processes().await;
    let mut listing = store.all();
    assert_eq!(listing.try_next().await.unwrap().unwrap().id, "a");
    assert!(store.get("e").await.unwrap().is_some());
    let after = place.processes().await;
    assert!(after.iter().any(|process| !before.contains(process)), "{before:?} {after:?}");
    let rest: Vec<_> = listing.map_ok(|listed| listed.id).try_collect().await.unwrap();
    assert_eq!(rest, ["b", "c", "d", "e"]);
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn the_pool_of_an_application_has_the_limit_that_it_was_given() {
    const CALLS: u32 = 14;
    let mut place = Place::new().await;
    let pool = PgPoolOptions::new().max_connections(CALLS).connect(&place.url()).await.unwrap();
    let table =
        Counterpart::ConnectPgSimple.table(Dialect::Postgres).unwrap().with_name(&place.name);
    let options = SqlOptions::default().with_table(table).with_create_table(true);
    let options = options.with_deadline(Duration::from_secs(60));
    let store = SqlStore::with_postgres_pool(pool, options).unwrap();
    store.set("id", &ann()).await.unwrap();
    place.run("BEGIN").await;
    place.run("LOCK @").await;
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.get("id").await })
        })
        .collect();
    until!(place.waiting().await == i64::from(CALLS));
    place.run("COMMIT").await;
    for call in calls {
        assert!(call.await.unwrap().unwrap().is_some());
    }
}

/// Under a stricter isolation than the default, the database undoes a write that waited for another one.
#[tokio::test]
#[ignore = "needs postgres"]
async fn a_statement_that_the_database_undoes_is_sent_again() {
    let mut place = Place::new().await;
    place.run("ALTER ROLE @ SET default_transaction_isolation = 'serializable'").await;
    let store = place.store("");
    store.set("id", &ann()).await.unwrap();
    place.run("BEGIN").await;
    place.run("UPDATE @ SET sess = sess").await;
    let touching = store.clone();
    let touch = tokio::spawn(async move { touching.touch("id", &ann()).await });
    until!(place.waiting().await == 1);
    place.run("COMMIT").await;
    assert_eq!(touch.await.unwrap().unwrap(), Touched::Extended);
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn pruning_waits_for_no_writer_and_clearing_goes_in_batches() {
    let mut place = Place::new().await;
    let store = place.store("deadline=2000");
    store.set("live", &ann()).await.unwrap();
    let insert = "INSERT INTO @ (sid, sess, expire) SELECT 'id-' || to_char(i, 'FM0000'), '{}', ";
    place.run(&format!("{insert} '2001-01-01' FROM generate_series(1, 1500) i")).await;
    place.run("BEGIN").await;
    place.run("SELECT FROM @ WHERE sid = 'id-0007' FOR UPDATE").await;
    assert_eq!(store.remove_expired().await.unwrap(), 1_499);
    place.run("COMMIT").await;
    assert_eq!(store.remove_expired().await.unwrap(), 1);

    place.run(&format!("{insert} 'infinity' FROM generate_series(1, 2500) i")).await;
    place.run("BEGIN").await;
    place.run("SELECT FROM @ WHERE sid = 'id-2400' FOR UPDATE").await;
    let error = store.clear().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Timeout && error.outcome_unknown(), "{error}");
    assert_eq!(place.number("SELECT count(*) FROM @").await, 501);
    place.run("COMMIT").await;
    store.clear().await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM @").await, 0);
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_connection_that_cannot_write_any_more_is_replaced() {
    let mut place = Place::new().await;
    place.store("").set("id", &ann()).await.unwrap();
    place.run("ALTER ROLE @ SET default_transaction_read_only = on").await;
    let store = place.store("");
    assert!(store.get("id").await.unwrap().is_some());
    let error = store.set("id", &ann()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && !error.outcome_unknown(), "{error}");
    // As when a standby becomes the primary.
    assert!(store.get("id").await.unwrap().is_some());
    place.run("ALTER ROLE @ SET default_transaction_read_only = off").await;
    store.set("id", &ann()).await.unwrap();
}

/// As a pooler does that knows nothing of prepared statements.
#[tokio::test]
#[ignore = "needs postgres"]
async fn a_prepared_statement_that_is_gone_is_prepared_again() {
    let place = Place::new().await;
    let pool = PgPoolOptions::new().max_connections(1).connect(&place.url()).await.unwrap();
    let table =
        Counterpart::ConnectPgSimple.table(Dialect::Postgres).unwrap().with_name(&place.name);
    let options = SqlOptions::default().with_table(table).with_create_table(true);
    let store = SqlStore::with_postgres_pool(pool.clone(), options).unwrap();
    for _ in 0..3 {
        store.set("id", &ann()).await.unwrap();
        sqlx::raw_sql("DEALLOCATE ALL").execute(&pool).await.unwrap();
    }
}

/// Turns the clock of the runtime forward, which tells how long a connection is idle.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_write_is_not_lost_on_a_connection_that_the_server_has_ended() {
    let mut place = Place::new().await;
    let store = place.store("");
    for number in 0..3 {
        store.set("id", &ann()).await.unwrap();
        for process in place.processes().await {
            place.run(&format!("SELECT pg_terminate_backend({process})")).await;
        }
        until!(place.processes().await.is_empty());
        later(10).await;
        let created = store.create(&format!("id-{number}"), &ann()).await.unwrap();
        assert!(matches!(created, Created::Stored(_)));
    }
}

/// In a runtime whose time does not wait for the server, an answer hardly ever comes in time.
#[tokio::test]
#[ignore = "needs postgres"]
async fn a_write_with_little_time_costs_one_quiet_connection() {
    let mut place = Place::new().await;
    let store = place.store("");
    store.set("id", &ann()).await.unwrap();
    until!({
        drop(futures::join!(store.get("id"), store.get("id")));
        place.processes().await.len() == 2
    });
    let before = place.processes().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    let limit = Some(Duration::from_secs(1));
    let written = within(limit, "sql", "set", Idempotency::Once, store.set("id", &ann())).await;
    tokio::time::resume();
    if written.is_err() {
        until!(place.processes().await.iter().filter(|id| before.contains(id)).count() == 1);
    }
    store.get("id").await.unwrap();
    assert!(place.processes().await.iter().any(|id| before.contains(id)));
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_table_is_looked_at_again_on_a_connection_that_works() {
    let mut place = Place::new().await;
    let columns = "sid varchar(9) PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL";
    place.run(&format!("CREATE TABLE @ ({columns})")).await;
    let store = place.store("");
    store.set("id", &ann()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let error = store.get("0123456789").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidId, "{error}");
    for process in place.processes().await {
        place.run(&format!("SELECT pg_terminate_backend({process})")).await;
    }
    until!(place.processes().await.is_empty());
    assert_eq!(store.get("id").await.unwrap(), Some(ann()));
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_connection_that_was_idle_for_a_minute_is_not_used_again() {
    let mut place = Place::new().await;
    let store = place.store("");
    store.set("id", &ann()).await.unwrap();
    let before = place.processes().await;
    later(50).await;
    store.get("id").await.unwrap();
    assert_eq!(place.processes().await, before);
    later(61).await;
    store.get("id").await.unwrap();
    let after = place.processes().await;
    assert!(after.iter().any(|process| !before.contains(process)), "{before:?} {after:?}");
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn a_call_that_has_waited_looks_at_the_clock_afterwards() {
    let mut place = Place::new().await;
    let clock = Clock::fixed(4_102_444_800_000);
    let url = format!("{}?table={}&createTable=true&connections=1", place.url(), place.name);
    let options = SqlOptions::default().with_deadline(Duration::from_secs(60));
    let store = SqlStore::open_with(&url, options.with_clock(clock.clone())).unwrap();
    store.set("id", &ann()).await.unwrap();
    store.set("other", &ann()).await.unwrap();
    place.run("BEGIN").await;
    place.run("SELECT FROM @ WHERE sid = 'other' FOR UPDATE").await;
    let ahead_of_it = store.clone();
    let holds = tokio::spawn(async move { ahead_of_it.destroy("other").await });
    until!(place.waiting().await == 1);
    let mut get = pin!(store.get("id"));
    assert!(poll!(get.as_mut()).is_pending());
    clock.advance(86_401_000);
    place.run("COMMIT").await;
    holds.await.unwrap().unwrap();
    assert_eq!(get.await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs postgres"]
async fn one_row_that_ends_never_ends_no_listing() {
    let mut place = Place::new().await;
    let store = place.store("");
    store.set("a", &ann()).await.unwrap();
    store.set("c", &ann()).await.unwrap();
    place
        .run(r#"INSERT INTO @ (sid, sess, expire) VALUES ('b', '{"cookie":{}}', 'infinity')"#)
        .await;
    let listed: Vec<_> = store.all().try_collect().await.unwrap();
    let listed: Vec<_> =
        listed.into_iter().map(|listed| (listed.id, listed.time_left.is_some())).collect();
    assert_eq!(listed, [("a".into(), true), ("b".into(), false), ("c".into(), true)]);
    assert_eq!(store.length().await.unwrap(), 3);
}

/// The expiry of connect-pg-simple is a local time, and sqlx sets the zone of its connections, which hides that of the server.
#[tokio::test]
#[ignore = "needs postgres"]
async fn a_time_zone_that_nobody_tells_is_asked_for() {
    let mut place = Place::on(&CHANGING).await;
    place.run("CREATE DATABASE @").await;
    let url = place.url().replace("/postgres", &format!("/{}", place.name));
    let open =
        |parameters: &str| SqlStore::open(&format!("{url}?createTable=true&{parameters}")).unwrap();
    let unknown = |outcome: Result<(), Error>| {
        let error = outcome.unwrap_err();
        assert!(
            error.kind() == ErrorKind::Config && error.to_string().contains("timeZone"),
            "{error}"
        );
    };
    // The files of the server say UTC.
    open("").ping().await.unwrap();
    // They are read again by nobody in this test.
    place.run("ALTER SYSTEM SET timezone TO '+02'").await;
    unknown(open("").ping().await);
    place.run("ALTER SYSTEM RESET timezone").await;
    place.run("ALTER ROLE @ NOSUPERUSER").await;
    unknown(open("").ping().await);
    unknown(open("timeZone=Mars/Olympus").set("id", &ann()).await);
    open("timeZone=UTC").set("id", &ann()).await.unwrap();
    place.run("ALTER ROLE @ SET timezone TO 'Asia/Tokyo'").await;
    open("").set("id", &ann()).await.unwrap();
    place.run("ALTER ROLE @ SET timezone TO '+02'").await;
    unknown(open("").ping().await);
}
