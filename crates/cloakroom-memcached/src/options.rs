//! What can be set.

#[cfg(feature = "encryption")]
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{Clock, Error, ErrorKind};
#[cfg(feature = "encryption")]
use cloakroom_encryption::Encryption;

use crate::{Algorithm, Compatibility, error::STORE, key};

/// The client flags of JSON: npm's client parses it, and dies of what is none.
pub(crate) const JSON: u32 = 2;

/// memcached takes more seconds than these, 30 days, for a date (protocol.txt, "Expiration times").
pub(crate) const LONGEST_RELATIVE: u64 = 2_592_000;

/// How a [`MemcachedStore`](crate::MemcachedStore) keeps sessions: the options of connect-memcached and of npm's
/// `memcached` by their names, and a few more.
///
/// Each can be given in the URL too, and wins there; see [`MemcachedStore::open`](crate::MemcachedStore::open).
///
/// ```
/// use std::time::Duration;
/// use cloakroom_memcached::MemcachedOptions;
///
/// let options =
///     MemcachedOptions::default().with_prefix("app:").with_ttl(Duration::from_secs(1_800));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemcachedOptions {
    /// What stands before the id in a key: nothing unless set.
    pub prefix: String,
    /// What npm's client puts before that: nothing unless set.
    pub namespace: String,
    /// How long every session lives, whatever its cookie says. Unless set, sessions live as long as their cookie, and
    /// browser sessions for a day.
    pub ttl: Option<Duration>,
    /// Up to where a time to live is sent as a number of seconds, 30 days unless set; a longer one is sent as a date.
    pub max_expiration: Duration,
    /// Replace a key of more than 250 characters by its digest, as npm's client does unless it is told not to.
    pub key_compression: bool,
    /// How many bytes a record has at most: what the server says it takes, unless set.
    pub max_value: Option<u64>,
    /// The client flags that go with plain records: 2, which tells connect-memcached 2 and 3 that it is JSON, or 0 for
    /// older ones. What they are does not matter for reading.
    pub flags: u32,
    /// The hash of the ring of servers: MD5 unless set.
    pub algorithm: Algorithm,
    /// The kind of the ring of servers: ketama's unless set.
    pub compatibility: Compatibility,
    /// How many connections one runtime has to each server at most: 64 unless set.
    pub pool_size: usize,
    /// How long connecting takes at most, and how long calls wait for the first answer to another one after a loss:
    /// 1 second unless set.
    pub timeout: Duration,
    /// How a session becomes an unreadable text and back: not at all unless set.
    #[cfg(feature = "encryption")]
    pub encryption: Option<Arc<dyn Encryption>>,
    /// How long an operation takes at most: 5 seconds unless set. A listing has as long for each of its pages.
    pub deadline: Duration,
    /// What "now" is when a cookie's expiry is turned into a time to live.
    pub clock: Clock,
}

impl Default for MemcachedOptions {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            namespace: String::new(),
            ttl: None,
            max_expiration: Duration::from_secs(LONGEST_RELATIVE),
            key_compression: true,
            max_value: None,
            flags: JSON,
            algorithm: Algorithm::default(),
            compatibility: Compatibility::default(),
            pool_size: 64,
            timeout: Duration::from_secs(1),
            #[cfg(feature = "encryption")]
            encryption: None,
            deadline: Duration::from_secs(5),
            clock: Clock::system(),
        }
    }
}

impl MemcachedOptions {
    /// The same options with another [`prefix`](Self::prefix).
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The same options with another [`namespace`](Self::namespace).
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The same options with another [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// The same options with another [`max_expiration`](Self::max_expiration).
    #[must_use]
    pub fn with_max_expiration(mut self, max_expiration: Duration) -> Self {
        self.max_expiration = max_expiration;
        self
    }

    /// The same options with another [`key_compression`](Self::key_compression).
    #[must_use]
    pub fn with_key_compression(mut self, key_compression: bool) -> Self {
        self.key_compression = key_compression;
        self
    }

    /// The same options with another [`max_value`](Self::max_value).
    #[must_use]
    pub fn with_max_value(mut self, max_value: impl Into<Option<u64>>) -> Self {
        self.max_value = max_value.into();
        self
    }

    /// The same options with another [`flags`](Self::flags).
    #[must_use]
    pub fn with_flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }

    /// The same options with another [`algorithm`](Self::algorithm).
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The same options with another [`compatibility`](Self::compatibility).
    #[must_use]
    pub fn with_compatibility(mut self, compatibility: Compatibility) -> Self {
        self.compatibility = compatibility;
        self
    }

    /// The same options with another [`pool_size`](Self::pool_size).
    #[must_use]
    pub fn with_pool_size(mut self, pool_size: usize) -> Self {
        self.pool_size = pool_size;
        self
    }

    /// The same options with another [`timeout`](Self::timeout).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same options with another [`encryption`](Self::encryption).
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn with_encryption(mut self, encryption: impl Encryption + 'static) -> Self {
        self.encryption = Some(Arc::new(encryption));
        self
    }

    /// The same options with another [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same options with another [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl MemcachedOptions {
    /// What stands before the id in a key.
    pub(crate) fn full_prefix(&self) -> String {
        [&*self.namespace, &*self.prefix].concat()
    }

    /// Refuses what has no meaning, and names it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (option, why) = match self {
            Self { ttl: Some(Duration::ZERO), .. } => ("ttl", "zero"),
            Self { max_expiration: Duration::ZERO, .. } => ("maxExpiration", "zero"),
            Self { max_expiration, .. } if max_expiration.as_secs() > LONGEST_RELATIVE => {
                ("maxExpiration", "memcached takes more than 2592000 seconds for a date")
            }
            Self { max_value: Some(0), .. } => ("maxValue", "zero"),
            Self { flags, .. } if ![0, JSON].contains(flags) => ("flags", "it is neither 2 nor 0"),
            Self { pool_size: 0, .. } => ("poolSize", "zero"),
            Self { timeout: Duration::ZERO, .. } => ("timeout", "zero"),
            Self { deadline: Duration::ZERO, .. } => ("deadline", "zero"),
            Self { namespace, .. } if key::check_characters(namespace).is_err() => {
                ("namespace", "it has white space, a control character or a dollar sign")
            }
            Self { prefix, .. } if key::check_characters(prefix).is_err() => {
                ("prefix", "it has white space, a control character or a dollar sign")
            }
            _ => return Ok(()),
        };
        let message = format!("invalid option {option:?}: {why}");
        Err(Error::new(ErrorKind::Config, STORE, "open", message))
    }
}
