//! Opens the stores that arguments name.

use std::time::Duration;

use cloakroom::{
    ExpressSession,
    file::FileStore,
    open,
    sql::sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions},
};

use crate::{
    failure::Failure,
    url::{parameter, path, sqlite_file, with_parameter},
};

/// The parameter of a SQL database that decides whether a missing table is created.
const CREATE_TABLE: &str = "createTable";

/// How long to wait for other programs before the log of SQLite is left as it is.
const LOG: Duration = Duration::from_secs(5);

/// Another way to name a store than a URL of `cloakroom::open`.
struct Scheme {
    /// What such a name begins with.
    prefix: &'static str,
    open: fn(&str) -> Result<ExpressSession, Failure>,
}

/// The schemes that only the command knows. Add a line for another one.
const SCHEMES: &[Scheme] = &[Scheme { prefix: "env:", open: of_environment }];

/// Opens a store. It does not connect; the first operation does.
pub(crate) fn store(name: &str) -> Result<ExpressSession, Failure> {
    match SCHEMES.iter().find_map(|scheme| Some((scheme, name.strip_prefix(scheme.prefix)?))) {
        Some((scheme, rest)) => (scheme.open)(rest),
        None => Ok(open(name)?),
    }
}

/// Opens a store that must be there. A database file or a folder that does not exist is an error, and is not created: it
/// would look like a store without sessions.
pub(crate) fn existing(name: &str) -> Result<ExpressSession, Failure> {
    let url = url(name)?;
    match &*scheme(&url) {
        "sqlite" if parameter(&url, CREATE_TABLE).is_none() && !is_in_memory(&url) => {
            Ok(open(&with_parameter(&url, CREATE_TABLE, "false"))?)
        }
        "file" if !FileStore::open(&url)?.path().is_dir() => {
            Err(Failure::usage("the folder does not exist"))
        }
        _ => Ok(open(&url)?),
    }
}

/// Opens a store that is only looked at. If it does not exist, this is an empty one in memory.
pub(crate) fn for_dry_run(name: &str) -> Result<ExpressSession, Failure> {
    let url = url(name)?;
    let is_missing = match &*scheme(&url) {
        "sqlite" => !is_in_memory(&url) && !sqlite_file(&url).exists(),
        "file" => !FileStore::open(&url)?.path().is_dir(),
        _ => false,
    };
    if is_missing { Ok(open("memory:")?) } else { existing(name) }
}

fn is_in_memory(url: &str) -> bool {
    path(url).starts_with(":memory:")
}

/// Brings what SQLite has in its log into the database file, which can then be copied by itself. The log of other stores
/// is their own matter.
pub(crate) async fn fold_log(name: &str) -> Result<(), Failure> {
    let url = url(name)?;
    if scheme(&url) != "sqlite" || is_in_memory(&url) {
        return Ok(());
    }
    let file = SqliteConnectOptions::new().filename(sqlite_file(&url)).busy_timeout(LOG);
    // If another program reads at that moment, a part stays in the log. Nothing is lost by that.
    if let Ok(mut connection) = file.connect().await {
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.ok();
        connection.close().await.ok();
    }
    Ok(())
}

/// Returns an error for a session id that names a store: the argument is in the wrong place.
pub(crate) fn refuse_as_id(id: &str) -> Result<(), Failure> {
    if store(id).is_err() {
        return Ok(());
    }
    Err(Failure::usage(
        "invalid ID: it is the URL of a store; pass a store with --store, and an id that looks like a URL on standard input",
    ))
}

/// Returns the URL that a name stands for.
pub(crate) fn url(name: &str) -> Result<String, Failure> {
    match name.strip_prefix("env:") {
        Some(variable) => std::env::var(variable).map_err(|_| {
            // What is not a name can be a URL with a password.
            Failure::usage(if is_name(variable) {
                format!("the environment variable {variable:?} is not set")
            } else {
                "invalid env: must be followed by the name of an environment variable".to_owned()
            })
        }),
        None => Ok(name.to_owned()),
    }
}

/// Returns true if shells accept the name for a variable.
fn is_name(variable: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    variable.bytes().next().is_some_and(is_letter)
        && variable.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

fn of_environment(variable: &str) -> Result<ExpressSession, Failure> {
    Ok(open(&url(&format!("env:{variable}"))?)?)
}

/// Returns the scheme of a URL in lower case.
pub(crate) fn scheme(url: &str) -> String {
    url.split(':').next().unwrap_or_default().to_ascii_lowercase()
}
