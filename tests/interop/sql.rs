//! Sessions that go back and forth between the real npm stores and `SqlStore`, in one table of PostgreSQL, MariaDB
//! or SQLite.

use std::{any::Any, sync::LazyLock};

use cloakroom::{ExpressSession, SessionData, Store};
use cloakroom_core::{Clock, ErrorKind};
use cloakroom_sql::{SqlOptions, SqlStore};
use cloakroom_test_backends::RawSql;
use cloakroom_test_support::{MariaDb, NodeProgram, Postgres, unique};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::cases::{self, CASES, Case, EXPIRY, NodeTouch, Sides, case, loaded};

/// The npm packages, each with the name that `tests/node/stores/sql.mjs` has for it.
const ON_POSTGRES: &[(&str, &str)] = &[
    ("connect-pg-simple", "pgsimple"),
    ("connect-session-knex", "knex"),
    ("connect-session-sequelize", "sequelize"),
    ("connect-typeorm", "typeorm"),
    ("@quixo3/prisma-session-store", "prisma"),
];
const ON_MARIADB: &[(&str, &str)] = &[
    ("express-mysql-session", "mysql"),
    ("connect-session-knex", "knex"),
    ("connect-session-sequelize", "sequelize"),
    ("connect-typeorm", "typeorm"),
];
const ON_SQLITE: &[(&str, &str)] = &[
    ("connect-sqlite3", "sqlite3"),
    ("connect-session-knex", "knex"),
    ("better-sqlite3-session-store", "bettersqlite"),
    ("connect-session-sequelize", "sequelize"),
    ("connect-typeorm", "typeorm"),
];

/// The raw rows of the sides are seen by this, too: `Sides` has it behind a trait.
fn raw(package: &str, url: &str) -> RawSql {
    RawSql::new(package, url, "", Clock::system()).unwrap()
}

fn start((package, name): (&str, &str), url: &str, servers: Box<dyn Any + Send>) -> Sides {
    let arguments = ["--store", &format!("sql-{name}"), "--url", url];
    // The npm store has made its table by then.
    let node = NodeProgram::start("store.mjs", &arguments, &[]).unwrap();
    let database = url.split(':').next().unwrap();
    Sides {
        label: format!("{package} on {database}"),
        node,
        rust: ExpressSession::new(SqlStore::open(&format!("{url}?counterpart={package}")).unwrap()),
        backend: Box::new(raw(package, url)),
        _servers: servers,
        node_touch: if name == "prisma" { NodeTouch::Rewrites } else { NodeTouch::Moves },
    }
}

fn on_postgres(which: (&str, &str)) -> Sides {
    start(which, &database_on_postgres(), Box::new(()))
}

fn on_mariadb(which: (&str, &str)) -> Sides {
    let url = database_on_mariadb();
    if which.1 == "knex" {
        // Its own column is of the type json, which refuses half a surrogate pair of either side.
        let columns = "sid varchar(255), sess longtext not null, expired datetime not null";
        run(which.0, &url, format!("CREATE TABLE sessions ({columns}, primary key (sid))"));
    }
    start(which, &url, Box::new(()))
}

/// The caller can be a task of another runtime.
fn run(package: &str, url: &str, statement: String) {
    let raw = raw(package, url);
    let run = move || tokio::runtime::Runtime::new().unwrap().block_on(raw.run(&statement));
    std::thread::spawn(run).join().unwrap().unwrap();
}

