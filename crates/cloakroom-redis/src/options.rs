//! What can be set.

use std::{path::PathBuf, sync::Arc, time::Duration};

use cloakroom_core::{Clock, Error, ErrorKind};

use crate::{Serializer, Ttl, error::STORE};

/// How a [`RedisStore`](crate::RedisStore) keeps sessions: the options of connect-redis by their names, and a few more.
///
/// Each can be given in the URL too, and wins there; see [`RedisStore::open`](crate::RedisStore::open).
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
    /// What stands before the id in a key: `sess:` unless set.
    pub prefix: String,
    /// How long sessions live: a browser session one day unless set, all others as long as their cookie.
    pub ttl: Ttl,
    /// Store without an expiry. `touch` is off then; a session whose expiry has passed is destroyed all the same.
    pub disable_ttl: bool,
    /// Answer [`NotOffered`](cloakroom_core::Touched::NotOffered) to `touch` and send nothing.
    /// `get_and_touch` only gets then.
    pub disable_touch: bool,
    /// How many keys a page of a listing has, about: 100 unless set.
    pub scan_count: u32,
    /// How a session becomes bytes: JSON unless set.
    pub serializer: Option<Arc<dyn Serializer>>,
    /// How long an operation takes at most: 5 seconds unless set. A listing has as long for each of its pages.
    pub deadline: Duration,
    /// A PEM file with the certificates to trust instead of the public authorities: those of authorities, or the
    /// server's own if it is self-signed. Only for `rediss:`, as are the next four.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the certificate that the store identifies itself with, and the chain to its authority. Needs
    /// `key_file`.
    pub cert_file: Option<PathBuf>,
    /// A PEM file with the private key of `cert_file`, not encrypted.
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must have, instead of the host of the URL. It is sent as SNI, too.
    pub server_name: Option<String>,
    /// Accept any certificate of the server: whoever is between can read and change every session.
    pub insecure_skip_verify: bool,
    /// What "now" is when a cookie's expiry is turned into a time to live.
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
            deadline: Duration::from_secs(5),
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
    /// The same options with another [`prefix`](Self::prefix).
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The same options with another [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// The same options with another [`disable_ttl`](Self::disable_ttl).
    #[must_use]
    pub fn with_disable_ttl(mut self, disable_ttl: bool) -> Self {
        self.disable_ttl = disable_ttl;
        self
    }

    /// The same options with another [`disable_touch`](Self::disable_touch).
    #[must_use]
    pub fn with_disable_touch(mut self, disable_touch: bool) -> Self {
        self.disable_touch = disable_touch;
        self
    }

    /// The same options with another [`scan_count`](Self::scan_count).
    #[must_use]
    pub fn with_scan_count(mut self, scan_count: u32) -> Self {
        self.scan_count = scan_count;
        self
    }

    /// The same options with another [`serializer`](Self::serializer).
    #[must_use]
    pub fn with_serializer(mut self, serializer: impl Serializer + 'static) -> Self {
        self.serializer = Some(Arc::new(serializer));
        self
    }

    /// The same options with another [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same options with another [`ca_file`](Self::ca_file).
    #[must_use]
    pub fn with_ca_file(mut self, ca_file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(ca_file.into());
        self
    }

    /// The same options with another [`cert_file`](Self::cert_file).
    #[must_use]
    pub fn with_cert_file(mut self, cert_file: impl Into<PathBuf>) -> Self {
        self.cert_file = Some(cert_file.into());
        self
    }

    /// The same options with another [`key_file`](Self::key_file).
    #[must_use]
    pub fn with_key_file(mut self, key_file: impl Into<PathBuf>) -> Self {
        self.key_file = Some(key_file.into());
        self
    }

    /// The same options with another [`server_name`](Self::server_name).
    #[must_use]
    pub fn with_server_name(mut self, server_name: impl Into<String>) -> Self {
        self.server_name = Some(server_name.into());
        self
    }

    /// The same options with another [`insecure_skip_verify`](Self::insecure_skip_verify).
    #[must_use]
    pub fn with_insecure_skip_verify(mut self, insecure_skip_verify: bool) -> Self {
        self.insecure_skip_verify = insecure_skip_verify;
        self
    }

    /// The same options with another [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl RedisOptions {
    /// The name of an option that is set and only has a meaning for TLS.
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

    /// Refuses what has no meaning, and names it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let zero = match self {
            Self { ttl: Ttl::Browser(Duration::ZERO), .. } => "ttl",
            Self { scan_count: 0, .. } => "scanCount",
            Self { deadline: Duration::ZERO, .. } => "deadline",
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Config, STORE, "open", format!("invalid option {zero:?}: zero")))
    }
}
