//! What a URL says: where the servers are, and who asks.

use std::fmt;

use cloakroom_core::{Error, ErrorKind};
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
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(config("a url begins with mongodb:// or mongodb+srv://".to_owned()));
        };
        let (before, query) = cut(rest, '?');
        let (login, place) = match before.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, before),
        };
        let (hosts, path) = cut(place, '/');
        // What is behind a `?` or `/` can belong to a password that is not encoded.
        let torn = [path, query].into_iter().flatten().any(|part| part.contains('@'));
        let parts = Parts { torn };

        match scheme {
            "mongodb" => {}
            "mongodb+srv" if cfg!(feature = "dns-resolver") => {}
            "mongodb+srv" => {
                let message = "the scheme \"mongodb+srv\" needs the feature \"dns-resolver\" of cloakroom-mongodb";
                return Err(config(message.to_owned()));
            }
            _ => {
                let known = "it is none of \"mongodb\" and \"mongodb+srv\"";
                return Err(parts.wrong("scheme", known, Some(scheme)));
            }
        }
        let srv = scheme == "mongodb+srv";
        if let Some(login) = login {
            let (user, password) = cut(login, ':');
            parts.check_login("user", user)?;
            parts.check_login("password", password.unwrap_or_default())?;
        }
        for host in hosts.split(',') {
            parts.check_host(host, srv)?;
        }
        if srv && hosts.contains(',') {
            return Err(parts.wrong("host", "mongodb+srv has one name", Some(hosts)));
        }
        let database = parts.decode("database", path.unwrap_or_default())?;
        if !database.is_empty() && !is_database(&database) {
            let why = "it is no name of a database";
            return Err(parts.wrong("database", why, Some(&database)));
        }

        let mut parameters: Vec<(String, String, &str)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = cut(pair, '=');
            let name = parts.decode("parameter", name)?;
            let value = parts.decode("parameter", value.unwrap_or_default())?;
            // The driver takes one of its own as often as it comes.
            if parameters.iter().any(|(known, ..)| known.eq_ignore_ascii_case(&name))
                && !name.eq_ignore_ascii_case("readPreferenceTags")
            {
                return Err(parts.wrong("parameter", "it is given twice", Some(&name)));
            }
            parameters.push((name, value, pair));
        }
        // Whether its interval has a meaning is known after it.
        parameters.sort_by_key(|(name, ..)| name != "autoRemove");
        let mut drivers = Vec::new();
        for (name, value, pair) in &parameters {
            if name == "secret" {
                parameter::encrypt_with(value, options)?;
                continue;
            }
            match parameter::apply(name, value, options) {
                Ok(Taken::Ours) => {}
                Ok(Taken::Drivers) => drivers.push((&**name, *pair)),
                Err(why) => return Err(parts.wrong("parameter", &why, Some(name))),
            }
        }
        let connection = parts.connection(scheme, before, &drivers)?;
        if connection.write_concern.as_ref().is_some_and(is_unacknowledged) {
            let why = "w of 0 has no answers, and the store needs them";
            return Err(parts.wrong("parameter", why, Some("w")));
        }
        let database = if database.is_empty() { DATABASE.to_owned() } else { database };
        let database = options.db_name.clone().unwrap_or(database);
        Ok(Self { connection, hosts: hosts.to_owned(), database })
    }
}

/// The parts of one URL, and whether a message can quote them.
struct Parts {
    torn: bool,
}

impl Parts {
    fn check_login(&self, part: &str, text: &str) -> Result<(), Error> {
        if text.contains([':', '/', '?', '#', '[', ']', '@']) {
            let why = "it has a character that has to be encoded: @ as %40, : as %3A, / as %2F, ? as %3F, # as %23";
            return Err(self.wrong(part, why, None));
        }
        self.decode(part, text).map(drop)
    }

    fn check_host(&self, text: &str, srv: bool) -> Result<(), Error> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => cut(text, ':'),
        };
        if host.is_empty() {
            return Err(self.wrong("host", "it is missing", None));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
        if !host.bytes().all(is_name) {
            return Err(self.wrong("host", "it has a character that no name has", Some(host)));
        }
        match port {
            Some(_) if srv => Err(self.wrong("port", "mongodb+srv has none", None)),
            Some(port) if !port.parse::<u16>().is_ok_and(|port| port > 0) => {
                // What is no number here can be a password whose `@` and host are missing.
                let number = port.bytes().all(|byte| byte.is_ascii_digit()).then_some(port);
                Err(self.wrong("port", "it is none of 1 to 65535", number))
            }
            _ => Ok(()),
        }
    }

    /// Has the driver read its part of the URL. Its messages are not passed on: they can quote what is secret.
    fn connection(
        &self,
        scheme: &str,
        place: &str,
        drivers: &[(&str, &str)],
    ) -> Result<ConnectionString, Error> {
        let parse = |pairs: &[&str]| {
            ConnectionString::parse(format!("{scheme}://{place}?{}", pairs.join("&")))
        };
        let all: Vec<&str> = drivers.iter().map(|(_, pair)| *pair).collect();
        if let Ok(connection) = parse(&all) {
            return Ok(connection);
        }
        if parse(&[]).is_err() {
            return Err(config("invalid url: the driver does not take its hosts".to_owned()));
        }
        let why = "the driver does not take its value";
        match drivers.iter().find(|(_, pair)| parse(&[pair]).is_err()) {
            Some((name, _)) => Err(self.wrong("parameter", why, Some(name))),
            None => Err(config(
                "invalid url: the driver does not take these parameters together".to_owned(),
            )),
        }
    }

    /// `%40` is `@`. A `+` stays what it is.
    fn decode(&self, part: &str, text: &str) -> Result<String, Error> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let [byte, after @ ..] = rest {
            rest = after;
            if *byte != b'%' {
                bytes.push(*byte);
                continue;
            }
            let code = after.first_chunk::<2>().and_then(|[high, low]| {
                Some(char::from(*high).to_digit(16)? * 16 + char::from(*low).to_digit(16)?)
            });
            let Some(code) = code.and_then(|code| u8::try_from(code).ok()) else {
                let why = "a percent sign in it has to be written as %25";
                return Err(self.wrong(part, why, None));
            };
            bytes.push(code);
            rest = &after[2..];
        }
        String::from_utf8(bytes).map_err(|_| self.wrong(part, "it is not UTF-8", None))
    }

    fn wrong(&self, part: &str, why: &str, text: Option<&str>) -> Error {
        config(match text {
            _ if self.torn => format!(
                "invalid url: {part}: {why}; a password has its @, /, ? and # as %40, %2F, %3F and %23"
            ),
            Some(text) => format!("invalid url: {part} {text:?}: {why}"),
            None => format!("invalid url: {part}: {why}"),
        })
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, STORE, "open", message)
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
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
