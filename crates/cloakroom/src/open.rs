//! From a URL to a handle: the one place, with the command line, that knows every store.

use cloakroom_compat::ExpressSession;
use cloakroom_core::{Error, ErrorKind, MemoryOptions, MemoryStore};

/// A backend, as `open` finds it by the scheme of a URL.
struct Backend {
    schemes: &'static [&'static str],
    open: fn(&str) -> Result<ExpressSession, Error>,
}

const BACKENDS: &[Backend] = &[
    Backend { schemes: &["memory"], open: memory },
    Backend { schemes: &["redis", "redis+unix", "unix"], open: redis },
    Backend { schemes: &["rediss"], open: rediss },
    Backend { schemes: &["memcached"], open: memcached },
    Backend { schemes: &["mongodb"], open: mongodb },
    Backend { schemes: &["mongodb+srv"], open: mongodb_srv },
];

/// Opens the sessions that a URL names.
///
/// | URL | sessions in | feature |
/// | --- | --- | --- |
/// | `memory:` | this process; each call makes new ones. Parameters `ttl` (s) and `maxSessions` | – |
/// | `redis://user:password@host:6379/0` | Redis, as connect-redis keeps them | `redis` |
/// | `rediss://…` | Redis over TLS | `redis-tls` |
/// | `unix:///path`, `redis+unix:///path` | Redis on a Unix socket | `redis` |
/// | `memcached://h1,h2:11212` | Memcached, as connect-memcached keeps them | `memcached` |
/// | `mongodb://…` | MongoDB, as connect-mongo keeps them | `mongodb` |
/// | `mongodb+srv://…` | MongoDB, its servers looked up in the DNS | `mongodb-srv` |
///
/// Options are query parameters by the names of the npm counterpart: `redis://localhost?prefix=app:&ttl=3600`.
/// Nothing is sent here: the first operation connects, so a service starts while its backend is away.
///
/// # Errors
///
/// [`Config`](ErrorKind::Config), naming the part of the URL that is wrong: a scheme that is not known or whose feature
/// is off, a host, a port, a parameter and which ones there are. No password is in the message.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let sessions = cloakroom::open("memory:")?;
/// let (sid, session) = sessions.generate()?;
/// sessions.set(&sid, &session).await?;
/// assert!(sessions.get(&sid).await?.is_some());
///
/// let error = cloakroom::open("redi://localhost").unwrap_err();
/// assert!(error.to_string().contains("unknown scheme \"redi\""));
/// # Ok::<(), cloakroom::Error>(()) }).unwrap();
/// ```
pub fn open(url: &str) -> Result<ExpressSession, Error> {
    let Some((scheme, _)) = url.split_once(':') else {
        return Err(config("the url has no scheme, such as \"redis:\" or \"memory:\"".to_owned()));
    };
    // RFC 3986 3.1: schemes are case-insensitive.
    let scheme = scheme.to_ascii_lowercase();
    match BACKENDS.iter().find(|backend| backend.schemes.contains(&&*scheme)) {
        Some(backend) => (backend.open)(url),
        None => {
            let known: Vec<_> =
                BACKENDS.iter().flat_map(|backend| backend.schemes).copied().collect();
            Err(config(format!("unknown scheme {scheme:?}; known are {}", known.join(", "))))
        }
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, "cloakroom", "open", message)
}

fn memory(url: &str) -> Result<ExpressSession, Error> {
    let rest = &url["memory:".len()..];
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !place.trim_start_matches('/').is_empty() {
        return Err(config(format!(
            "a memory: url has no host or path, but this one has {place:?}"
        )));
    }
    let mut options = MemoryOptions::default();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let number: u64 = value.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
            config(format!("parameter {name:?} is {value:?}, not a whole number above 0"))
        })?;
        match name {
            "ttl" => options.ttl = std::time::Duration::from_secs(number),
            "maxSessions" => options.max_sessions = usize::try_from(number).unwrap_or(usize::MAX),
            _ => {
                return Err(config(format!(
                    "unknown parameter {name:?} of memory:; known are ttl, maxSessions"
                )));
            }
        }
    }
    Ok(ExpressSession::new(MemoryStore::with_options(options)))
}

/// One function a backend, in two versions: with its feature, and without.
macro_rules! backend {
    ($name:ident, $feature:literal, $store:path) => {
        #[cfg(feature = $feature)]
        fn $name(url: &str) -> Result<ExpressSession, Error> {
            <$store>::open(url).map(ExpressSession::new)
        }

        #[cfg(not(feature = $feature))]
        fn $name(url: &str) -> Result<ExpressSession, Error> {
            // Only the scheme is quoted: the rest can hold a password.
            let scheme = url.split(':').next().unwrap_or_default();
            Err(config(format!(
                "scheme {scheme:?} needs the feature {:?} of the crate cloakroom",
                $feature
            )))
        }
    };
}

backend!(redis, "redis", cloakroom_redis::RedisStore);
backend!(rediss, "redis-tls", cloakroom_redis::RedisStore);
backend!(memcached, "memcached", cloakroom_memcached::MemcachedStore);
backend!(mongodb, "mongodb", cloakroom_mongodb::MongoStore);
backend!(mongodb_srv, "mongodb-srv", cloakroom_mongodb::MongoStore);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_is_an_error_that_names_the_part() {
        let rows = [
            ("", "no scheme"),
            ("localhost", "no scheme"),
            ("redi://localhost", "unknown scheme \"redi\"; known are memory, redis"),
            ("memory://host", "\"//host\""),
            ("memory:?ttl=soon", "parameter \"ttl\" is \"soon\""),
            ("memory:?ttl=0", "parameter \"ttl\" is \"0\""),
            ("memory:?size=5", "unknown parameter \"size\" of memory:; known are ttl, maxSessions"),
        ];
        for (url, part) in rows {
            let error = open(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(error.to_string().contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn memory_takes_its_options_from_the_url() {
        for url in ["memory:", "memory://", "MEMORY:?ttl=60&maxSessions=10", "memory:?"] {
            assert_eq!(open(url).unwrap().name(), "memory", "{url}");
        }
    }

    #[test]
    #[cfg(not(any(feature = "redis", feature = "memcached", feature = "mongodb")))]
    fn a_feature_that_is_off_is_named() {
        for (scheme, feature) in [
            ("redis", "redis"),
            ("REDISS", "redis-tls"),
            ("memcached", "memcached"),
            ("mongodb", "mongodb"),
            ("mongodb+srv", "mongodb-srv"),
        ] {
            let error =
                open(&format!("{scheme}://user:hunter2@localhost")).unwrap_err().to_string();
            assert!(error.contains(&format!("feature {feature:?}")), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    #[cfg(all(feature = "redis", feature = "memcached", feature = "mongodb"))]
    fn every_backend_opens_without_a_server_and_names_a_wrong_parameter() {
        for (url, name) in [
            ("redis://127.0.0.1:1/0?prefix=app:", "redis"),
            ("memcached://127.0.0.1:1,127.0.0.1:2?prefix=app:", "memcached"),
            ("mongodb://127.0.0.1:1/app?collectionName=s", "mongodb"),
        ] {
            assert_eq!(open(url).unwrap().name(), name);
            let error = open(&format!("{url}&nonsense=1")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(error.to_string().contains("nonsense"), "{error}");
        }
    }
}
