//! Opens a store by its URL. Only this crate knows every store; the stores do not know each other.

use cloakroom_backend::{ParameterNames, StoreUrl};
use cloakroom_compat::ExpressSession;
use cloakroom_core::{Error, ErrorKind, MemoryOptions, MemoryStore};

#[cfg(feature = "node")]
pub use cloakroom_node as node;

type Open = fn(&str) -> Result<ExpressSession, Error>;

/// A backend and the schemes of its URLs.
struct Backend {
    schemes: &'static [&'static str],
    /// The feature that turns it on.
    feature: &'static str,
    /// `None` if the feature is off.
    open: Option<Open>,
}

/// Makes the list of backends, and the module that each store's crate is reached by.
macro_rules! backends {
    ($($name:ident($on:literal) = $krate:ident::$store:ident { $($feature:literal: $($scheme:literal),+;)+ })+) => {
        $(
            #[cfg(feature = $on)]
            pub use $krate as $name;
        )+

        const BACKENDS: &[Backend] = &[
            // It needs no feature.
            Backend { schemes: &["memory"], feature: "", open: Some(memory) },
            // It is a callback store.
            Backend {
                schemes: &["node"],
                feature: "node",
                #[cfg(feature = "node")]
                open: Some(node_store),
                #[cfg(not(feature = "node"))]
                open: None,
            },
            $($(Backend {
                schemes: &[$($scheme),+],
                feature: $feature,
                #[cfg(feature = $feature)]
                open: Some(|url| $krate::$store::open(url).map(ExpressSession::new)),
                #[cfg(not(feature = $feature))]
                open: None,
            },)+)+
        ];
    };
}

// A module here and the feature that turns it on, the store, and the schemes that each feature knows.
backends! {
    redis("redis") = cloakroom_redis::RedisStore {
        "redis": "redis", "redis+unix", "unix", "redis+cluster", "redis+sentinel", "valkey", "valkey+unix",
            "valkey+cluster", "valkey+sentinel";
        "redis-tls": "rediss", "rediss+cluster", "rediss+sentinel", "valkeys", "valkeys+cluster",
            "valkeys+sentinel";
    }
    memcached("memcached") = cloakroom_memcached::MemcachedStore {
        "memcached": "memcached";
    }
    mongodb("mongodb") = cloakroom_mongodb::MongoStore {
        "mongodb": "mongodb";
        "mongodb-srv": "mongodb+srv";
    }
    file("file") = cloakroom_file::FileStore {
        "file": "file";
    }
    sql("sql") = cloakroom_sql::SqlStore {
        "postgres": "postgres", "postgresql";
        "mysql": "mysql", "mariadb";
        "sqlite": "sqlite";
    }
}

