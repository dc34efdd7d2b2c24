//! Converts a URL to a target.

use std::path::PathBuf;

use cloakroom_backend::StoreUrl;
use cloakroom_core::Error;
use zeroize::Zeroizing;

use crate::{
    RedisOptions,
    error::STORE,
    parameter,
    target::{Address, Target},
};

const DEFAULT_PORT: u16 = 6_379;

impl Target {
    /// Parses a URL. Parameters that are options replace those in `options`.
    pub(crate) fn parse(url: &str, options: &mut RedisOptions) -> Result<Self, Error> {
        let url = StoreUrl::parse(STORE, url, "redis://, rediss:// or unix://")?;
        let (user, password) = (url.user()?, url.password()?.map(Zeroizing::new));
        let mut target = match &*url.scheme().to_ascii_lowercase() {
            scheme @ ("redis" | "rediss") => {
                if url.hosts().contains(',') {
                    return Err(url.error(
                        "several hosts are not supported: name one Redis server; for a Redis Cluster, see RedisStore::with_connection",
                    ));
                }
                let (host, port) = url.host(url.hosts())?;
                let tls = scheme == "rediss";
                if tls && cfg!(not(feature = "tls")) {
                    return Err(url.error(
                        "the scheme \"rediss\" needs the feature \"redis-tls\" of cloakroom, or \"tls\" of cloakroom-redis",
                    ));
                }
                let (host, port) = (host.to_owned(), port.unwrap_or(DEFAULT_PORT));
                let address = Address::Tcp { host, port, tls };
                Self { address, user, password, database: database(&url)?, protocol: None }
            }
            "unix" | "redis+unix" => {
                if !url.hosts().is_empty() {
                    let why = "must be empty for a Unix socket, as in unix:///path";
                    return Err(url.invalid("host", why));
                }
                let path = match url.decode("path", url.path())? {
                    path if path.len() > 1 => PathBuf::from(path),
                    _ => return Err(url.invalid("path", "must not be empty")),
                };
                Self { address: Address::Unix(path), user, password, database: 0, protocol: None }
            }
            _ => return Err(url.unknown_scheme(&["redis", "rediss", "unix", "redis+unix"])),
        };
        let of_socket = matches!(target.address, Address::Unix(_));
        for parameter in url.parameters(&parameter::names(of_socket))? {
            parameter::apply(parameter, &mut target, options)?;
        }
        if target.user.is_some() && target.password.is_none() {
            return Err(url.error("a user requires a password, as in redis://user:password@host"));
        }
        if !matches!(target.address, Address::Tcp { tls: true, .. })
            && let Some(option) = options.of_tls()
        {
            let message = format!("the option {option:?} requires the scheme \"rediss\"");
            return Err(url.error(&message));
        }
        Ok(target)
    }
}

fn database(url: &StoreUrl<'_>) -> Result<u32, Error> {
    match url.path().strip_prefix('/').unwrap_or_default() {
        "" => Ok(0),
        text => parameter::database(text).map_err(|why| url.invalid("database", why)),
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::ErrorKind;

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
            assert_eq!(target.password.as_ref().map(|text| text.as_str()), password, "{url}");
            assert_eq!(target.database, database, "{url}");
            assert_eq!(target.protocol, None, "{url}");
        }
    }

    #[test]
    fn a_wrong_url_is_a_config_error_that_says_what_is_accepted() {
        for (url, message) in [
            ("localhost:6379", "invalid url: must begin with redis://, rediss:// or unix://"),
            ("redi://h", r#"unknown scheme "redi": did you mean "redis"?"#),
            ("http://h", "unknown scheme: must be one of redis, rediss, unix, redis+unix"),
            ("redis://", "invalid host: must not be empty"),
            ("redis://:6379", "invalid host: must not be empty"),
            (
                "redis://a,b:6380",
                "several hosts are not supported: name one Redis server; for a Redis Cluster, see RedisStore::with_connection",
            ),
            ("redis://h:x", "invalid port: must be between 1 and 65535"),
            ("redis://h:0", r#"invalid port "0": must be between 1 and 65535"#),
            ("redis://h:70000", r#"invalid port "70000": must be between 1 and 65535"#),
            ("redis://h/one", "invalid database: must be a whole number, as in redis://host/3"),
            ("redis://h/-1", "invalid database: must be a whole number, as in redis://host/3"),
            ("redis://h/+1", "invalid database: must be a whole number, as in redis://host/3"),
            ("redis://h/0/1", "invalid database: must be a whole number, as in redis://host/3"),
            ("redis://h#x", "fragments are not supported"),
            ("redis://ann@h", "a user requires a password, as in redis://user:password@host"),
            (
                "redis://h?db=3",
                r#"unknown parameter "db": write the database after the host, as in redis://host/3"#,
            ),
            (
                "redis://h?password=x",
                r#"unknown parameter "password": write the user and password before the host, as in redis://user:password@host"#,
            ),
            ("redis://h?tls=true", r#"unknown parameter "tls": for TLS, use the scheme "rediss""#),
            ("redis://h?ttl=x", r#"invalid parameter "ttl": must be a whole number of seconds"#),
            ("redis://h&ttl=5", "parameters must follow a \"?\""),
            ("unix:///s&password=x", "parameters must follow a \"?\""),
            ("unix://", "invalid path: must not be empty"),
            ("unix:///", "invalid path: must not be empty"),
            (
                "unix://run/redis.sock",
                "invalid host: must be empty for a Unix socket, as in unix:///path",
            ),
            (
                "unix:///s?db=x",
                r#"invalid parameter "db": must be a whole number, as in redis://host/3"#,
            ),
            ("redis://h?caFile=x", r#"the option "caFile" requires the scheme "rediss""#),
            ("redis://h?keyFile=x", r#"the option "keyFile" requires the scheme "rediss""#),
            (
                "unix:///s?insecureSkipVerify=true",
                r#"the option "insecureSkipVerify" requires the scheme "rediss""#,
            ),
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("redis: open: {message}")), "{url}: {text}");
        }
    }

    #[test]
    fn debug_has_no_login() {
        let text = format!("{:?}", RedisStore::open("redis://ann:hush@h/1").unwrap());
        assert!(text.contains("database: 1") && !text.contains("hush"), "{text}");
        let text = format!("{:?}", RedisStore::open("redis://hush:@h").unwrap());
        assert!(!text.contains("hush"), "{text}");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn rediss_without_the_feature_names_the_feature() {
        let error = parse("rediss://h").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("needs the feature \"redis-tls\" of cloakroom"),
            "{error}"
        );
    }

    #[cfg(feature = "tls")]
    #[test]
    fn rediss_is_tls() {
        let address = Address::Tcp { host: "h".to_owned(), port: 6_380, tls: true };
        assert_eq!(parse("rediss://h:6380").unwrap().address, address);
    }
}
