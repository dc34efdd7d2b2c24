//! Opens the stores that arguments name.

use std::{env::VarError, path::Path, time::Duration};

use cloakroom::{
    Error, ExpressSession,
    file::FileStore,
    open,
    sql::sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions},
};

use crate::{
    failure::Failure,
    url::{decoded, parameter, path, sqlite_file, with_parameter, without_index},
};

/// The parameter of a SQL database that decides whether a missing table is created.
const CREATE_TABLE: &str = "createTable";

/// What the error for a missing table says.
const NO_TABLE: &str = "does not exist; create it with createTable=true";

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

/// Opens a store that is only looked at and must be there. A database file or a folder that does not exist is an error,
/// and is not created: it would look like a store without sessions. MongoDB gets no collection and no index.
pub(crate) fn existing(name: &str) -> Result<ExpressSession, Failure> {
    let url = url(name)?;
    match &*scheme(&url) {
        "sqlite"
            if !is_in_memory(&url)
                && (parameter(&url, CREATE_TABLE).is_none() || !sqlite_file(&url).exists()) =>
        {
            // Checked as it is: a wrong option is an error here, too.
            open(&url)?;
            Ok(open(&with_parameter(&url, CREATE_TABLE, "false"))?)
        }
        "file" if !FileStore::open(&url)?.path().is_dir() => {
            Err(Failure::usage("the folder does not exist"))
        }
        "mongodb" | "mongodb+srv" => {
            open(&url)?;
            Ok(open(&without_index(&url))?)
        }
        _ => Ok(open(&url)?),
    }
}

/// Opens a store to which nothing is copied. If a copy would create its folder, file or table, this is an empty one in
/// memory.
pub(crate) async fn for_dry_run(name: &str) -> Result<ExpressSession, Failure> {
    let url = url(name)?;
    if creates_table(&url) {
        let sessions = open(&with_parameter(&url, CREATE_TABLE, "false"))?;
        let is_missing = scheme(&url) == "sqlite" && is_made_by_a_copy(&sqlite_file(&url))
            || matches!(reach(&sessions).await, Err(error) if error.to_string().contains(NO_TABLE));
        return Ok(if is_missing { open("memory:")? } else { sessions });
    }
    if scheme(&url) == "file" && !FileStore::open(&url)?.path().exists() {
        return Ok(open("memory:")?);
    }
    existing(name)
}

/// Returns true if this file does not exist, and its folder does, which SQLite does not create.
fn is_made_by_a_copy(file: &Path) -> bool {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    !file.exists() && folder.unwrap_or(Path::new(".")).is_dir()
}

/// Returns true if the first operation on this database creates a table that does not exist.
fn creates_table(url: &str) -> bool {
    let is_sqlite = scheme(url) == "sqlite";
    let creates = parameter(url, CREATE_TABLE).map_or(is_sqlite, |value| decoded(value) == "true");
    creates && !(is_sqlite && is_in_memory(url))
}

/// Checks that a store can be reached, within the deadline of its other calls. The first answer takes a connection as
/// well, and the time of [`ExpressSession::ping`] is that of a health check.
pub(crate) async fn reach(sessions: &ExpressSession) -> Result<(), Error> {
    sessions.ping_within(sessions.options().deadline).await
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
        Some(variable) => std::env::var(variable).map_err(|cause| {
            // What is not a name can be a URL with a password.
            if is_name(variable) {
                return Failure::usage(format!(
                    "the environment variable {variable:?} {}",
                    why_unread(&cause)
                ));
            }
            Failure::usage("invalid env: must be followed by the name of an environment variable")
        }),
        None => Ok(name.to_owned()),
    }
}

/// Says why an environment variable cannot be read.
pub(crate) fn why_unread(cause: &VarError) -> &'static str {
    match cause {
        VarError::NotPresent => "is not set",
        VarError::NotUnicode(_) => "is not valid UTF-8",
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
