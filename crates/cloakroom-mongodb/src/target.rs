//! What a URL says: where the servers are, and who asks.

use std::fmt;

use cloakroom_core::{Error, ErrorKind, StoreUrl, UrlParameter};
use mongodb::options::ConnectionString;

use crate::{
    MongoOptions,
    error::STORE,
    options::{is_database, is_unacknowledged},
    parameter::{self, Taken},
};

/// The database of a URL that names none, as for MongoDB's Node.js driver.
const DATABASE: &str = "test";

/// Everything that a client needs.
pub(crate) struct Target {
    /// What the driver makes of the URL without our own parameters.
    pub(crate) connection: ConnectionString,
    /// The hosts as they stand in the URL, for messages.
    pub(crate) hosts: String,
    pub(crate) database: String,
}

impl Target {
    /// Reads a URL. Its parameters that are options of ours go over those in `options`.
    pub(crate) fn parse(url: &str, options: &mut MongoOptions) -> Result<Self, Error> {
        let url = StoreUrl::parse(STORE, url, "mongodb:// or mongodb+srv://")?;
        let srv = match &*url.scheme().to_ascii_lowercase() {
            "mongodb" => false,
            "mongodb+srv" if cfg!(feature = "dns-resolver") => true,
            "mongodb+srv" => {
                return Err(config(
                    "the scheme \"mongodb+srv\" needs the feature \"dns-resolver\" of cloakroom-mongodb",
                ));
            }
            scheme => {
                let known = "it is none of \"mongodb\" and \"mongodb+srv\"";
                return Err(url.wrong("scheme", known, Some(scheme)));
            }
        };
        check_login(&url)?;
        check_hosts(&url, srv)?;
        let database = url.decode("database", url.path().strip_prefix('/').unwrap_or_default())?;
        if !database.is_empty() && !is_database(&database) {
            let why = "it is no name of a database";
            return Err(url.wrong("database", why, Some(&database)));
        }

        // The driver takes one of its own as often as it comes.
        let mut parameters = url.parameters(&["readPreferenceTags"])?;
        // Whether its interval has a meaning is known after it.
        parameters.sort_by_key(|parameter| parameter.name != "autoRemove");
        let mut drivers = Vec::new();
        for parameter in &parameters {
            if parameter.name == "secret" {
                parameter::encrypt_with(&parameter.value, options)?;
                continue;
            }
            match parameter::apply(&parameter.name, &parameter.value, options) {
                Ok(Taken::Ours) => {}
                Ok(Taken::Drivers) => drivers.push(parameter),
                Err(why) => return Err(url.wrong("parameter", &why, Some(&parameter.name))),
            }
        }
        let connection = connection(&url, &drivers)?;
        if connection.write_concern.as_ref().is_some_and(is_unacknowledged) {
            let why = "w of 0 has no answers, and the store needs them";
            return Err(url.wrong("parameter", why, Some("w")));
        }
        let database = if database.is_empty() { DATABASE.to_owned() } else { database };
        let database = options.db_name.clone().unwrap_or(database);
        Ok(Self { connection, hosts: url.hosts().to_owned(), database })
    }
}

/// The driver is stricter than a URL.
fn check_login(url: &StoreUrl<'_>) -> Result<(), Error> {
    let why = "it has a character that has to be encoded: @ as %40, : as %3A, / as %2F, ? as %3F, # as %23";
    // What stands before it belongs to a password with a slash.
    if url.path().contains('@') {
        return Err(url.wrong("password", why, None));
    }
    let (user, password) = url.login().unwrap_or_default();
    for (part, text) in [("user", user), ("password", password.unwrap_or_default())] {
        if text.contains([':', '/', '?', '#', '[', ']', '@']) {
            return Err(url.wrong(part, why, None));
        }
        url.decode(part, text)?;
    }
    Ok(())
}

fn check_hosts(url: &StoreUrl<'_>, srv: bool) -> Result<(), Error> {
    for host in url.hosts().split(',') {
        // A socket, by its encoded path.
        if host.contains('%') {
            url.decode("host", host)?;
            continue;
        }
        let (_, port) = url.host(host)?;
        if srv && port.is_some() {
            return Err(url.wrong("port", "mongodb+srv has none", None));
        }
    }
    if srv && url.hosts().contains(',') {
        return Err(url.wrong("host", "mongodb+srv has one name", Some(url.hosts())));
    }
    Ok(())
}

