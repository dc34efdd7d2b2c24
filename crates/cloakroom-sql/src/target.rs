//! Parses a URL: where the database is, and how to log in.

use cloakroom_backend::StoreUrl;
use cloakroom_core::Error;

use crate::{connection::Source, error::STORE, mysql_target, options::SqlOptions};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::{
    dialect::Dialect,
    options::longest_wait,
    parameter::{self, NAMES},
};

const BEGINNINGS: &str = "postgres://, mysql:// or sqlite:";

pub(crate) struct Target {
    pub(crate) source: Source,
    /// The server or the file, for messages.
    pub(crate) place: String,
    pub(crate) is_file: bool,
}

impl Target {
    /// Parses a URL. Its parameters replace those in `options`.
    pub(crate) fn parse(url: &str, options: &mut SqlOptions) -> Result<Self, Error> {
        let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
        match &*scheme {
            "postgres" | "postgresql" => postgres(url, options),
            "sqlite" => sqlite(url, options),
            "mysql" | "mariadb" => {
                let (source, place) = mysql_target::parse(url, options)?;
                Ok(Self { source, place, is_file: false })
            }
            _ => {
                let url = StoreUrl::parse(STORE, url, BEGINNINGS)?;
                Err(url.unknown_scheme(&["postgres", "postgresql", "mysql", "mariadb", "sqlite"]))
            }
        }
    }
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str, _: &mut SqlOptions) -> Result<Target, Error> {
    Err(crate::error::is_off("postgres"))
}

#[cfg(feature = "postgres")]
fn postgres(url: &str, options: &mut SqlOptions) -> Result<Target, Error> {
    use sqlx::{
        ConnectOptions as _,
        postgres::{PgConnectOptions, PgSslMode},
    };

    let url = StoreUrl::parse(STORE, url, BEGINNINGS)?;
    // Without it, the driver would take more from the files and the environment than the login.
    let mut connect = PgConnectOptions::new_without_pgpass()
        .ssl_mode(PgSslMode::Disable)
        // Some poolers refuse it, and no number is read as text.
        .extra_float_digits(None)
        .disable_statement_logging();
    let mut place = url.hosts().to_owned();
    if !place.is_empty() {
        let (host, port) = url.host(url.hosts())?;
        connect = connect.host(host).port(port.unwrap_or(5_432));
    }
    if let Some(user) = url.user()? {
        connect = connect.username(&user);
    }
    if let Some(password) = url.password()? {
        connect = connect.password(&password);
    }
    let database = url.decode("database", url.path().strip_prefix('/').unwrap_or_default())?;
    if database.contains('/') {
        return Err(url.invalid("database", "must not contain a slash"));
    }
    if !database.is_empty() {
        connect = connect.database(&database);
    }
    let parameters = url.parameters(&NAMES)?;
    for parameter in parameter::apply(&parameters, Dialect::Postgres, options)? {
        match &*parameter.name {
            "host" => {
                let folder = parameter.text()?;
                if !folder.starts_with('/') || !place.is_empty() {
                    let why = "must be the folder of a Unix socket, in a url without another host";
                    return Err(parameter.invalid(why));
                }
                connect = connect.socket(folder);
                place = "the socket".to_owned();
            }
            "sslmode" => {
                let mode = parameter.one_of(&[
                    ("disable", PgSslMode::Disable),
                    ("require", PgSslMode::Require),
                    ("verify-ca", PgSslMode::VerifyCa),
                    ("verify-full", PgSslMode::VerifyFull),
                ])?;
                if !cfg!(feature = "tls") && !matches!(mode, PgSslMode::Disable) {
                    let why =
                        "needs the feature \"sql-tls\" of cloakroom, or \"tls\" of cloakroom-sql";
                    return Err(parameter.invalid(why));
                }
                connect = connect.ssl_mode(mode);
            }
            "sslrootcert" => connect = connect.ssl_root_cert(parameter::certificates(parameter)?),
            _ => return Err(parameter.invalid("is not supported by PostgreSQL")),
        }
    }
    parameter::check_tls(&parameters)?;
    if place.is_empty() {
        return Err(url.invalid("host", "must not be empty; host=/folder names a Unix socket"));
    }
    let source = Source::Postgres(Box::new(connect), longest_wait(options.deadline));
    Ok(Target { source, place, is_file: false })
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_: &str, _: &mut SqlOptions) -> Result<Target, Error> {
    Err(crate::error::is_off("sqlite"))
}

