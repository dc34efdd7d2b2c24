//! Stores on PostgreSQL and in a file of SQLite, and sqlx alone with the same statements.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use cloakroom::sql::{
    SqlOptions, SqlStore,
    sqlx::{
        self, PgPool, SqlitePool,
        postgres::PgPoolOptions,
        sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
    },
};
use cloakroom_bench::{commands::Counts, cpu, tasks::Task};
use cloakroom_test_support::Postgres;

use crate::{
    backend::{Answer, Backend},
    case::{Case, KEYS, Place, key, with_clone},
    cloakroom_store::{self, Declared, PATIENCE},
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

/// The statements that our store sends, with `ID`, `TEXT`, `OLD`, `EXPIRY` and `NOW` in the order of their parameters.
struct Statements {
    get: String,
    set: String,
    touch: String,
    get_and_touch: String,
    update: String,
}

impl Statements {
    /// The parameters of a database, and what makes a text and a time of one.
    fn of(
        table: &str,
        [id, data, expiry]: [&str; 3],
        time: fn(&str) -> String,
        cast: [&str; 2],
    ) -> Self {
        let [read, write] = cast.map(|cast| move |value: &str| cast.replace('*', value));
        let (text, live) = (read(data), |now: &str| format!("{expiry} >= {}", time(now)));
        let touch = format!(
            "UPDATE {table} SET {expiry} = {} WHERE {id} = $1 AND {}",
            time("$2"),
            live("$3")
        );
        Self {
            get: format!("SELECT {text} FROM {table} WHERE {id} = $1 AND {}", live("$2")),
            set: format!(
                "INSERT INTO {table} ({id}, {data}, {expiry}) VALUES ($1, {}, {}) ON CONFLICT ({id}) \
                DO UPDATE SET {data} = excluded.{data}, {expiry} = excluded.{expiry}",
                write("$2"),
                time("$3"),
            ),
            get_and_touch: format!("{touch} RETURNING {text}"),
            touch,
            update: format!(
                "UPDATE {table} SET {data} = {}, {expiry} = {} WHERE {id} = $1 AND {text} = $2 AND {}",
                write("$2"),
                time("$3"),
                live("$4"),
            ),
        }
    }
}

/// What sqlx alone does on a pool of one database. `$unit` is the unit of a time, in milliseconds.
macro_rules! bare {
    ($place:expr, $pool:expr, $statements:expr, $text:expr, $unit:expr) => {{
        let text: Arc<str> = $text.into();
        let bytes = text.len();
        let all = ($pool.clone(), Arc::new($statements), text);
        let (now, later) = (|| now_ms() / $unit, || (now_ms() + 3_600_000.0) / $unit);
        for number in 0..KEYS {
            let set = sqlx::query(&all.1.set).bind(sid(number)).bind(&*all.2).bind(later());
            set.execute(&all.0).await.expect("the database answers");
        }
        let check = move |text: (String,)| assert_eq!(text.0.len(), bytes);
        let get = with_clone(&all, move |(pool, sql, _), mut task: Task| async move {
            while let Some(number) = task.next() {
                let get = sqlx::query_as(&sql.get).bind(sid(key(&task, number))).bind(now());
                check(get.fetch_one(&pool).await.expect("it is there"));
            }
        });
        let set = with_clone(&all, move |(pool, sql, text), mut task: Task| async move {
            while let Some(number) = task.next() {
                let set = sqlx::query(&sql.set).bind(sid(key(&task, number))).bind(&*text);
                set.bind(later()).execute(&pool).await.expect("the database answers");
            }
        });
        let touch = with_clone(&all, move |(pool, sql, _), mut task: Task| async move {
            while let Some(number) = task.next() {
                let touch = sqlx::query(&sql.touch).bind(sid(key(&task, number))).bind(later());
                let done = touch.bind(now()).execute(&pool).await.expect("the database answers");
                assert_eq!(done.rows_affected(), 1);
            }
        });
        let get_and_touch = with_clone(&all, move |(pool, sql, _), mut task: Task| async move {
            while let Some(number) = task.next() {
                let get = sqlx::query_as(&sql.get_and_touch).bind(sid(key(&task, number)));
                // To its end, as ours: SQLite returns the row before it commits, and `fetch_one`
                // does not tell whether it did.
                let all = get.bind(later()).bind(now()).fetch_all(&pool).await;
                check(all.expect("the database answers").remove(0));
            }
        });
        let update = with_clone(&all, move |(pool, sql, text), mut task: Task| async move {
            while let Some(number) = task.next() {
                let update = sqlx::query(&sql.update).bind(sid(key(&task, number))).bind(&*text);
                let done = update.bind(later()).bind(now()).execute(&pool).await;
                assert_eq!(done.expect("the database answers").rows_affected(), 1);
            }
        });
        let answer = Answer::new(BARE, move || {
            let (pool, sql, _) = all.clone();
            async move {
                let get = sqlx::query_as(&sql.get).bind(sid(0)).bind(now());
                let (text,): (String,) = get.fetch_one(&pool).await.expect("it is there");
                serde_json::from_str(&text).expect("it is JSON")
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
        let time = |value: &str| format!("(to_timestamp({value}) AT TIME ZONE 'UTC')");
        let columns = ["sid", "sess", "expire"];
        let sql = Statements::of("bare", columns, time, ["(*)::text", "*::text::json"]);
        let (mut cases, bare_answer) = bare!(&place, pool, sql, text, 1_000.0);
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
        let columns = ["sid", "sess", "expired"];
        let sql = Statements::of("bare", columns, str::to_owned, ["CAST(* AS TEXT)", "*"]);
        let (mut cases, bare_answer) = bare!(&place, pool, sql, text, 1.0);
        cases.extend(ours);
        (cases, vec![bare_answer, our_answer])
    }
}

impl Drop for InSqlite {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