/// Opens the sessions at a URL.
///
/// | URL | sessions in | feature |
/// | --- | --- | --- |
/// | `memory:` | this process; each call creates a new store. Parameters `ttl` (seconds) and `maxSessions` | – |
/// | `redis://user:password@host:6379/0` | Redis, as connect-redis stores them | `redis` |
/// | `rediss://…` | Redis over TLS | `redis-tls` |
/// | `unix:///path`, `redis+unix:///path` | Redis on a Unix socket | `redis` |
/// | `redis+cluster://h1,h2:7000` | a Redis Cluster, of which the URL names some nodes | `redis` |
/// | `redis+sentinel://h1,h2:26379/mymaster/0` | Redis, on the master that the sentinels name | `redis` |
/// | `valkey:`, `valkeys:`, `valkey+…` | Valkey: other names for `redis:`, `rediss:`, `redis+…` | as those |
/// | `memcached://h1,h2:11212` | Memcached, as connect-memcached stores them | `memcached` |
/// | `mongodb://…` | MongoDB, as connect-mongo stores them | `mongodb` |
/// | `mongodb+srv://…` | MongoDB, with servers looked up in the DNS | `mongodb-srv` |
/// | `file:///folder` | files, as session-file-store stores them | `file` |
/// | `postgres://user:password@host/database?timeZone=UTC` | PostgreSQL, as connect-pg-simple stores them, or another npm store: `counterpart=…` | `postgres` |
/// | `mysql://user:password@host/database`, `mariadb:` | MySQL or MariaDB, as express-mysql-session stores them, or another npm store | `mysql` |
/// | `sqlite:sessions.db`, `sqlite:///path` | a SQLite file, as connect-sqlite3 stores them, or another npm store | `sqlite` |
/// | `node:./store.mjs` | any Connect store of npm, which this file makes, in a Node.js process | `node` |
///
/// Options are query parameters with the names of the npm package: `redis://localhost?prefix=app:&ttl=3600`.
/// This function does not connect; the first operation does. So a service can start while its backend is unavailable.
///
/// # Errors
///
/// [`Config`](ErrorKind::Config) if the scheme is unknown or its feature is off, or if a host, port or
/// parameter is invalid. The message names the part and says what is accepted, but never quotes a part that may contain a
/// secret. White space is an error everywhere.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let sessions = cloakroom::open("memory:")?;
/// let (sid, session) = sessions.generate()?;
/// sessions.set(&sid, &session).await?;
/// assert!(sessions.get(&sid).await?.is_some());
///
/// let error = cloakroom::open("redi://localhost").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"cloakroom: open: unknown scheme "redi": did you mean "redis"?"#,
/// );
/// # Ok::<(), cloakroom::Error>(()) }).unwrap();
/// ```
pub fn open(url: &str) -> Result<ExpressSession, Error> {
    // RFC 3986 3.1: schemes are case-insensitive.
    let typed = url.split(':').next().unwrap_or_default();
    let scheme = typed.to_ascii_lowercase();
    match BACKENDS.iter().find(|backend| backend.schemes.contains(&&*scheme)) {
        Some(Backend { open: Some(open), .. }) => open(url),
        Some(backend) => Err(is_off(typed, backend.feature)),
        None => {
            let known: Vec<_> =
                BACKENDS.iter().flat_map(|backend| backend.schemes).copied().collect();
            let beginnings =
                format!("a scheme such as redis://; known schemes are {}", known.join(", "));
            Err(StoreUrl::parse("cloakroom", url, &beginnings)?.unknown_scheme(&known))
        }
    }
}

const OPTIONS_OF_MEMORY: ParameterNames<'_> = ParameterNames {
    exact: &["ttl", "maxSessions"],
    any_case: &[],
    repeatable: &[],
    elsewhere: &[],
};

fn memory(url: &str) -> Result<ExpressSession, Error> {
    // This scheme works without `//`, because it has no host.
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    let url = format!("memory://{}", rest.strip_prefix("//").unwrap_or(rest));
    let url = StoreUrl::parse("memory", &url, "memory:")?;
    if !["", "/"].contains(&url.place()) {
        return Err(url.error(
            "a host or path is not supported; write parameters only, as in memory:?ttl=60",
        ));
    }
    let mut options = MemoryOptions::default();
    for parameter in url.parameters(&OPTIONS_OF_MEMORY)? {
        match &*parameter.name {
            "ttl" => options.ttl = parameter.seconds()?,
            _ => options.max_sessions = parameter.number("sessions")?,
        }
    }
    Ok(ExpressSession::new(MemoryStore::with_options(options)))
}

#[cfg(feature = "node")]
fn node_store(url: &str) -> Result<ExpressSession, Error> {
    let store = cloakroom_node::NodeStore::open(url)?;
    Ok(ExpressSession::new(cloakroom_compat::promisify_store(store)))
}

