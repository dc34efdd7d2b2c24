//! Stores on PostgreSQL, on MariaDB and in a file of SQLite, and sqlx alone with the same statements.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use cloakroom::sql::{
    SqlOptions, SqlStore,
    sqlx::{
        self, ColumnIndex, Decode, MySqlPool, PgPool, Pool, Row, SqlitePool,
        mysql::MySqlPoolOptions,
        postgres::PgPoolOptions,
        sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
    },
};
use cloakroom_bench::{commands::Counts, cpu, tasks::Task};
use cloakroom_test_support::{MariaDb, Postgres};

use crate::{
    backend::{Answer, Backend},
    case::{Case, KEYS, Place, key, with_clone},
    cloakroom_store::{self, Declared, PATIENCE},
    sql_statements::{Dialect, Values},
};

const BARE: &str = "sqlx";

/// Of all subjects: as many connections as our store has by default.
const CONNECTIONS: u32 = 10;

fn sid(number: usize) -> String {
    format!("{number:032x}")
}

fn now_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    now.as_millis() as f64
}

/// The first column as text, whatever its type: sqlx takes a text with a binary collation in MariaDB for bytes.
fn text_of<'r, R: Row>(row: &'r R) -> String
where
    String: Decode<'r, R::Database>,
    usize: ColumnIndex<R>,
{
    row.try_get_unchecked(0).expect("it is a text")
}

/// What sqlx alone does on a pool of one database. `$time` makes a time from milliseconds.
macro_rules! bare {
    ($place:expr, $database:ty, $pool:expr, $dialect:expr, $text:expr, $time:expr) => {{
        let text: Arc<str> = $text.into();
        let bytes = text.len();
        let all = (<Pool<$database>>::clone(&$pool), Arc::new($dialect.statements()), text);
        macro_rules! query {
            ($statement:expr, $id:expr, $sent:expr) => {{
                let (now, statement) = (now_ms(), $statement);
                let (end, now) = ($time(now + 3_600_000.0), $time(now));
                let values = Values { id: $id, text: $sent, end, now };
                sqlx::query_with(&statement.sql, statement.arguments::<$database>(&values))
            }};
        }
        for number in 0..KEYS {
            let id = sid(number);
            let set = query!(&all.1.set, &id, &all.2);
            set.execute(&all.0).await.expect("the database answers");
        }
        let check = move |row| assert_eq!(text_of(&row).len(), bytes);
        let get = with_clone(&all, move |(pool, sql, _), mut task: Task| async move {
            while let Some(number) = task.next() {
                let id = sid(key(&task, number));
                let get = query!(&sql.get, &id, "");
                check(get.fetch_one(&pool).await.expect("it is there"));
            }
        });
        let set = with_clone(&all, move |(pool, sql, text), mut task: Task| async move {
            while let Some(number) = task.next() {
                let id = sid(key(&task, number));
                let set = query!(&sql.set, &id, &text);
                set.execute(&pool).await.expect("the database answers");
            }
        });
        let touch = with_clone(&all, move |(pool, sql, _), mut task: Task| async move {
            while let Some(number) = task.next() {
                let id = sid(key(&task, number));
                let touch = query!(&sql.touch, &id, "");
                let done = touch.execute(&pool).await.expect("the database answers");
                assert_eq!(done.rows_affected(), 1);
            }
        });
        let get_and_touch = with_clone(&all, move |(pool, sql, _), mut task: Task| async move {
            while let Some(number) = task.next() {
                let id = sid(key(&task, number));
                let read = sql.get_and_touch.as_ref().unwrap_or(&sql.get);
                if sql.get_and_touch.is_none() {
                    let touch = query!(&sql.touch, &id, "");
                    let done = touch.execute(&pool).await.expect("the database answers");
                    assert_eq!(done.rows_affected(), 1);
                }
                // To its end, as ours: SQLite returns the row before it commits, and `fetch_one`
                // does not tell whether it did.
                let all = query!(read, &id, "").fetch_all(&pool).await;
                check(all.expect("the database answers").remove(0));
            }
        });
        let update = with_clone(&all, move |(pool, sql, text), mut task: Task| async move {
            while let Some(number) = task.next() {
                let id = sid(key(&task, number));
                let update = query!(&sql.update, &id, &text);
                let done = update.execute(&pool).await.expect("the database answers");
                assert_eq!(done.rows_affected(), 1);
            }
        });
        let answer = Answer::new(BARE, move || {
            let (pool, sql, _) = all.clone();
            async move {
                let id = sid(0);
                let get = query!(&sql.get, &id, "");
                let row = get.fetch_one(&pool).await.expect("it is there");
                serde_json::from_str(&text_of(&row)).expect("it is JSON")
            }
        });
        let cases = vec![
            Case::new($place, BARE, "get", get),
            Case::new($place, BARE, "set", set),
            Case::new($place, BARE, "touch", touch),
            Case::new($place, BARE, "get and touch", get_and_touch),
            Case::new($place, BARE, "update", update),
        ];
        (cases, answer)
    }};
}

fn place(table: String, server: Option<u32>) -> Place {
    Place::new(table, server, BARE, || std::future::ready(Counts::new()))
}

fn open(url: &str) -> SqlStore {
    let options = SqlOptions::default().with_deadline(PATIENCE).with_create_table(true);
    let options = options.with_connections(CONNECTIONS).with_durable(false);
    SqlStore::open_with(url, options).expect("it is a URL")
}

