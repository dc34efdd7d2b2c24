//! Parses a URL of MySQL or MariaDB, and says how a connection is set.

#[cfg(feature = "mysql")]
use std::time::Duration;

#[cfg(feature = "mysql")]
use cloakroom_backend::StoreUrl;
use cloakroom_core::Error;
#[cfg(feature = "mysql")]
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use crate::{connection::Source, options::SqlOptions};
#[cfg(feature = "mysql")]
use crate::{
    dialect::Dialect,
    error::STORE,
    options::longest_wait,
    parameter::{self, NAMES},
};

#[cfg(not(feature = "mysql"))]
pub(crate) fn parse(_: &str, _: &mut SqlOptions) -> Result<(Source, String), Error> {
    Err(crate::error::is_off("mysql"))
}

/// Returns the server with how to log in, and its name for messages.
#[cfg(feature = "mysql")]
pub(crate) fn parse(url: &str, options: &mut SqlOptions) -> Result<(Source, String), Error> {
    use sqlx::ConnectOptions as _;

    let url = StoreUrl::parse(STORE, url, "mysql:// or mariadb://")?;
    // One statement of the store's own sets the connection instead.
    let mut connect = MySqlConnectOptions::new()
        .ssl_mode(MySqlSslMode::Disabled)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .disable_statement_logging();
    let mut place = url.hosts().to_owned();
    if !place.is_empty() {
        let (host, port) = url.host(url.hosts())?;
        connect = connect.host(host).port(port.unwrap_or(3_306));
    }
    let Some(user) = url.user()?.filter(|user| !user.is_empty()) else {
        return Err(url.invalid("user", "must not be empty, as in mysql://user@host/database"));
    };
    connect = connect.username(&user);
    if let Some(password) = url.password()? {
        connect = connect.password(&password);
    }
    let database = url.decode("database", url.path().strip_prefix('/').unwrap_or_default())?;
    if database.is_empty() || database.contains('/') {
        return Err(url.invalid("database", "must be one name, as in mysql://user@host/database"));
    }
    connect = connect.database(&database);
    let parameters = url.parameters(&NAMES)?;
    for parameter in parameter::apply(&parameters, Dialect::MySql, options)? {
        match &*parameter.name {
            "socket" => {
                let path = parameter.text()?;
                if !path.starts_with('/') || !place.is_empty() {
                    let why = "must be the path of a Unix socket, in a url without a host";
                    return Err(parameter.invalid(why));
                }
                connect = connect.socket(path);
                place = "the socket".to_owned();
            }
            "sslmode" => {
                let mode = parameter.one_of(&[
                    ("disable", MySqlSslMode::Disabled),
                    ("require", MySqlSslMode::Required),
                    ("verify-ca", MySqlSslMode::VerifyCa),
                    ("verify-full", MySqlSslMode::VerifyIdentity),
                ])?;
                if !cfg!(feature = "tls") && !matches!(mode, MySqlSslMode::Disabled) {
                    let why =
                        "needs the feature \"sql-tls\" of cloakroom, or \"tls\" of cloakroom-sql";
                    return Err(parameter.invalid(why));
                }
                connect = connect.ssl_mode(mode);
            }
            "sslrootcert" => connect = connect.ssl_ca(parameter::certificates(parameter)?),
            _ => return Err(parameter.invalid("is not supported by MySQL")),
        }
    }
    parameter::check_tls(&parameters)?;
    if place.is_empty() {
        return Err(url.invalid("host", "must not be empty; socket=/path names a Unix socket"));
    }
    let set = set(longest_wait(options.deadline));
    Ok((Source::MySql(Box::new((connect, set))), place))
}

/// The statement that a connection begins with. It commits every write, refuses what it would have to cut, counts in UTC,
/// and gives up before a call does: a statement that waits for a lock would go on after the client has gone.
#[cfg(feature = "mysql")]
fn set(limit: Duration) -> String {
    let seconds = limit.as_secs().max(1);
    // MariaDB limits every statement, and reads the first comment alone; MySQL limits reads, by the second one.
    format!(
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin, autocommit = 1, time_zone = '+00:00', \
        sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
        lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds} \
        /*M!100101 , max_statement_time = {} */ /*!50708 , max_execution_time = {} */",
        limit.as_secs_f64(),
        limit.as_millis()
    )
}

#[cfg(all(test, feature = "mysql"))]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(String, SqlOptions), String> {
        let mut options = SqlOptions::default();
        let (_, place) = parse(url, &mut options).map_err(|error| error.to_string())?;
        options.check().map_err(|error| error.to_string())?;
        Ok((place, options))
    }

    #[test]
    fn a_url_is_a_server_and_options() {
        let url =
            "mysql://ann:p%40ss@db:7000/app?counterpart=connect-session-knex&table=logins&ttl=60";
        let (place, options) = read(url).unwrap();
        assert_eq!(place, "db:7000");
        let table = options.table.unwrap();
        assert_eq!((table.quoted().as_str(), &*table.expiry.name), ("`logins`", "expired"));
        assert_eq!(options.ttl.as_secs(), 60);
        let (place, _) = read("mariadb://ann@/app?socket=/run/mysqld/mysqld.sock").unwrap();
        assert_eq!(place, "the socket");
    }

    #[test]
    fn a_wrong_url_says_what_is_accepted() {
        for (url, part) in [
            ("mysql://ann@h:70000/a", "invalid port \"70000\""),
            ("mysql://h/a", "invalid user: must not be empty"),
            ("mysql://ann:hush@h", "invalid database: must be one name"),
            ("mysql://ann:hush@h/a/b", "invalid database: must be one name"),
            ("mysql://ann:hush@/a", "invalid host: must not be empty"),
            ("mysql://ann:hush@h/a?socket=/x", "must be the path of a Unix socket"),
            ("mysql://ann:hush@h/a?host=/run", "is not supported by MySQL"),
            ("mysql://ann:hush@h/a?counterpart=connect-pg-simple", "must be one of"),
            ("mysql://ann:hush@h/a?schema=x", "invalid option \"schema\": only PostgreSQL"),
            ("mysql://ann:hush@h/a?createDatabaseTable=true", "write \"createTable\""),
        ] {
            let error = read(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert!(error.starts_with("sql: open: ") && error.contains(part), "{url}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_server_gives_up_before_the_call() {
        let set = set(Duration::from_millis(400));
        assert!(
            set.contains("max_statement_time = 0.4 ") && set.contains("max_execution_time = 400 ")
        );
        // Whole seconds are all that these can be.
        assert!(set.contains("lock_wait_timeout = 1,"), "{set}");
    }
}