/// The error if the feature of a scheme is off. It does not quote the URL, which may contain a password.
fn is_off(scheme: &str, feature: &str) -> Error {
    let message = format!("the scheme {scheme:?} needs the feature {feature:?} of cloakroom");
    Error::new(ErrorKind::Config, "cloakroom", "open", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_is_an_error_that_says_what_is_accepted() {
        const KNOWN: &str = "memory, node, redis, redis+unix, unix, redis+cluster, redis+sentinel, valkey, valkey+unix, valkey+cluster, valkey+sentinel, rediss, rediss+cluster, rediss+sentinel, valkeys, valkeys+cluster, valkeys+sentinel, memcached, mongodb, mongodb+srv, file, postgres, postgresql, mysql, mariadb, sqlite";
        let no_scheme = format!(
            "cloakroom: open: invalid url: must begin with a scheme such as redis://; known schemes are {KNOWN}"
        );
        let unknown = format!("cloakroom: open: unknown scheme: must be one of {KNOWN}");
        let redis = "cloakroom: open: invalid url: must not ";
        for (url, wanted) in [
            ("", &*no_scheme),
            ("localhost", &no_scheme),
            ("localhost:6379", &no_scheme),
            ("hush@localhost:6379", &no_scheme),
            ("ann:hush@localhost", &no_scheme),
            ("//ann:hush@localhost", &no_scheme),
            ("hush://localhost", &unknown),
            ("://hush", &unknown),
            (
                "redi://localhost",
                r#"cloakroom: open: unknown scheme "redi": did you mean "redis"?"#,
            ),
            ("mongo://h", r#"cloakroom: open: unknown scheme "mongo": did you mean "mongodb"?"#),
            (" redis://localhost", redis),
            ("\u{feff}redis://localhost", redis),
            (
                "memory://hush",
                "memory: open: a host or path is not supported; write parameters only, as in memory:?ttl=60",
            ),
            (
                "memory:&ttl=5",
                "memory: open: parameters must follow a \"?\"; elsewhere, write & as %26 and = as %3D",
            ),
            ("memory:#a", "memory: open: fragments are not supported"),
            ("memory:?ttl=5\n", "memory: open: invalid url: must not end with white space"),
            (
                "memory:?ttl=soon",
                r#"memory: open: invalid parameter "ttl": must be a whole number of seconds above zero"#,
            ),
            (
                "memory:?ttl=0",
                r#"memory: open: invalid parameter "ttl": must be a whole number of seconds above zero"#,
            ),
            (
                "memory:?size=5",
                r#"memory: open: unknown parameter "size": must be one of ttl, maxSessions"#,
            ),
            (
                "memory:?max_sessions=5",
                r#"memory: open: unknown parameter "max_sessions": did you mean "maxSessions"?"#,
            ),
        ] {
            let error = open(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(error.to_string().starts_with(wanted), "{url}: {error}");
        }
    }

    #[test]
    fn memory_takes_its_options_from_the_url() {
        for url in ["memory:", "memory://", "MEMORY:?ttl=60&maxSessions=10", "memory:?"] {
            assert_eq!(open(url).unwrap().name(), "memory", "{url}");
        }
    }

    #[test]
    #[cfg(not(any(
        feature = "redis",
        feature = "memcached",
        feature = "mongodb",
        feature = "file",
        feature = "node"
    )))]
    fn a_feature_that_is_off_is_named() {
        for (scheme, feature) in [
            ("redis", "redis"),
            ("REDISS", "redis-tls"),
            ("redis+cluster", "redis"),
            ("valkeys+sentinel", "redis-tls"),
            ("memcached", "memcached"),
            ("mongodb", "mongodb"),
            ("mongodb+srv", "mongodb-srv"),
            ("file", "file"),
            ("node", "node"),
        ] {
            let error =
                open(&format!("{scheme}://user:hunter2@localhost")).unwrap_err().to_string();
            assert!(error.contains(&format!("feature {feature:?}")), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    #[cfg(all(feature = "redis", feature = "memcached", feature = "mongodb", feature = "file"))]
    fn every_backend_opens_without_a_server_and_names_a_wrong_parameter() {
        for (url, name) in [
            ("redis://127.0.0.1:1/0?prefix=app:", "redis"),
            ("valkey://127.0.0.1:1/0?prefix=app:", "redis"),
            ("redis+cluster://127.0.0.1:1,127.0.0.1:2?prefix=app:", "redis"),
            ("valkey+sentinel://127.0.0.1:1/main/0?prefix=app:", "redis"),
            ("memcached://127.0.0.1:1,127.0.0.1:2?prefix=app:", "memcached"),
            ("mongodb://127.0.0.1:1/app?collectionName=s", "mongodb"),
            ("file:///nowhere/sessions?ttl=60", "file"),
        ] {
            assert_eq!(open(url).unwrap().name(), name);
            let error = open(&format!("{url}&nonsense=1")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(error.to_string().contains("nonsense"), "{error}");
        }
    }
}
