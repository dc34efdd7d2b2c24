//! Converts a URL to the place that it names.

use std::path::PathBuf;

use cloakroom_backend::StoreUrl;
use cloakroom_core::Error;
use zeroize::Zeroizing;

use crate::{
    RedisOptions,
    error::STORE,
    mode::Mode,
    parameter::{self, Names},
    target::{Address, Kind, Place, Route, Sentinels, Target},
};

const DEFAULT_PORT: u16 = 6_379;
const DEFAULT_PORT_OF_SENTINELS: u16 = 26_379;

/// The schemes: what each names, and whether it is TLS.
const SCHEMES: &[(&str, Kind, bool)] = &[
    ("redis", Kind::Server, false),
    ("rediss", Kind::Server, true),
    ("redis+cluster", Kind::Cluster, false),
    ("rediss+cluster", Kind::Cluster, true),
    ("redis+sentinel", Kind::Sentinels, false),
    ("rediss+sentinel", Kind::Sentinels, true),
    ("redis+unix", Kind::Socket, false),
    ("unix", Kind::Socket, false),
    ("valkey", Kind::Server, false),
    ("valkeys", Kind::Server, true),
    ("valkey+cluster", Kind::Cluster, false),
    ("valkeys+cluster", Kind::Cluster, true),
    ("valkey+sentinel", Kind::Sentinels, false),
    ("valkeys+sentinel", Kind::Sentinels, true),
    ("valkey+unix", Kind::Socket, false),
];

impl Place {
    /// Parses a URL. Parameters that are options replace those in `options`.
    pub(crate) fn parse(url: &str, options: &mut RedisOptions) -> Result<Self, Error> {
        let url = StoreUrl::parse(STORE, url, "redis://, rediss:// or unix://")?;
        let typed = url.scheme().to_ascii_lowercase();
        let Some(&(_, kind, tls)) = SCHEMES.iter().find(|(scheme, ..)| *scheme == typed) else {
            let known: Vec<_> = SCHEMES.iter().map(|(scheme, ..)| *scheme).collect();
            return Err(url.unknown_scheme(&known));
        };
        if tls && cfg!(not(feature = "tls")) {
            return Err(url.scheme_needs_feature(["redis-tls", "tls"], "cloakroom-redis"));
        }
        let addresses = addresses(&url, kind, tls)?;
        // There is at least one: without a comma, the whole text is a host.
        let address = addresses[0].clone();
        let (name, database) = name_and_database(&url, kind)?;
        let mode = if kind == Kind::Cluster { Mode::Cluster } else { Mode::Standalone };
        let (user, password) = (url.user()?, url.password()?.map(Zeroizing::new));
        let mut target = Target { address, user, password, database, protocol: None, mode };
        let mut sentinel = Target {
            user: None,
            password: None,
            database: 0,
            mode: Mode::Sentinel,
            ..target.clone()
        };
        for parameter in url.parameters(&Names::of(kind).get())? {
            parameter::apply(parameter, &mut target, &mut sentinel, options)?;
        }
        if target.user.is_some() && target.password.is_none() {
            return Err(url.error("a user requires a password, as in redis://user:password@host"));
        }
        if sentinel.user.is_some() && sentinel.password.is_none() {
            return Err(url.error("\"sentinelUsername\" requires \"sentinelPassword\""));
        }
        if !tls && let Some(option) = options.of_tls() {
            let message = format!("the option {option:?} requires the scheme \"rediss\"");
            return Err(url.error(&message));
        }
        Ok(match kind {
            Kind::Server | Kind::Socket => Self::Server(Route::Fixed(target)),
            Kind::Cluster => Self::Cluster(target, addresses),
            Kind::Sentinels => {
                let sentinels = addresses.into_iter().map(|it| sentinel.at(it)).collect();
                Self::Server(Route::Master(Sentinels::new(sentinels, name.to_owned(), target)))
            }
        })
    }
}

/// Returns the servers that the URL names, at least one.
fn addresses(url: &StoreUrl<'_>, kind: Kind, tls: bool) -> Result<Vec<Address>, Error> {
    if kind == Kind::Socket {
        if !url.hosts().is_empty() {
            let why = "must be empty for a Unix socket, as in unix:///path";
            return Err(url.invalid("host", why));
        }
        return match url.decode("path", url.path())? {
            path if path.len() > 1 => Ok(vec![Address::Unix(PathBuf::from(path))]),
            _ => Err(url.invalid("path", "must not be empty")),
        };
    }
    if kind == Kind::Server && url.hosts().contains(',') {
        return Err(url.error(
            "several hosts are not supported: name one Redis server, or write redis+cluster:// for a Redis Cluster and redis+sentinel:// for sentinels",
        ));
    }
    let default = if kind == Kind::Sentinels { DEFAULT_PORT_OF_SENTINELS } else { DEFAULT_PORT };
    let address = |text| {
        let (host, port) = url.host(text)?;
        Ok(Address::Tcp { host: host.to_owned(), port: port.unwrap_or(default), tls })
    };
    url.hosts().split(',').map(address).collect()
}

/// Returns the name of the master, which only sentinels have, and the database.
fn name_and_database<'u>(url: &'u StoreUrl<'_>, kind: Kind) -> Result<(&'u str, u32), Error> {
    let path = url.path().strip_prefix('/').unwrap_or_default();
    match kind {
        Kind::Socket => Ok(("", 0)),
        Kind::Server => Ok(("", database(url, path)?)),
        Kind::Cluster if ["", "0"].contains(&path) => Ok(("", 0)),
        Kind::Cluster => Err(url.invalid("database", "a Redis Cluster has only the database 0")),
        Kind::Sentinels => {
            let (name, number) = path.split_once('/').unwrap_or((path, ""));
            // Sentinel accepts no other characters in a name (`sentinel.c`, createSentinelRedisInstance).
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_plain) {
                let why = "must consist of letters, digits, \".\", \"-\" and \"_\", as in redis+sentinel://host/mymaster";
                return Err(url.invalid("name of the master", why));
            }
            Ok((name, database(url, number)?))
        }
    }
}