/// The URL of a database of its own on the one server: the data folder of a server has a thousand files. It ends with the
/// process.
fn database_on_postgres() -> String {
    static SERVER: LazyLock<Postgres> = LazyLock::new(|| {
        // Each side has a pool of connections, and several tests run at once.
        Postgres::start_with(&["-c", "max_connections=400"]).unwrap()
    });
    let (name, url) = (unique("interop"), SERVER.url());
    run("connect-pg-simple", &url, format!("CREATE DATABASE \"{name}\""));
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// The URL of a database of its own on the one server, which takes a second to start and ends with the process.
fn database_on_mariadb() -> String {
    static SERVER: LazyLock<MariaDb> = LazyLock::new(|| MariaDb::start().unwrap());
    let (name, url) = (unique("interop"), SERVER.url());
    run("express-mysql-session", &url, format!("CREATE DATABASE `{name}`"));
    url.replace("/test", &format!("/{name}"))
}

fn on_sqlite(which: (&str, &str)) -> Sides {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
    start(which, &url, Box::new(folder))
}

/// The cases of all backends, and those of all tables below.
fn go_back_and_forth((package, name): (&str, &str), start: fn((&str, &str)) -> Sides) {
    const OF_TABLES: &[Case] = &[
        case!(an_id_in_other_letters_is_another_session),
        case!(both_sides_give_a_session_the_same_life),
    ];
    let (runtime, mut sides) = (Runtime::new().unwrap(), start((package, name)));
    cases::go_back_and_forth(&runtime, &mut sides, CASES);
    cases::go_back_and_forth(&runtime, &mut sides, OF_TABLES);
    // connect-session-sequelize answers until it prunes.
    if name != "sequelize" {
        cases::go_back_and_forth(&runtime, &mut sides, EXPIRY);
    }
    cases::random_sessions_survive_node_rust_node(&runtime, &mut sides);
}

#[test]
#[ignore = "needs postgresql and the npm packages"]
fn rows_of_postgresql_go_back_and_forth() {
    ON_POSTGRES.iter().for_each(|which| go_back_and_forth(*which, on_postgres));
}

#[test]
#[ignore = "needs mariadb-server and the npm packages"]
fn rows_of_mariadb_go_back_and_forth() {
    ON_MARIADB.iter().for_each(|which| go_back_and_forth(*which, on_mariadb));
}

#[test]
#[ignore = "needs the npm packages"]
fn rows_of_sqlite_go_back_and_forth() {
    ON_SQLITE.iter().for_each(|which| go_back_and_forth(*which, on_sqlite));
}

/// The tables of these packages have the same name and columns, and differ in the type of the expiry.
#[tokio::test]
#[ignore = "needs the npm packages"]
async fn the_table_of_another_package_is_refused() {
    const KNEX: (&str, &str) = ("connect-session-knex", "knex");
    const SQLITE3: (&str, &str) = ("connect-sqlite3", "sqlite3");
    for (made_by, other) in [(KNEX, SQLITE3), (SQLITE3, KNEX)] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
        let sides = start(made_by, &url, Box::new(folder));
        let wrong = SqlStore::open(&format!("{url}?counterpart={}", other.0)).unwrap();
        let error = wrong.get("id").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{}: {error}", sides.label);
        let right = format!("counterpart={}", made_by.0);
        assert!(error.to_string().contains(&right), "{}: {error}", sides.label);
        assert_eq!(sides.rust.get("id").await.unwrap(), None, "{}", sides.label);
    }
}

