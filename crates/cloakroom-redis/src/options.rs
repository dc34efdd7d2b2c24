//! The options of a `RedisStore`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use cloakroom_backend::{MAX_RECORD, invalid_option, is_index_path};
use cloakroom_core::{Clock, Error};

use crate::{Serializer, Ttl, error::STORE};

/// Begins the keys of the lists by user. connect-redis and the listing take every key that begins with the prefix of
/// sessions for one.
pub(crate) const LISTS: &str = "users-of:";

/// Options of a [`RedisStore`](crate::RedisStore): those of connect-redis under their names there, and a few more.
///
/// Most can also be given in the URL, which takes precedence; see [`RedisStore::open`](crate::RedisStore::open).
///
/// ```
/// use std::time::Duration;
/// use cloakroom_redis::RedisOptions;
///
/// let options = RedisOptions::default().with_prefix("app:").with_ttl(Duration::from_secs(1_800));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisOptions {
    /// The text before the id in a key. `sess:` by default.
    pub prefix: String,
    /// The time to live. By default, a browser session lives for one day, and any other session as long as its cookie.
    pub ttl: Ttl,
    /// Whether to store sessions without an expiry. `touch` then sends nothing and returns
    /// [`NotOffered`](cloakroom_core::Touched::NotOffered). A session whose expiry has passed is still destroyed.
    pub disable_ttl: bool,
    /// Whether `touch` sends nothing and returns [`NotOffered`](cloakroom_core::Touched::NotOffered). `get_and_touch`
    /// then only reads.
    pub disable_touch: bool,
    /// The approximate number of keys per page of a listing. 100 by default.
    pub scan_count: u32,
    /// Converts sessions to bytes and back. JSON by default.
    pub serializer: Option<Arc<dyn Serializer>>,
    /// The maximum size of a record in bytes. 16 MiB by default. A larger one is not written and not read: the store's own
    /// connection drops it as it arrives if it is larger than 1 MiB as well, while the application's reads it first.
    pub max_record: u64,
    /// The time limit of an operation, and of each page of a listing. 5 seconds by default.
    pub deadline: Duration,
    /// Where a session has its user, such as `passport.user`, if the store keeps a list of each user's sessions; see
    /// [`find_known`](cloakroom_core::FindBy::find_known). `None` by default: it keeps no lists.
    ///
    /// Each write and each visit of a session then sends one more command. Node.js knows nothing of the lists.
    pub user_path: Option<String>,
    /// A PEM file with the certificates to trust instead of the public authorities: those of authorities, or the
    /// server's own if it is self-signed. This option and the next four require the scheme `rediss`.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the store's own certificate and the chain to its authority. Requires `key_file`.
    pub cert_file: Option<PathBuf>,
    /// A PEM file with the private key of `cert_file`, not encrypted.
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must have. The host of the URL by default. It is also sent as SNI.
    pub server_name: Option<String>,
    /// Whether to accept any certificate. An attacker on the network can then read and change every session.
    pub insecure_skip_verify: bool,
    /// The source of the current time, from which a cookie's expiry becomes a time to live.
    pub clock: Clock,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "sess:".to_owned(),
            ttl: Ttl::default(),
            disable_ttl: false,
            disable_touch: false,
            scan_count: 100,
            serializer: None,
            max_record: MAX_RECORD,
            deadline: Duration::from_secs(5),
            user_path: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            server_name: None,
            insecure_skip_verify: false,
            clock: Clock::system(),
        }
    }
}

impl RedisOptions {
    /// Sets [`prefix`](Self::prefix).
    #[must_use]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Sets [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(self, ttl: impl Into<Ttl>) -> Self {
        Self { ttl: ttl.into(), ..self }
    }

    /// Sets [`disable_ttl`](Self::disable_ttl).
    #[must_use]
    pub fn with_disable_ttl(self, disable_ttl: bool) -> Self {
        Self { disable_ttl, ..self }
    }

    /// Sets [`disable_touch`](Self::disable_touch).
    #[must_use]
    pub fn with_disable_touch(self, disable_touch: bool) -> Self {
        Self { disable_touch, ..self }
    }

    /// Sets [`scan_count`](Self::scan_count).
    #[must_use]
    pub fn with_scan_count(self, scan_count: u32) -> Self {
        Self { scan_count, ..self }
    }

    /// Sets [`max_record`](Self::max_record).
    #[must_use]
    pub fn with_max_record(self, max_record: u64) -> Self {
        Self { max_record, ..self }
    }

    /// Sets [`serializer`](Self::serializer).
    #[must_use]
    pub fn with_serializer(self, serializer: impl Serializer + 'static) -> Self {
        Self { serializer: Some(Arc::new(serializer)), ..self }
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sets [`user_path`](Self::user_path).
    #[must_use]
    pub fn with_user_path(self, user_path: impl Into<String>) -> Self {
        Self { user_path: Some(user_path.into()), ..self }
    }

    /// Sets [`ca_file`](Self::ca_file).
    #[must_use]
    pub fn with_ca_file(self, ca_file: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(ca_file.into()), ..self }
    }

    /// Sets [`cert_file`](Self::cert_file).
    #[must_use]
    pub fn with_cert_file(self, cert_file: impl Into<PathBuf>) -> Self {
        Self { cert_file: Some(cert_file.into()), ..self }
    }

    /// Sets [`key_file`](Self::key_file).
    #[must_use]
    pub fn with_key_file(self, key_file: impl Into<PathBuf>) -> Self {
        Self { key_file: Some(key_file.into()), ..self }
    }

    /// Sets [`server_name`](Self::server_name).
    #[must_use]
    pub fn with_server_name(self, server_name: impl Into<String>) -> Self {
        Self { server_name: Some(server_name.into()), ..self }
    }

    /// Sets [`insecure_skip_verify`](Self::insecure_skip_verify).
    #[must_use]
    pub fn with_insecure_skip_verify(self, insecure_skip_verify: bool) -> Self {
        Self { insecure_skip_verify, ..self }
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }
}

impl RedisOptions {
    /// Returns the name of an option that is set and requires TLS, or `None`.
    pub(crate) fn of_tls(&self) -> Option<&'static str> {
        match self {
            Self { ca_file: Some(_), .. } => Some("caFile"),
            Self { cert_file: Some(_), .. } => Some("certFile"),
            Self { key_file: Some(_), .. } => Some("keyFile"),
            Self { server_name: Some(_), .. } => Some("serverName"),
            Self { insecure_skip_verify: true, .. } => Some("insecureSkipVerify"),
            _ => None,
        }
    }

    /// Rejects an invalid option by its name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let why = match &self.user_path {
            Some(path) if !is_index_path(path) => Some(
                "must be names of ASCII letters, digits, _ and - with dots between them, at most 100 bytes",
            ),
            // A list would look like a session.
            Some(_) if [LISTS, &self.prefix].concat().starts_with(&self.prefix) => {
                Some("requires a prefix with which \"users-of:\" does not begin")
            }
            _ => None,
        };
        if let Some(why) = why {
            return Err(invalid_option(STORE, "userPath", why));
        }
        let zero = match self {
            Self { ttl: Ttl::Browser(Duration::ZERO), .. } => "ttl",
            Self { scan_count: 0, .. } => "scanCount",
            Self { max_record: 0, .. } => "maxRecord",
            Self { deadline: Duration::ZERO, .. } => "deadline",
            _ => return Ok(()),
        };
        Err(invalid_option(STORE, zero, "must be above zero"))
    }
}
