//! `sign_out NUMBER [redis]`: what it costs to sign a user out everywhere, beside the sessions of so many other users, on each
//! kind of server, or on Redis alone. The table in `compat/README.md` is what it prints.
//!
//! Each server counts what it is asked. The user has three sessions, so `end_all` ends three, and looks again.

use std::{
    env, fs,
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use cloakroom_compat::{ExpressSession, ExpressSessionOptions};
use cloakroom_core::{ErrorKind, Listed, SessionData, Store};
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client,
        event::{EventHandler, command::CommandEvent},
        options::ClientOptions,
    },
};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_sql::{
    SqlOptions, SqlStore,
    sqlx::{self, Connection, MySqlConnection, PgConnection},
};
use cloakroom_test_support::{MariaDb, Mongod, Postgres, RedisServer};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

/// What Redis has instead of an index, and what it is asked by.
const LISTS: &str = "lists, `of_known`";
const INDEX: &str = "index";

type Listing = std::result::Result<Listed, cloakroom_core::Error>;
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How often the server was asked since the last call.
type Asked<'a> = dyn FnMut() -> Result<usize> + Send + 'a;

const PATIENCE: Duration = Duration::from_secs(600);
const USER: usize = 0;
const THEIRS: usize = 3;

fn session(user: usize) -> Result<SessionData> {
    let mut session = SessionData::new();
    session.insert_json("passport", format!("{{\"user\":{user}}}"))?;
    session.insert("views", 1)?;
    Ok(session)
}

async fn sign_in(store: &dyn Store) -> Result<()> {
    for number in 0..THEIRS {
        store.set(&format!("theirs-{number}"), &session(USER)?).await?;
    }
    Ok(())
}

async fn fill(store: &dyn Store, number: usize) -> Result<()> {
    stream::iter(1..=number)
        .map(|number| async move { Ok(store.set(&format!("id-{number}"), &session(number)?).await?) })
        .buffer_unordered(32)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// The sessions of the user, by what the store finds them.
fn theirs<'s>(sessions: &'s ExpressSession, way: &str) -> BoxStream<'s, Listing> {
    if way == LISTS { sessions.of_known(USER) } else { sessions.of(USER) }
}