pub(crate) struct OnPostgres(Postgres);

impl Backend for OnPostgres {
    const NAME: &str = "PostgreSQL";

    fn start() -> Self {
        let server = Postgres::start().expect("postgres is installed");
        cpu::pin(server.id().expect("it runs"), cpu::OTHERS);
        Self(server)
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        // A process of its own serves each connection, so the processor time of the server is not known.
        let place = place(format!("{}, {size}", Self::NAME), None);
        let url = self.0.url();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let pool: PgPool = pool.connect(&url).await.expect("PostgreSQL answers");
        let (ours, our_answer) =
            cloakroom_store::cases(&place, open(&url), text, sid, Declared::default()).await;
        for sql in ["DROP TABLE IF EXISTS bare", "CREATE TABLE bare (LIKE session INCLUDING ALL)"] {
            sqlx::query(sql).execute(&pool).await.expect("PostgreSQL answers");
        }
        let dialect = Dialect {
            placeholder: |number| format!("${number}"),
            id: "sid",
            data: "sess",
            expiry: "expire",
            read: "sess::text",
            written: "$text::json",
            end: "(to_timestamp($end) AT TIME ZONE 'UTC')",
            now: "(to_timestamp($now) AT TIME ZONE 'UTC')",
            same_id: "sid = $id",
            same_text: "sess::text = $old",
            replace: "ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expire = excluded.expire",
            has_returning: true,
        };
        let time = |ms: f64| ms / 1_000.0;
        let (mut cases, bare_answer) = bare!(&place, sqlx::Postgres, pool, dialect, text, time);
        cases.extend(ours);
        (cases, vec![bare_answer, our_answer])
    }
}

pub(crate) struct OnMariaDb(MariaDb);

impl Backend for OnMariaDb {
    const NAME: &str = "MariaDB";

    fn start() -> Self {
        let server = MariaDb::start().expect("mariadbd is installed");
        cpu::pin(server.id().expect("it runs"), cpu::OTHERS);
        Self(server)
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        let place = place(format!("{}, {size}", Self::NAME), self.0.id());
        let url = self.0.url();
        let pool = MySqlPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let pool: MySqlPool = pool.connect(&url).await.expect("MariaDB answers");
        let (ours, our_answer) =
            cloakroom_store::cases(&place, open(&url), text, sid, Declared::default()).await;
        for sql in ["DROP TABLE IF EXISTS bare", "CREATE TABLE bare LIKE sessions"] {
            sqlx::query(sql).execute(&pool).await.expect("MariaDB answers");
        }
        let dialect = Dialect {
            placeholder: |_| "?".to_owned(),
            id: "session_id",
            data: "data",
            expiry: "expires",
            read: "data",
            written: "$text",
            end: "$end",
            now: "$now",
            same_id: "session_id = $id AND CAST(CONVERT(session_id USING utf8mb4) AS BINARY) = \
                CAST(CONVERT($id USING utf8mb4) AS BINARY)",
            same_text: "CAST(CONVERT(data USING utf8mb4) AS BINARY) = \
                CAST(CONVERT($old USING utf8mb4) AS BINARY)",
            replace: "ON DUPLICATE KEY UPDATE data = VALUES(data), expires = VALUES(expires)",
            has_returning: false,
        };
        let time = |ms: f64| (ms / 1_000.0) as i64;
        let (mut cases, bare_answer) = bare!(&place, sqlx::MySql, pool, dialect, text, time);
        cases.extend(ours);
        (cases, vec![bare_answer, our_answer])
    }
}

/// A folder, which is removed at the end.
pub(crate) struct InSqlite(PathBuf);

impl Backend for InSqlite {
    const NAME: &str = "SQLite";

    fn start() -> Self {
        let folder =
            std::env::temp_dir().join(format!("cloakroom-bench-sql-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("there is space");
        Self(folder)
    }

    async fn cases(&self, size: &str, text: &str) -> (Vec<Case>, Vec<Answer>) {
        let place = place(format!("{}, {size}", Self::NAME), None);
        let url = format!("sqlite:{}", self.0.join("sessions.db").display());
        let (ours, our_answer) =
            cloakroom_store::cases(&place, open(&url), text, sid, Declared::default()).await;
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let options: SqliteConnectOptions = url.parse().expect("it is a URL");
        let options = options.synchronous(SqliteSynchronous::Normal).busy_timeout(PATIENCE);
        let pool: SqlitePool = pool.connect_with(options).await.expect("the file is there");
        for sql in [
            "DROP TABLE IF EXISTS bare",
            "CREATE TABLE bare (sid PRIMARY KEY, expired, sess)",
            "CREATE INDEX bare_expired ON bare (expired)",
        ] {
            sqlx::query(sql).execute(&pool).await.expect("SQLite answers");
        }
        let dialect = Dialect {
            placeholder: |number| format!("?{number}"),
            id: "sid",
            data: "sess",
            expiry: "expired",
            read: "CAST(sess AS TEXT)",
            written: "$text",
            end: "$end",
            now: "$now",
            same_id: "sid = $id",
            same_text: "CAST(sess AS TEXT) = $old",
            replace: "ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expired = excluded.expired",
            has_returning: true,
        };
        let time = |ms: f64| ms;
        let (mut cases, bare_answer) = bare!(&place, sqlx::Sqlite, pool, dialect, text, time);
        cases.extend(ours);
        (cases, vec![bare_answer, our_answer])
    }
}

impl Drop for InSqlite {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