/// Has the driver read its part of the URL. Its messages are not passed on: they can quote what is secret.
fn connection(
    url: &StoreUrl<'_>,
    drivers: &[&UrlParameter<'_>],
) -> Result<ConnectionString, Error> {
    let parse = |parameters: &[&UrlParameter<'_>]| {
        let pairs: Vec<_> = parameters.iter().map(|parameter| parameter.raw).collect();
        // The driver takes lower case only.
        let (scheme, place) = (url.scheme().to_ascii_lowercase(), url.place());
        ConnectionString::parse(format!("{scheme}://{place}?{}", pairs.join("&")))
    };
    if let Ok(connection) = parse(drivers) {
        return Ok(connection);
    }
    if parse(&[]).is_err() {
        return Err(config("invalid url: the driver does not take its hosts"));
    }
    match drivers.iter().find(|parameter| parse(&[parameter]).is_err()) {
        Some(parameter) => {
            let why = "the driver does not take its value";
            Err(url.wrong("parameter", why, Some(&parameter.name)))
        }
        None => Err(config("invalid url: the driver does not take these parameters together")),
    }
}

fn config(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, STORE, "open", message)
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
    fn a_wrong_url_is_a_config_error_that_names_the_part() {
        for (url, message) in [
            ("localhost:27017", "a url begins with mongodb:// or mongodb+srv://"),
            ("mongo://h", r#"invalid url: scheme "mongo": it is none of "mongodb" and "#),
            ("mongodb://", "invalid url: host: it is missing"),
            ("mongodb://a,,b", "invalid url: host: it is missing"),
            ("mongodb://a b", r#"invalid url: host "a b": it has a character"#),
            ("mongodb://h:x", "invalid url: port: it is none of 1 to 65535"),
            ("mongodb://h:0", r#"invalid url: port "0""#),
            ("mongodb://h/a.b", r#"invalid url: database "a.b": it is no name of a database"#),
            ("mongodb://h/a/b", r#"invalid url: database "a/b""#),
            ("mongodb://ann:100%@h", "invalid url: password: a percent sign in it has to be"),
            ("mongodb://ann:%ff@h", "invalid url: password: it is not UTF-8"),
            ("mongodb://ann:a@b@h", "invalid url: password: it has a character that has to be"),
            ("mongodb://h?ttl=x", r#"invalid url: parameter "ttl": it is no whole number"#),
            ("mongodb://h?tls=maybe", r#"invalid url: parameter "tls": the driver does not take"#),
        ] {
            let error = parse(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("mongodb: open: {message}")), "{url}: {text}");
        }
    }

    #[test]
    fn a_password_is_not_quoted_wherever_it_ends_up() {
        for url in [
            "mongodb://ann:s3cret",
            "mongodb://ann:s3c/ret@h",
            "mongodb://ann:s3c?ret@h",
            "mongodb://ann:s3c#ret@h",
            "mongodb://ann:s3c@ret@h",
            "mongodb://ann:s3c%ret@h",
            "mongodb://ann:s3c@h?x=ret@h",
            "mongodb://ann:s3cret@h?tls=maybe",
            "mongodb://h?tlsCertificateKeyFilePassword=s3cret&tls=maybe",
        ] {
            let error = parse(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            let text = format!("{error} {error:?}");
            assert!(!text.contains("s3c") && !text.contains("ret@"), "{url}: {text}");
        }
    }

    #[test]
    fn debug_has_no_password() {
        let text = format!("{:?}", MongoStore::open("mongodb://ann:secret@h/app").unwrap());
        assert!(text.contains("app") && !text.contains("secret"), "{text}");
    }

    #[cfg(not(feature = "dns-resolver"))]
    #[test]
    fn srv_without_the_feature_names_the_feature() {
        let error = parse("mongodb+srv://cluster.example.com").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("needs the feature \"dns-resolver\""), "{error}");
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