fn database(url: &StoreUrl<'_>, text: &str) -> Result<u32, Error> {
    if text.is_empty() {
        return Ok(0);
    }
    parameter::database(text).map_err(|why| url.invalid("database", why))
}

#[cfg(test)]
mod tests {
    use cloakroom_core::ErrorKind;

    use super::*;
    use crate::RedisStore;

    fn place(url: &str) -> Result<Place, Error> {
        Place::parse(url, &mut RedisOptions::default())
    }

    fn parse(url: &str) -> Result<Target, Error> {
        match place(url)? {
            Place::Server(Route::Fixed(target)) => Ok(target),
            place => panic!("{url}: {place:?}"),
        }
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
            ("http://h", "unknown scheme: must be one of redis, rediss, redis+cluster, "),
            ("redis://", "invalid host: must not be empty"),
            ("redis://:6379", "invalid host: must not be empty"),
            (
                "redis://a,b:6380",
                "several hosts are not supported: name one Redis server, or write redis+cluster:// for a Redis Cluster and redis+sentinel:// for sentinels",
            ),
            ("redis+cluster://a,,b", "invalid host: must not be empty"),
            ("redis+cluster://a/1", "invalid database: a Redis Cluster has only the database 0"),
            ("redis+cluster://a?sentinelPassword=b", "unknown parameter: must be one of prefix"),
            ("redis+sentinel://a", "invalid name of the master: must consist of letters, digits"),
            ("redis+sentinel://a/", "invalid name of the master: must consist of letters, digits"),
            ("redis+sentinel://a/b%20c", "invalid name of the master: must consist of letters"),
            ("redis+sentinel://a/b/c", "invalid database: must be a whole number"),
            ("redis+sentinel://a/b/0/1", "invalid database: must be a whole number"),
            (
                "redis+sentinel://a/b?sentinelUsername=c",
                r#""sentinelUsername" requires "sentinelPassword""#,
            ),
            (
                "redis+sentinel://a/b?sentinel_password=c",
                r#"unknown parameter "sentinel_password": did you mean "sentinelPassword"?"#,
            ),
            ("redis+sentinal://a/b", r#"unknown scheme "redis+sentinal": did you mean"#),
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
            let error = place(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("redis: open: {message}")), "{url}: {text}");
        }
    }

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        for (url, hosts) in [
            ("redis+cluster://a,b:7001,[::1]:7002/0", "a:6379 b:7001 [::1]:7002"),
            ("valkey+cluster://:pass@a", "a:6379"),
        ] {
            let Place::Cluster(login, nodes) = place(url).unwrap() else { panic!("{url}") };
            let named: Vec<_> = nodes.iter().map(Address::to_string).collect();
            assert_eq!(named.join(" "), hosts);
            assert_eq!(
                login.password.as_deref().map(String::as_str),
                url.contains("pass").then_some("pass")
            );
        }
    }

    #[test]
    fn a_master_is_named_by_its_sentinels_which_have_a_login_of_their_own() {
        let url =
            "redis+sentinel://ann:pw@a,b:5/my-master/3?sentinelUsername=eve&sentinelPassword=s%26";
        let Place::Server(Route::Master(sentinels)) = place(url).unwrap() else { panic!() };
        assert_eq!((&*sentinels.name, sentinels.master.database), ("my-master", 3));
        let master = &sentinels.master;
        assert_eq!(
            (master.user.as_deref(), master.password.as_deref().map(String::as_str)),
            (Some("ann"), Some("pw"))
        );
        let order = || sentinels.in_order().map(|it| it.address.to_string()).collect::<Vec<_>>();
        assert_eq!(order(), ["a:26379", "b:5"]);
        sentinels.distrust_the_first();
        assert_eq!(order(), ["b:5", "a:26379"]);
        for sentinel in &sentinels.sentinels {
            assert_eq!(sentinel.user.as_deref(), Some("eve"));
            assert_eq!(sentinel.password.as_deref().map(String::as_str), Some("s&"));
            assert_eq!(sentinel.database, 0);
        }
        let Place::Server(Route::Master(plain)) = place("valkey+sentinel://:pw@a/m").unwrap()
        else {
            panic!()
        };
        assert_eq!(plain.sentinels[0].password, None, "the master's password is not for sentinels");
    }

    #[test]
    fn valkey_is_another_name_of_redis() {
        assert_eq!(parse("valkey://h/2").unwrap(), parse("redis://h/2").unwrap());
        assert_eq!(parse("valkey+unix:///s").unwrap(), parse("unix:///s").unwrap());
    }

    #[test]
    fn debug_has_no_login() {
        let text = format!("{:?}", RedisStore::open("redis://ann:hush@h/1").unwrap());
        assert!(text.contains("database: 1") && !text.contains("hush"), "{text}");
        for url in [
            "redis://hush:@h",
            "redis+cluster://hush:hush@h",
            "redis+sentinel://hush:hush@h/m?sentinelUsername=hush&sentinelPassword=hush",
        ] {
            let text = format!("{:?}", RedisStore::open(url).unwrap());
            assert!(!text.contains("hush"), "{text}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn rediss_is_tls() {
        let address = Address::Tcp { host: "h".to_owned(), port: 6_380, tls: true };
        assert_eq!(parse("rediss://h:6380").unwrap().address, address);
    }
}