#[cfg(feature = "sqlite")]
fn sqlite(text: &str, options: &mut SqlOptions) -> Result<Target, Error> {
    use sqlx::{
        ConnectOptions as _,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    };

    let rest = text.split_once(':').map_or("", |(_, rest)| rest);
    // A relative path has no slashes before it.
    let is_relative = !rest.starts_with("//");
    let whole = format!("sqlite:///{rest}");
    let url = StoreUrl::parse(STORE, if is_relative { &whole } else { text }, "sqlite:")?;
    if url.login().is_some() || !url.hosts().is_empty() {
        let why = "must be empty: write sqlite:sessions.db, or sqlite:///absolute/path.db";
        return Err(url.invalid("host", why));
    }
    let path = url.decode("path", url.path())?;
    let path = if is_relative { path.strip_prefix('/').unwrap_or_default() } else { &path };
    if path.is_empty() || path.ends_with('/') {
        return Err(url.invalid("path", "must be a file, as in sqlite:sessions.db"));
    }
    let parameters = url.parameters(&NAMES)?;
    if let Some(parameter) = parameter::apply(&parameters, Dialect::Sqlite, options)?.first() {
        return Err(parameter.invalid("is not supported by SQLite"));
    }
    let creates = options.create_table.unwrap_or(true);
    let mut connect = SqliteConnectOptions::new()
        .create_if_missing(creates)
        .busy_timeout(longest_wait(options.deadline))
        .disable_statement_logging();
    let source = if path == ":memory:" {
        // Each connection would have sessions of its own.
        options.connections = 1;
        Source::InMemory(Box::new(connect.in_memory(true)))
    } else {
        let synchronous =
            if options.durable { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
        connect =
            connect.filename(path).journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
        Source::Sqlite(Box::new(connect))
    };
    Ok(Target { source, place: "the database file".to_owned(), is_file: true })
}

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(Target, SqlOptions), String> {
        let mut options = SqlOptions::default();
        let target = Target::parse(url, &mut options).map_err(|error| error.to_string())?;
        options.check().map_err(|error| error.to_string())?;
        Ok((target, options))
    }

    #[test]
    fn a_url_is_a_place_and_options() {
        let url = "postgres://ann:p%40ss@db:7000/app?counterpart=connect-session-knex&table=logins&schema=web&ttl=60&deadline=250&connections=3";
        let (target, options) = read(url).unwrap();
        assert_eq!(target.place, "db:7000");
        let table = options.table.unwrap();
        assert_eq!(table.quoted(), r#""web"."logins""#);
        assert_eq!(table.expiry.name, "expired");
        assert_eq!(options.ttl.as_secs(), 60);
        assert_eq!(options.deadline.as_millis(), 250);
        assert_eq!(options.connections, 3);
        let (_, options) = read("postgres://h/a?timeZone=Europe/Berlin").unwrap();
        assert_eq!(options.time_zone.as_deref(), Some("Europe/Berlin"));
        for url in ["sqlite:sessions.db", "SQLITE:///var/app/sessions.db?durable=false"] {
            assert!(read(url).unwrap().0.is_file, "{url}");
        }
        assert_eq!(read("sqlite::memory:?connections=9").unwrap().1.connections, 1);
        assert!(read("postgres:///app?host=/run/postgresql").is_ok());
    }

    #[test]
    fn a_wrong_url_says_what_is_accepted() {
        for (url, part) in [
            ("postgres://h:70000/a", r#"invalid port "70000""#),
            ("postgres:///app", "invalid host: must not be empty"),
            ("postgres://h/a/b", "invalid database: must not contain a slash"),
            ("postgres://h/a?counterpart=connect-sqlite3", "must be one of \"connect-pg-simple\""),
            ("postgres://h/a?tableName=x", "write \"table\""),
            ("sqlite:a.db?durable=maybe", "must be \"true\" or \"false\""),
            ("postgres://h/a?timeZone=a'b", "invalid option \"timeZone\": must be UTC or"),
            ("sqlite://sessions.db", "invalid host: must be empty: write sqlite:sessions.db"),
            ("sqlite:", "invalid path: must be a file"),
            ("sqlite:a.db?sslmode=require", "is not supported by SQLite"),
            ("sqlite:a.db?schema=x", "invalid option \"schema\": only PostgreSQL has schemas"),
            ("sqlit:a.db", "must begin with postgres://, mysql:// or sqlite:"),
            ("postgre://h/a", "unknown scheme \"postgre\": did you mean \"postgres\"?"),
        ] {
            let error = read(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(error.starts_with("sql: open: ") && error.contains(part), "{url}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
