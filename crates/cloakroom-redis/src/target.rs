//! What a URL says: where the server is, and who asks.

use std::{fmt, path::PathBuf};

use cloakroom_core::{Error, ErrorKind, StoreUrl, UrlParameter};
use redis::ProtocolVersion;

use crate::{RedisOptions, error::STORE, parameter};

const DEFAULT_PORT: u16 = 6_379;

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Everything that a connection needs.
#[derive(Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    /// What the URL asks for, or `None` for RESP3 where the server speaks it.
    pub(crate) protocol: Option<ProtocolVersion>,
}

impl Target {
    /// Reads a URL. Its parameters that are options go over those in `options`.
    pub(crate) fn parse(url: &str, options: &mut RedisOptions) -> Result<Self, Error> {
        let url = StoreUrl::parse(STORE, url, "redis://, rediss:// or unix://")?;
        let (user, password) = (url.user()?, url.password()?);
        let mut target = match &*url.scheme().to_ascii_lowercase() {
            scheme @ ("redis" | "rediss") => {
                let (host, port) = url.host(url.hosts())?;
                let tls = scheme == "rediss";
                if tls && cfg!(not(feature = "tls")) {
                    return Err(config(
                        "the scheme \"rediss\" needs the feature \"tls\" of cloakroom-redis",
                    ));
                }
                let (host, port) = (host.to_owned(), port.unwrap_or(DEFAULT_PORT));
                let address = Address::Tcp { host, port, tls };
                Self { address, user, password, database: database(&url)?, protocol: None }
            }
            "unix" | "redis+unix" => {
                if !url.hosts().is_empty() {
                    // What stands behind a colon can be a password whose `@` is missing.
                    let quoted = Some(url.hosts()).filter(|hosts| !hosts.contains(':'));
                    return Err(url.wrong("host", "a socket has none", quoted));
                }
                let path = match url.decode("path", url.path())? {
                    path if path.len() > 1 => PathBuf::from(path),
                    _ => return Err(url.wrong("path", "it is missing", None)),
                };
                Self { address: Address::Unix(path), user, password, database: 0, protocol: None }
            }
            scheme => {
                let known = "it is none of \"redis\", \"rediss\", \"unix\" and \"redis+unix\"";
                return Err(url.wrong("scheme", known, Some(scheme)));
            }
        };
        for UrlParameter { name, value, .. } in url.parameters(&[])? {
            parameter::apply(&name, &value, &mut target, options)
                .map_err(|why| url.wrong("parameter", &why, Some(&name)))?;
        }
        if target.user.is_some() && target.password.is_none() {
            return Err(url.wrong("user", "it has no password", None));
        }
        if options.ca_file.is_some() && !matches!(target.address, Address::Tcp { tls: true, .. }) {
            return Err(config("the option \"caFile\" needs the scheme \"rediss\""));
        }
        Ok(target)
    }
}

fn database(url: &StoreUrl<'_>) -> Result<u32, Error> {
    match url.path().strip_prefix('/').unwrap_or_default() {
        "" => Ok(0),
        number => {
            number.parse().map_err(|_| url.wrong("database", "it is no number", Some(number)))
        }
    }
}