async fn an_id_in_other_letters_is_another_session(sides: &mut Sides) {
    sides.node_set("AbCdEf", r#"{"user":"ann"}"#, json!({}));
    for other in ["aBcDeF", "abcdef", "ABCDEF", "AbCdÉf"] {
        assert_eq!(sides.rust.get(other).await.unwrap(), None, "{}: {other}", sides.label);
        sides.rust.destroy(other).await.unwrap();
    }
    // MariaDB does not tell it apart from the id without a space, and then it is refused.
    let padded = sides.rust.get("AbCdEf ").await;
    assert!(!matches!(padded, Ok(Some(_))), "{}", sides.label);
    assert!(loaded(&sides.rust, "AbCdEf").await.contains("user"), "{}", sides.label);
    let set = sides.rust.set("abcdef", &SessionData::new()).await;
    // MariaDB would give it ann's row, but in the table of express-mysql-session.
    let collates =
        sides.label.ends_with("mysql") && !sides.label.starts_with("express-mysql-session");
    let kind = set.err().map(|error| error.kind());
    assert_eq!(kind, collates.then_some(ErrorKind::InvalidId), "{}", sides.label);
    assert!(sides.node_get("AbCdEf").unwrap().contains("ann"), "{}", sides.label);
    // Node.js hands ann's session to whoever asks in other letters.
    let other = sides.node_get("abcdef").unwrap();
    assert_eq!(other.contains("ann"), collates, "{}", sides.label);
}

/// Well before and after the expiry: between, the npm stores round in their own ways.
#[tokio::test]
#[ignore = "needs postgresql, mariadb-server and the npm packages"]
async fn a_row_is_over_for_both_sides_alike() {
    const RECORD: &str = r#"{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"user":"ann"}"#;
    let all = [(ON_POSTGRES, "postgres"), (ON_MARIADB, "mysql"), (ON_SQLITE, "sqlite")];
    let all =
        all.iter().flat_map(|(list, database)| list.iter().map(move |which| (*which, *database)));
    for (which, database) in all {
        let (url, servers): (_, Box<dyn Any + Send>) = match database {
            "postgres" => (database_on_postgres(), Box::new(())),
            "mysql" => (database_on_mariadb(), Box::new(())),
            _ => {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("sessions.db");
                (format!("sqlite:{}", file.display()), Box::new(folder))
            }
        };
        let (mut sides, raw) = (start(which, &url, servers), raw(which.0, &url));
        let now_ms = sides.rust.options().clock.now_ms();
        raw.write("over", RECORD, now_ms - 10_000).await.unwrap();
        raw.write("live", RECORD, now_ms + 600_000).await.unwrap();
        assert_eq!(sides.node_get("live").as_deref(), Some(RECORD), "{}", sides.label);
        assert!(loaded(&sides.rust, "live").await.contains("user"), "{}", sides.label);
        assert_eq!(sides.rust.get("over").await.unwrap(), None, "{}", sides.label);
        let answers = which.1 == "sequelize";
        assert_eq!(sides.node_get("over").is_some(), answers, "{}", sides.label);
        assert_eq!(sides.rust.length().await.unwrap(), 1, "{}", sides.label);

        // What is over is not brought back, as the touch of most of them would.
        let touched = sides.rust.touch("over", &SessionData::new()).await.unwrap();
        assert_eq!(touched, cloakroom::Touched::Missing, "{}", sides.label);
    }
}

/// A session cookie, and one of an hour: both sides give the row the same end.
async fn both_sides_give_a_session_the_same_life(sides: &mut Sides) {
    for (sid, cookie) in [("hour", json!({ "maxAge": 3_600_000 })), ("browser", json!({}))] {
        sides.node_set(sid, "{}", cookie);
        let theirs = sides.lives_ms(sid).await;
        let text = sides.record(sid).await;
        let session = SessionData::from_json(text).unwrap();
        sides.rust.set("ours", &session).await.unwrap();
        let ours = sides.lives_ms("ours").await;
        let value: Value = serde_json::from_str(&sides.record("ours").await).unwrap();
        assert!(value["cookie"].is_object());
        assert!((ours - theirs).abs() < 60_000, "{} {sid}: {ours} {theirs}", sides.label);
    }
}

/// The pool of connect-pg-simple leaves the zone of its connections to the server, which takes that of the role.
#[tokio::test]
#[ignore = "needs postgresql and the npm packages"]
async fn a_role_with_a_time_zone_needs_no_option() {
    const PACKAGE: (&str, &str) = ("connect-pg-simple", "pgsimple");
    let server = Postgres::start().unwrap();
    for sql in [
        "CREATE ROLE traveller LOGIN NOSUPERUSER",
        "ALTER ROLE traveller SET timezone TO 'Asia/Tokyo'",
        "GRANT ALL ON SCHEMA public TO traveller",
    ] {
        run(PACKAGE.0, &server.url(), sql.to_owned());
    }
    let url = server.url().replace("postgres@", "traveller@");
    let mut sides = start(PACKAGE, &url, Box::new(server));
    sides.node_set("theirs", r#"{"user":"ann"}"#, json!({ "maxAge": 3_600_000 }));
    let session = loaded(&sides.rust, "theirs").await;
    sides.rust.set("ours", &session).await.unwrap();
    for sid in ["theirs", "ours"] {
        // Nine hours east of UTC, in which this connection reads the local time.
        let hours = sides.lives_ms(sid).await as f64 / 3_600_000.0;
        assert!((9.5..10.5).contains(&hours), "{sid}: {hours}");
    }
    // What it lives is an hour for both sides.
    for (minutes, lives) in [(30, true), (90, false)] {
        let now_ms = Clock::system().now_ms() + minutes * 60_000;
        let options = SqlOptions::default().with_clock(Clock::fixed(now_ms));
        let rust = SqlStore::open_with(&url, options).unwrap();
        let clock = json!({ "clock": now_ms }).to_string();
        let arguments = ["--store", "sql-pgsimple", "--url", &url, "--options", &clock];
        let mut node = NodeProgram::start("store.mjs", &arguments, &[]).unwrap();
        for sid in ["theirs", "ours"] {
            assert_eq!(rust.get(sid).await.unwrap().is_some(), lives, "{sid}, {minutes} minutes");
            let answer: Value = node.call(json!({ "op": "get", "sid": sid })).unwrap();
            assert_eq!(answer["value"].is_string(), lives, "{sid}, {minutes} minutes: {answer}");
        }
    }
}
