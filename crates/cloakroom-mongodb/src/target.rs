//! Parses a URL: the addresses of the servers, and the login.

use std::fmt;

use cloakroom_backend::{StoreUrl, UrlParameter};
use cloakroom_core::Error;
use mongodb::options::ConnectionString;
use zeroize::Zeroizing;

use crate::{
    MongoOptions,
    error::STORE,
    options::{is_database, is_unacknowledged},
    parameter::{self, Taken},
};

/// The database of a URL that does not name one, as in MongoDB's Node.js driver.
const DATABASE: &str = "test";

/// Everything that is needed to make a client.
pub(crate) struct Target {
    /// The URL without the store's own parameters, parsed by the driver.
    pub(crate) connection: ConnectionString,
    /// The hosts as they are in the URL, for messages.
    pub(crate) hosts: String,
    pub(crate) database: String,
}

impl Target {
    /// Parses a URL. Parameters that are options of the store replace those in `options`.
    pub(crate) fn parse(url: &str, options: &mut MongoOptions) -> Result<Self, Error> {
        let url = StoreUrl::parse(STORE, url, "mongodb:// or mongodb+srv://")?;
        let srv = match &*url.scheme().to_ascii_lowercase() {
            "mongodb" => false,
            "mongodb+srv" if cfg!(feature = "dns-resolver") => true,
            "mongodb+srv" => {
                let feature = ["mongodb-srv", "dns-resolver"];
                return Err(url.scheme_needs_feature(feature, "cloakroom-mongodb"));
            }
            _ => return Err(url.unknown_scheme(&["mongodb", "mongodb+srv"])),
        };
        check_login(&url)?;
        check_hosts(&url, srv)?;
        let database = url.decode("database", url.path().strip_prefix('/').unwrap_or_default())?;
        // Even if they are encoded, `&` and `=` suggest a parameter without its `?`.
        if !database.is_empty() && (!is_database(&database) || database.contains(['&', '='])) {
            let why = "must be shorter than 64 bytes and must not contain any of /\\. \"$*<>:|?&=";
            return Err(url.invalid("database", why));
        }

        let mut parameters = url.parameters(&parameter::NAMES)?;
        // `autoRemoveInterval` is valid only after `autoRemove=interval`, so `autoRemove` comes first.
        parameters.sort_by_key(|parameter| parameter.name != "autoRemove");
        let mut drivers = Vec::new();
        for parameter in &parameters {
            match parameter::apply(parameter, options)? {
                Taken::Ours => {}
                Taken::Drivers => drivers.push(parameter),
            }
        }
        let connection = connection(&url, &drivers)?;
        if connection.write_concern.as_ref().is_some_and(is_unacknowledged) {
            return Err(url.invalid_parameter("w", "must not be 0: the store needs the answers"));
        }
        let database = if database.is_empty() { DATABASE.to_owned() } else { database };
        let database = options.db_name.clone().unwrap_or(database);
        Ok(Self { connection, hosts: url.hosts().to_owned(), database })
    }
}

/// Rejects a login that the driver does not accept, although it is valid in a URL.
fn check_login(url: &StoreUrl<'_>) -> Result<(), Error> {
    let why = "write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, [ as %5B and ] as %5D";
    // A password with a slash continues in the path.
    if url.path().contains('@') {
        return Err(url.invalid("password", why));
    }
    let (user, password) = url.login().unwrap_or_default();
    for (part, text) in [("user", user), ("password", password.unwrap_or_default())] {
        if text.contains([':', '/', '?', '#', '[', ']', '@']) {
            return Err(url.invalid(part, why));
        }
    }
    url.user()?;
    drop(url.password()?.map(Zeroizing::new));
    Ok(())
}

/// Rejects hosts that the driver would accept or quote in its error: they may be parts of a password.
fn check_hosts(url: &StoreUrl<'_>, srv: bool) -> Result<(), Error> {
    if srv && url.hosts().contains(',') {
        return Err(url.invalid("host", "must be a single name with mongodb+srv"));
    }
    for host in url.hosts().split(',') {
        // A Unix socket, with its encoded path.
        if host.contains('%') {
            let path = url.decode("host", host)?;
            if !path.ends_with(".sock") || host.contains('=') {
                let why = "must be a name, an address, or the percent-encoded path of a socket that ends in .sock";
                return Err(url.invalid("host", why));
            }
            continue;
        }
        let (_, port) = url.host(host)?;
        if srv && port.is_some() {
            return Err(url.error("a port is not supported with mongodb+srv"));
        }
    }
    Ok(())
}

