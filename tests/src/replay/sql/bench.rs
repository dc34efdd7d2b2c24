//! A database with the table of an npm store, and the operations on it for each row.

use std::{any::Any, sync::LazyLock};

use cloakroom_core::{Clock, SessionData, Store, TimeToLive};
use cloakroom_sql::{SqlOptions, SqlStore};
use cloakroom_test_support::{MariaDb, Postgres, unique};
use sqlx::{
    AnyPool, Connection as _, Row as _,
    any::{AnyPoolOptions, AnyRow},
};
use tokio::runtime::Runtime;

use crate::json::Json;

pub(super) struct Bench {
    pub(super) package: String,
    pub(super) now_ms: i64,
    columns: [String; 3],
    /// Takes the id; gives the text, the expiry as the database prints it, and the type that SQLite has for it.
    select: String,
    store: SqlStore,
    raw: AnyPool,
    runtime: Runtime,
    _server: Box<dyn Any>,
}

/// What a row holds.
pub(super) struct Row {
    pub(super) text: String,
    /// As the database prints it.
    pub(super) expiry: String,
    pub(super) expiry_ms: i64,
}

impl Row {
    fn read(row: AnyRow) -> Result<Self, sqlx::Error> {
        // For the driver of any database, a long text of MariaDB is bytes.
        let text = row.try_get(0).or_else(|_| {
            let bytes = row.try_get::<Vec<u8>, _>(0)?;
            String::from_utf8(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
        });
        Ok(Self { text: text?, expiry: row.try_get(1)?, expiry_ms: row.try_get(2)? })
    }
}

impl Bench {
    /// A database of its own, with the table that the npm store has made.
    pub(super) fn start(store: &Json, now_ms: i64) -> Result<Self, String> {
        let text = |name: &str| store.get(name).and_then(Json::text).ok_or(format!("no {name}"));
        let (database, package) = (text("database")?, text("store")?);
        let (url, server) = start(&database)?;
        let runtime = Runtime::new().map_err(|error| error.to_string())?;

        let options = SqlOptions::default()
            .with_clock(Clock::fixed(now_ms))
            .with_deadline(super::super::DEADLINE);
        // The command line of the server sets it, where nobody but the server sees it.
        let zone = if package == "connect-pg-simple" { "&timeZone=UTC" } else { "" };
        let ours = {
            let _entered = runtime.enter();
            SqlStore::open_with(&format!("{url}?counterpart={package}{zone}"), options)
                .map_err(|error| error.to_string())?
        };
        sqlx::any::install_default_drivers();
        // A file that is not there yet has to be asked for.
        let raw_url = if database == "SQLite" { format!("{url}?mode=rwc") } else { url };
        let statements = store.get("ddl_statements").map(Json::items).unwrap_or_default();
        let raw = runtime
            .block_on(async {
                let raw = AnyPoolOptions::new().max_connections(1).connect(&raw_url).await?;
                for statement in statements.iter().filter_map(Json::text) {
                    sqlx::raw_sql(&statement).execute(&raw).await?;
                }
                Ok::<_, sqlx::Error>(raw)
            })
            .map_err(|error| error.to_string())?;

        let role = |role: &str| {
            let columns = store.get("columns").ok_or("no columns")?;
            columns.get(role).and_then(Json::text).ok_or(format!("no column for the {role}"))
        };
        let columns = [role("id")?, role("data")?, role("expires")?];
        let select = select(&database, &text("table")?, &columns);
        Ok(Self { package, now_ms, columns, select, store: ours, raw, runtime, _server: server })
    }

    /// The id, the text and the printed expiry of a recorded row. `None` if the text was too long for the recording.
    pub(super) fn expected(&self, row: &Json) -> Option<(String, String, String)> {
        let [id, data, expires] = &self.columns;
        let expiry = row.get(expires)?;
        let is_real = row.get("_t_exp").and_then(Json::text).as_deref() == Some("real");
        let expiry = match expiry {
            Json::Number(number) if is_real => format!("{number:.1}"),
            Json::Number(number) => number.to_string(),
            text => text.text()?,
        };
        // Only SQLite has types of its own for the values.
        let expiry = match row.get("_t_exp").and_then(Json::text) {
            Some(kind) => format!("{expiry} {kind}"),
            None => expiry,
        };
        Some((row.get(id)?.text()?, row.get(data)?.text()?, expiry))
    }

