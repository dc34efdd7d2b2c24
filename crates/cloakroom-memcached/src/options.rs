//! The options of a `MemcachedStore`.

#[cfg(feature = "encryption")]
use std::sync::Arc;
use std::time::Duration;

use cloakroom_backend::{MAX_RECORD, invalid_option};
use cloakroom_core::{Clock, Error};
#[cfg(feature = "encryption")]
use cloakroom_encryption::Encryption;

use crate::{Algorithm, Compatibility, error::STORE, key};

/// The client flags of JSON. npm's client parses such a value, and its process ends if the value is not valid JSON.
pub(crate) const JSON: u32 = 2;

/// The longest time to live in seconds, 30 days. memcached reads a larger number as a date (protocol.txt, "Expiration
/// times").
pub(crate) const LONGEST_RELATIVE: u64 = 2_592_000;

/// Options of a [`MemcachedStore`](crate::MemcachedStore): those of connect-memcached and of npm's `memcached` under
/// their names there, and a few more.
///
/// Most can also be given in the URL, which takes precedence; see
/// [`MemcachedStore::open`](crate::MemcachedStore::open).
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
    /// The text before the id in a key. Empty by default.
    pub prefix: String,
    /// The text that npm's client puts before the prefix. Empty by default.
    pub namespace: String,
    /// The time to live of every session, even if its cookie says otherwise. By default, a session lives as long as its
    /// cookie, and a browser session for a day.
    pub ttl: Option<Duration>,
    /// The longest time to live that is sent as a number of seconds; a longer one is sent as a date. 30 days by
    /// default.
    pub max_expiration: Duration,
    /// Whether to replace a key of more than 250 characters by its digest, as npm's client does. `true` by default;
    /// otherwise such an id is an error.
    pub key_compression: bool,
    /// The maximum size of a record in bytes. By default, the store asks the server for its limit.
    pub max_value: Option<u64>,
    /// The maximum size of a record in bytes, whatever the server accepts. 16 MiB by default. A larger one is not written
    /// and not read: the store's own connections drop it as it arrives, while the application's client reads it first.
    pub max_record: u64,
    /// The client flags of records that are not encrypted. 2 by default, which means JSON to connect-memcached 2 and 3;
    /// 0 is for older versions. Records are read with any flags.
    pub flags: u32,
    /// The hash of the ring of servers. MD5 by default.
    pub algorithm: Algorithm,
    /// The kind of the ring of servers. `ketama` by default.
    pub compatibility: Compatibility,
    /// The maximum number of connections from one runtime to each server. 64 by default.
    pub pool_size: usize,
    /// The time limit for connecting. After a loss, it also limits how long calls wait for the first answer to another
    /// call. 1 second by default.
    pub timeout: Duration,
    /// The time limit of an operation, and of each page of a listing. 5 seconds by default.
    pub deadline: Duration,
    /// Encrypts sessions. Not encrypted by default.
    #[cfg(feature = "encryption")]
    pub encryption: Option<Arc<dyn Encryption>>,
    /// The source of the current time, from which a cookie's expiry becomes a time to live.
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
            max_record: MAX_RECORD,
            flags: JSON,
            algorithm: Algorithm::default(),
            compatibility: Compatibility::default(),
            pool_size: 64,
            timeout: Duration::from_secs(1),
            deadline: Duration::from_secs(5),
            #[cfg(feature = "encryption")]
            encryption: None,
            clock: Clock::system(),
        }
    }
}

impl MemcachedOptions {
    /// Sets [`prefix`](Self::prefix).
    #[must_use]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Sets [`namespace`](Self::namespace).
    #[must_use]
    pub fn with_namespace(self, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..self }
    }

    /// Sets [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(self, ttl: impl Into<Option<Duration>>) -> Self {
        Self { ttl: ttl.into(), ..self }
    }

    /// Sets [`max_expiration`](Self::max_expiration).
    #[must_use]
    pub fn with_max_expiration(self, max_expiration: Duration) -> Self {
        Self { max_expiration, ..self }
    }

    /// Sets [`key_compression`](Self::key_compression).
    #[must_use]
    pub fn with_key_compression(self, key_compression: bool) -> Self {
        Self { key_compression, ..self }
    }

    /// Sets [`max_value`](Self::max_value).
    #[must_use]
    pub fn with_max_value(self, max_value: impl Into<Option<u64>>) -> Self {
        Self { max_value: max_value.into(), ..self }
    }

    /// Sets [`max_record`](Self::max_record).
    #[must_use]
    pub fn with_max_record(self, max_record: u64) -> Self {
        Self { max_record, ..self }
    }

    /// Sets [`flags`](Self::flags).
    #[must_use]
    pub fn with_flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// Sets [`algorithm`](Self::algorithm).
    #[must_use]
    pub fn with_algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// Sets [`compatibility`](Self::compatibility).
    #[must_use]
    pub fn with_compatibility(self, compatibility: Compatibility) -> Self {
        Self { compatibility, ..self }
    }

    /// Sets [`pool_size`](Self::pool_size).
    #[must_use]
    pub fn with_pool_size(self, pool_size: usize) -> Self {
        Self { pool_size, ..self }
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sets [`encryption`](Self::encryption).
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn with_encryption(self, encryption: impl Encryption + 'static) -> Self {
        Self { encryption: Some(Arc::new(encryption)), ..self }
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }
}

impl MemcachedOptions {
    /// Returns the text before the id in a key: namespace and prefix.
    pub(crate) fn full_prefix(&self) -> String {
        [&*self.namespace, &*self.prefix].concat()
    }

    /// Rejects an invalid option by its name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (option, why) = match self {
            Self { ttl: Some(Duration::ZERO), .. } => ("ttl", "must be above zero"),
            Self { max_expiration: Duration::ZERO, .. } => ("maxExpiration", "must be above zero"),
            Self { max_expiration, .. } if max_expiration.as_secs() > LONGEST_RELATIVE => (
                "maxExpiration",
                "must be at most 2592000 seconds; memcached reads a larger number as a date",
            ),
            Self { max_value: Some(0), .. } => ("maxValue", "must be above zero"),
            Self { max_record: 0, .. } => ("maxRecord", "must be above zero"),
            Self { flags, .. } if ![0, JSON].contains(flags) => ("flags", "must be 2 or 0"),
            Self { pool_size: 0, .. } => ("poolSize", "must be above zero"),
            Self { timeout: Duration::ZERO, .. } => ("timeout", "must be above zero"),
            Self { deadline: Duration::ZERO, .. } => ("deadline", "must be above zero"),
            Self { namespace, .. } if key::check_characters(namespace).is_err() => {
                ("namespace", "must not contain white space, control characters or dollar signs")
            }
            Self { prefix, .. } if key::check_characters(prefix).is_err() => {
                ("prefix", "must not contain white space, control characters or dollar signs")
            }
            _ => return Ok(()),
        };
        Err(invalid_option(STORE, option, why))
    }
}