fn config(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, STORE, "open", message)
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("address", &self.address)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RedisStore;

    fn parse(url: &str) -> Result<Target, Error> {
        Target::parse(url, &mut RedisOptions::default())
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.to_owned(), port, tls: false }
    }

    #[test]
    fn urls_are_read() {
        let unix = |path: &str| Address::Unix(PathBuf::from(path));
        for (url, address, user, password, database) in [
            ("redis://localhost", tcp("localhost", 6_379), None, None, 0),
            ("redis://localhost/", tcp("localhost", 6_379), None, None, 0),
            ("Redis://localhost", tcp("localhost", 6_379), None, None, 0),
            ("redis://10.0.0.1:7000/15", tcp("10.0.0.1", 7_000), None, None, 15),
            ("redis://[::1]:7000/1", tcp("::1", 7_000), None, None, 1),
            ("redis://[fe80::1]", tcp("fe80::1", 6_379), None, None, 0),
            ("redis://my_cache.svc:1?prefix=a", tcp("my_cache.svc", 1), None, None, 0),
            ("redis://:pass@h", tcp("h", 6_379), None, Some("pass"), 0),
            ("redis://ann:p%40ss%2F%3f%23@h", tcp("h", 6_379), Some("ann"), Some("p@ss/?#"), 0),
            ("redis://ann:a@b@h", tcp("h", 6_379), Some("ann"), Some("a@b"), 0),
            ("redis://ann:a:b@h", tcp("h", 6_379), Some("ann"), Some("a:b"), 0),
            ("redis://:%E2%82%AC@h", tcp("h", 6_379), None, Some("€"), 0),
            ("unix:///run/redis.sock", unix("/run/redis.sock"), None, None, 0),
            ("unix:///a%20b?db=3", unix("/a b"), None, None, 3),
            (
                "redis+unix:///s?user=ann&password=p%26w&db=1",
                unix("/s"),
                Some("ann"),
                Some("p&w"),
                1,
            ),
            ("redis+unix://ann:pw@/s", unix("/s"), Some("ann"), Some("pw"), 0),
        ] {
            let target = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(target.address, address, "{url}");
            assert_eq!(target.user.as_deref(), user, "{url}");
            assert_eq!(target.password.as_deref(), password, "{url}");
            assert_eq!(target.database, database, "{url}");
            assert_eq!(target.protocol, None, "{url}");
        }
    }

    #[test]
    fn a_wrong_url_is_a_config_error_that_names_the_part() {
        for (url, message) in [
            ("localhost:6379", "a url begins with redis://, rediss:// or unix://"),
            ("redi://h", r#"invalid url: scheme "redi": it is none of "redis", "rediss", "#),
            ("redis://", "invalid url: host: it is missing"),
            ("redis://:6379", "invalid url: host: it is missing"),
            ("redis://a b", r#"invalid url: host "a b": it has a character"#),
            ("redis://[::x]", r#"invalid url: host "[::x]": it is no IPv6 address"#),
            ("redis://[::1]6379", r#"invalid url: host "[::1]6379": it is no IPv6 address"#),
            ("redis://h:x", "invalid url: port: it is none of 1 to 65535"),
            ("redis://h:0", r#"invalid url: port "0""#),
            ("redis://h:65536", r#"invalid url: port "65536""#),
            ("redis://h/one", r#"invalid url: database "one": it is no number"#),
            ("redis://h/-1", r#"invalid url: database "-1""#),
            ("redis://h/0/1", r#"invalid url: database "0/1""#),
            ("redis://h#x", "invalid url: fragment: there is none"),
            (
                "redis://:100%@h",
                "invalid url: password: a percent sign in it has to be written as %25",
            ),
            ("redis://:%ff@h", "invalid url: password: it is not UTF-8"),
            ("redis://ann@h", "invalid url: user: it has no password"),
            (
                "redis://h?prefix=a&prefix=b",
                r#"invalid url: parameter "prefix": it is given twice"#,
            ),
            ("redis://h?db=1", r#"invalid url: parameter "db": it is none of"#),
            ("redis://h?ttl=x", r#"invalid url: parameter "ttl": it is no whole number"#),
            ("unix://", "invalid url: path: it is missing"),
            ("unix:///", "invalid url: path: it is missing"),
            ("unix://run/redis.sock", r#"invalid url: host "run": a socket has none"#),
            ("redis://h?caFile=x", r#"the option "caFile" needs the scheme "rediss""#),
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("redis: open: {message}")), "{url}: {text}");
        }
    }

    #[test]
    fn a_password_is_not_quoted_wherever_it_ends_up() {
        for url in [
            "redis://ann:secret",
            "redis://:sec/ret@h",
            "redis://:sec?ret@h",
            "redis://:sec#ret@h",
            "redis://ann:sec@h/ret@h",
            "redis://ann:sec%ret@h",
            "redis://ann:sec@h?x=ret@h",
            "redis://h?password=secret",
            "unix:///s?password=secret&db=x",
            "unix://:secret/run/redis.sock",
        ] {
            let error = parse(url).expect_err(url);
            let text = format!("{error} {error:?}");
            assert!(!text.contains("sec") && !text.contains("ret@"), "{url}: {text}");
        }
    }

    #[test]
    fn debug_has_no_password() {
        let text = format!("{:?}", RedisStore::open("redis://ann:secret@h/1").unwrap());
        assert!(text.contains("ann") && !text.contains("secret"), "{text}");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn rediss_without_the_feature_names_the_feature() {
        let error = parse("rediss://h").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("needs the feature \"tls\""), "{error}");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn rediss_is_tls() {
        let address = Address::Tcp { host: "h".to_owned(), port: 6_380, tls: true };
        assert_eq!(parse("rediss://h:6380").unwrap().address, address);
    }
}