    /// When a session ends by its own cookie, give or take a second, or by the life of a browser session: a day.
    pub(super) fn ends_ms(&self, session: &SessionData) -> i64 {
        let life = match session.time_to_live(self.now_ms) {
            TimeToLive::Expired => 0,
            TimeToLive::Seconds(seconds) => i64::try_from(seconds).unwrap_or(i64::MAX),
            TimeToLive::Browser => 86_400,
        };
        self.now_ms.saturating_add(life.saturating_mul(1_000))
    }

    /// Stores a session, and returns its row. `None` if it was not stored.
    pub(super) fn write(
        &mut self,
        sid: &str,
        session: &SessionData,
    ) -> Result<Option<Row>, String> {
        self.runtime.block_on(async {
            self.store.set(sid, session).await.map_err(|error| error.to_string())?;
            let row = sqlx::query(&self.select).bind(sid);
            let row = row.fetch_optional(&self.raw).await.map_err(|error| error.to_string())?;
            row.map(Row::read).transpose().map_err(|error| error.to_string())
        })
    }

    pub(super) fn read(&self, sid: &str) -> Result<Option<SessionData>, String> {
        self.runtime.block_on(self.store.get(sid)).map_err(|error| error.to_string())
    }
}

fn start(database: &str) -> Result<(String, Box<dyn Any>), String> {
    if database.starts_with("PostgreSQL") {
        return on_postgres().map(|url| (url, Box::new(()) as Box<dyn Any>));
    }
    if database.starts_with("MariaDB") {
        return on_mariadb().map(|url| (url, Box::new(()) as Box<dyn Any>));
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
    Ok((url, Box::new(folder)))
}

/// The URL of a database of its own on the one server, whose data folder has a thousand files.
fn on_postgres() -> Result<String, String> {
    static SERVER: LazyLock<Result<Postgres, String>> = LazyLock::new(|| {
        Postgres::start_with(&["-c", "timezone=UTC"]).map_err(|error| error.to_string())
    });
    new_database(&SERVER.as_ref()?.url(), '"')
}

/// The URL of a database of its own on the one server, which takes a second to start.
fn on_mariadb() -> Result<String, String> {
    static SERVER: LazyLock<Result<MariaDb, String>> =
        LazyLock::new(|| MariaDb::start().map_err(|error| error.to_string()));
    new_database(&SERVER.as_ref()?.url(), '`')
}

/// Creates a database on the server of this URL, and returns its URL.
fn new_database(url: &str, quote: char) -> Result<String, String> {
    let name = unique("bench");
    let create = async {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(url).await?;
        let statement = format!("CREATE DATABASE {quote}{name}{quote}");
        sqlx::raw_sql(&statement).execute(&mut connection).await?;
        connection.close().await
    };
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(create).map_err(|error| error.to_string())?;
    let (server, _) = url.rsplit_once('/').ok_or("a URL without a database")?;
    Ok(format!("{server}/{name}"))
}

fn select(database: &str, table: &str, [id, data, expires]: &[String; 3]) -> String {
    if database.starts_with("PostgreSQL") {
        // A number has no epoch, and is one already.
        let ms = if expires == "expiredAt" {
            format!("\"{expires}\"")
        } else {
            format!("(extract(epoch FROM \"{expires}\") * 1000)::bigint")
        };
        return format!(
            "SELECT \"{data}\"::text, \"{expires}\"::text, {ms} FROM \"{table}\" WHERE \"{id}\" = $1"
        );
    }
    if database.starts_with("MariaDB") {
        let ms = match &**expires {
            "expiredAt" => "`expiredAt`".to_owned(),
            "expires" if data == "data" && id == "session_id" => {
                "CAST(`expires` AS SIGNED) * 1000".to_owned()
            }
            date => format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', `{date}`) DIV 1000"),
        };
        return format!(
            "SELECT CONVERT(`{data}` USING utf8mb4), CAST(`{expires}` AS CHAR), {ms} FROM `{table}` WHERE `{id}` = ?"
        );
    }
    // As a text, SQLite gives a large number an exponent.
    let printed = format!(
        "CASE typeof(\"{expires}\") WHEN 'real' THEN printf('%.1f', \"{expires}\") ELSE CAST(\"{expires}\" AS TEXT) END"
    );
    let ms = format!(
        "CASE typeof(\"{expires}\") WHEN 'text' THEN coalesce(CAST(round((julianday(\"{expires}\") - 2440587.5) * 86400000.0) AS INTEGER), 0) ELSE CAST(\"{expires}\" AS INTEGER) END"
    );
    format!(
        "SELECT CAST(\"{data}\" AS TEXT), {printed} || ' ' || typeof(\"{expires}\"), {ms} FROM \"{table}\" WHERE \"{id}\" = ?"
    )
}