/// Prints the rows of a store: without an index, and with one, or the lists of Redis, if it has them.
async fn measure(
    name: &str,
    store: Arc<dyn Store>,
    number: usize,
    index: &'static str,
    asked: &mut Asked<'_>,
) -> Result<()> {
    let options = ExpressSessionOptions::default().with_deadline(PATIENCE);
    let sessions = ExpressSession::with_options(Arc::clone(&store), options);
    let mut way = "reads all";
    loop {
        // What connecting takes, and looking for the index, is not counted.
        sign_in(&*store).await?;
        let first: Vec<_> = theirs(&sessions, way).try_collect().await?;
        assert_eq!(first.len(), THEIRS, "{name}");
        asked()?;
        let since = Instant::now();
        let found: Vec<_> = theirs(&sessions, way).try_collect().await?;
        let (of_took, of_asked) = (since.elapsed(), asked()?);
        let since = Instant::now();
        let ended = match way {
            LISTS => sessions.end_all_known(USER, None).await?,
            _ => sessions.end_all(USER, None).await?,
        };
        let (took, end_asked) = (since.elapsed(), asked()?);
        assert_eq!((found.len(), ended), (THEIRS, THEIRS as u64), "{name}");
        let read = if way == index { THEIRS } else { number + THEIRS };
        writeln!(
            io::stdout(),
            "| {name}, {way} | {read} | {of_asked} | {:.1} | {end_asked} | {:.1} |",
            of_took.as_secs_f64() * 1e3,
            took.as_secs_f64() * 1e3,
        )?;
        if way == index {
            return Ok(());
        }
        match sessions.index_users().await {
            Ok(()) => way = index,
            Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn sql() -> SqlOptions {
    SqlOptions::default().with_deadline(PATIENCE).with_create_table(true)
}

async fn postgres(number: usize) -> Result<()> {
    let server = Postgres::start()?;
    fill(&SqlStore::open_with(&server.url(), sql())?, number).await?;
    let mut beside = PgConnection::connect(&server.url()).await?;
    for statement in
        ["ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()", "VACUUM ANALYZE"]
    {
        sqlx::query(statement).execute(&mut beside).await?;
    }
    let store = Arc::new(SqlStore::open_with(&server.url(), sql())?);
    let mut seen = 0;
    let mut asked = || {
        let all = server.log().lines().filter(|line| line.contains("LOG:  execute ")).count();
        Ok(all - std::mem::replace(&mut seen, all))
    };
    measure("PostgreSQL", store, number, INDEX, &mut asked).await
}

async fn sqlite(number: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}?durable=false", folder.path().join("sessions.db").display());
    let store = Arc::new(SqlStore::open_with(&url, sql())?);
    fill(&*store, number).await?;
    measure("SQLite", store, number, INDEX, &mut || Ok(0)).await
}

async fn mariadb(number: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let statements = folder.path().join("statements");
    let server = MariaDb::start_with(&[&format!("--general-log-file={}", statements.display())])?;
    let store = Arc::new(SqlStore::open_with(&server.url(), sql())?);
    fill(&*store, number).await?;
    let mut beside = MySqlConnection::connect(&server.url()).await?;
    sqlx::query("SET GLOBAL general_log = 1").execute(&mut beside).await?;
    let mut seen = 0;
    let mut asked = || {
        let all = fs::read_to_string(&statements)?.matches(" Execute\t").count();
        Ok(all - std::mem::replace(&mut seen, all))
    };
    measure("MariaDB", store, number, INDEX, &mut asked).await
}

async fn mongodb(number: usize) -> Result<()> {
    let server = Mongod::start()?;
    let commands = Arc::new(AtomicUsize::new(0));
    let mut client = ClientOptions::parse(server.url()).await?;
    let counted = Arc::clone(&commands);
    client.command_event_handler = Some(EventHandler::callback(move |event| {
        if let CommandEvent::Started(_) = event {
            counted.fetch_add(1, SeqCst);
        }
    }));
    let options = MongoOptions::default().with_deadline(PATIENCE).with_stringify(false);
    let options = options.with_auto_remove(AutoRemove::Disabled);
    let store = Arc::new(MongoStore::with_client(Client::with_options(client)?, options)?);
    fill(&*store, number).await?;
    measure("MongoDB, documents", store, number, INDEX, &mut || Ok(commands.swap(0, SeqCst))).await
}

async fn redis(number: usize) -> Result<()> {
    let server = RedisServer::start()?;
    let options = RedisOptions::default().with_deadline(PATIENCE).with_user_path("passport.user");
    let store = Arc::new(RedisStore::open_with(&server.url(), options)?);
    fill(&*store, number).await?;
    let mut beside = redis::Client::open(server.url())?.get_connection()?;
    let mut seen = 0;
    let mut asked = || {
        let info: String = redis::cmd("INFO").arg("stats").query(&mut beside)?;
        let all = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
        let all = all.and_then(|all| all.trim().parse::<usize>().ok()).unwrap_or_default();
        // The question itself is one.
        Ok((all - std::mem::replace(&mut seen, all)).saturating_sub(1))
    };
    measure("Redis (commands)", store, number, LISTS, &mut asked).await
}

async fn run() -> Result<()> {
    let number = env::args().nth(1).and_then(|number| number.parse().ok());
    let number = number.ok_or("usage: sign_out NUMBER [redis]")?;
    writeln!(
        io::stdout(),
        "| store | sessions that `of` reads | round trips of `of` | ms | round trips of `end_all` | ms |\n| --- | --- | --- | --- | --- | --- |"
    )?;
    if env::args().nth(2).as_deref() == Some("redis") {
        return redis(number).await;
    }
    postgres(number).await?;
    sqlite(number).await?;
    mariadb(number).await?;
    mongodb(number).await?;
    redis(number).await
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done where this fails.
            let _ = writeln!(io::stdout(), "sign_out: {error}");
            ExitCode::FAILURE
        }
    }
}