/// Lets the driver parse its part of the URL. Its messages are not passed on, because they can quote a secret.
fn connection(
    url: &StoreUrl<'_>,
    drivers: &[&UrlParameter<'_>],
) -> Result<ConnectionString, Error> {
    let parse = |pairs: &[&str]| {
        // The driver accepts only a scheme in lower case.
        let (scheme, place) = (url.scheme().to_ascii_lowercase(), url.place());
        ConnectionString::parse(&*Zeroizing::new(format!("{scheme}://{place}?{}", pairs.join("&"))))
    };
    let pairs: Vec<_> = drivers.iter().map(|parameter| parameter.raw).collect();
    if let Ok(connection) = parse(&pairs) {
        return Ok(connection);
    }
    if parse(&[]).is_err() {
        return Err(url.error("invalid url: the MongoDB driver rejected its hosts"));
    }
    match drivers.iter().find(|parameter| parse(&[parameter.raw]).is_err()) {
        Some(parameter) => {
            let why = "the MongoDB driver rejected it";
            Err(parameter.invalid(why))
        }
        None => {
            let names: Vec<_> = drivers.iter().map(|parameter| &*parameter.name).collect();
            Err(url.error(&format!(
                "invalid url: the MongoDB driver rejected the combination of these parameters: {}",
                names.join(", ")
            )))
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("hosts", &self.hosts)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::ErrorKind;

    use super::*;
    use crate::MongoStore;

    fn parse(url: &str) -> Result<Target, Error> {
        Target::parse(url, &mut MongoOptions::default())
    }

    #[test]
    fn urls_are_read() {
        for (url, hosts, database) in [
            ("mongodb://localhost", "localhost", "test"),
            ("mongodb://localhost/", "localhost", "test"),
            ("MongoDB://localhost", "localhost", "test"),
            ("mongodb://10.0.0.1:7000/app", "10.0.0.1:7000", "app"),
            ("mongodb://[::1]:7000/app", "[::1]:7000", "app"),
            ("mongodb://a,b:27018/app?replicaSet=rs", "a,b:27018", "app"),
            ("mongodb://ann:p%40ss%2F%3f%23@h/app?ttl=5", "h", "app"),
            ("mongodb://h?dbName=other", "h", "other"),
            ("mongodb://%2Ftmp%2Fmongodb.sock/app", "%2Ftmp%2Fmongodb.sock", "app"),
        ] {
            let target = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((&*target.hosts, &*target.database), (hosts, database), "{url}");
        }
    }

    #[test]
    fn a_wrong_url_is_a_config_error_that_says_what_is_accepted() {
        const NAME: &str =
            "must be shorter than 64 bytes and must not contain any of /\\. \"$*<>:|?&=";
        const SOCKET: &str = "must be a name, an address, or the percent-encoded path of a socket that ends in .sock";
        let database = format!("invalid database: {NAME}");
        let socket = format!("invalid host: {SOCKET}");
        for (url, message) in [
            ("localhost:27017", "invalid url: must begin with mongodb:// or mongodb+srv://"),
            ("mongo://h", r#"unknown scheme "mongo": did you mean "mongodb"?"#),
            ("mongodb://", "invalid host: must not be empty"),
            ("mongodb://a,,b", "invalid host: must not be empty"),
            ("mongodb://h:x", "invalid port: must be between 1 and 65535"),
            ("mongodb://h:0", r#"invalid port "0": must be between 1 and 65535"#),
            ("mongodb://a,h:70000", r#"invalid port "70000": must be between 1 and 65535"#),
            ("mongodb://h/a.b", &database),
            ("mongodb://h/a/b", &database),
            ("mongodb://h/a%20b", &database),
            ("mongodb://h/a%26secret%3Db", &database),
            ("mongodb://h&secret=x", "parameters must follow a \"?\""),
            ("mongodb://h/app&secret=x", "parameters must follow a \"?\""),
            ("mongodb://h/app;secret=x", "parameters must follow a \"?\""),
            ("mongodb://h/app&secret=x?ttl=5", "parameters must follow a \"?\""),
            ("mongodb://ann:p@h&secret=x", "parameters must follow a \"?\""),
            ("mongodb://%2Ftmp%2Fm.sock&secret=x", "parameters must follow a \"?\""),
            ("mongodb://%2Ftmp%2Fm.sock;secret=x.sock", &socket),
            ("mongodb://%2Ftmp%2Fmongo", &socket),
            ("mongodb://ann:100%@h", "invalid password: a percent sign must be written as %25"),
            ("mongodb://ann:%ff@h", "invalid password: must be valid UTF-8"),
            ("mongodb://ann:a@b@h", "invalid password: write @ as %40, : as %3A"),
            ("mongodb://h#x", "fragments are not supported"),
            (
                "mongodb://h?ttl=x",
                r#"invalid parameter "ttl": must be a whole number of seconds above zero"#,
            ),
            ("mongodb://h?tls=maybe", r#"invalid parameter "tls": the MongoDB driver rejected it"#),
            (
                "mongodb://h?tls=true&ssl=false",
                "invalid url: the MongoDB driver rejected the combination of these parameters: tls, ssl",
            ),
        ] {
            let error = parse(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("mongodb: open: {message}")), "{url}: {text}");
        }
    }

    #[test]
    fn debug_has_no_password() {
        let text = format!("{:?}", MongoStore::open("mongodb://ann:secret@h/app").unwrap());
        assert!(text.contains("app") && !text.contains("secret"), "{text}");
    }

    #[cfg(feature = "dns-resolver")]
    #[test]
    fn srv_has_one_host_and_no_port() {
        assert_eq!(parse("mongodb+srv://cluster.example.com/app").unwrap().database, "app");
        for url in ["mongodb+srv://h.example.com:1", "mongodb+srv://a.example.com,b.example.com"] {
            assert_eq!(parse(url).err().unwrap().kind(), ErrorKind::Config, "{url}");
        }
    }
}
