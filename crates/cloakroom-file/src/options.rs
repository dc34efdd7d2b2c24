//! The options of the store.

#[cfg(feature = "encryption")]
use std::sync::Arc;
use std::time::Duration;

use cloakroom_backend::{MAX_RECORD, invalid_option};
use cloakroom_core::{Clock, Error};
#[cfg(feature = "encryption")]
use cloakroom_encryption::Encryption;

use crate::{error::STORE, name::check_extension};

/// How a [`FileStore`](crate::FileStore) keeps sessions: the options of session-file-store with their names there, and
/// a few more.
///
/// Each can be given in the URL, too, and the URL wins; see [`FileStore::open`](crate::FileStore::open).
///
/// ```
/// use std::time::Duration;
/// use cloakroom_file::FileOptions;
///
/// let options = FileOptions::default().with_ttl(Duration::from_secs(1_800)).with_durable(false);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileOptions {
    /// How long a session without a max age lives after each write or touch. Defaults to an hour. Node.js must have the
    /// same value: it is not in the file.
    pub ttl: Duration,
    /// The clock by which sessions expire. Defaults to the system's.
    pub clock: Clock,
    /// The end of a file's name, after the id. Defaults to `.json`.
    pub file_extension: String,
    /// Encrypts sessions. Not encrypted by default.
    #[cfg(feature = "encryption")]
    pub encryption: Option<Arc<dyn Encryption>>,
    /// How often expired sessions are removed, after a write. Defaults to an hour. `None` leaves that to Node.js, or to
    /// [`FileStore::remove_expired`](crate::FileStore::remove_expired).
    pub reap_interval: Option<Duration>,
    /// Whether a write is on the disk when it returns. Defaults to `true`. Without it, writes are faster, and a power
    /// failure can lose or damage the last ones.
    pub durable: bool,
    /// The maximum size of a file in bytes. 16 MiB by default. A larger one is neither written nor read.
    pub max_record: u64,
    /// How long an operation, or a page of a listing, takes at most. Defaults to 5 seconds.
    pub deadline: Duration,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3_600),
            clock: Clock::system(),
            file_extension: ".json".to_owned(),
            #[cfg(feature = "encryption")]
            encryption: None,
            reap_interval: Some(Duration::from_secs(3_600)),
            durable: true,
            max_record: MAX_RECORD,
            deadline: Duration::from_secs(5),
        }
    }
}

impl FileOptions {
    /// Sets [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Sets [`file_extension`](Self::file_extension).
    #[must_use]
    pub fn with_file_extension(self, file_extension: impl Into<String>) -> Self {
        Self { file_extension: file_extension.into(), ..self }
    }

    /// Sets [`encryption`](Self::encryption).
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn with_encryption(self, encryption: impl Encryption + 'static) -> Self {
        Self { encryption: Some(Arc::new(encryption)), ..self }
    }

    /// Sets [`reap_interval`](Self::reap_interval).
    #[must_use]
    pub fn with_reap_interval(self, reap_interval: impl Into<Option<Duration>>) -> Self {
        Self { reap_interval: reap_interval.into(), ..self }
    }

    /// Sets [`max_record`](Self::max_record).
    #[must_use]
    pub fn with_max_record(self, max_record: u64) -> Self {
        Self { max_record, ..self }
    }

    /// Sets [`durable`](Self::durable).
    #[must_use]
    pub fn with_durable(self, durable: bool) -> Self {
        Self { durable, ..self }
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Rejects an invalid option by its name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (option, why) = match self {
            Self { ttl: Duration::ZERO, .. } => ("ttl", "must be above zero"),
            Self { reap_interval: Some(Duration::ZERO), .. } => {
                ("reapInterval", "must be above zero")
            }
            Self { max_record: 0, .. } => ("maxRecord", "must be above zero"),
            Self { deadline: Duration::ZERO, .. } => ("deadline", "must be above zero"),
            Self { file_extension, .. } => match check_extension(file_extension) {
                Some(why) => ("fileExtension", why),
                None => return Ok(()),
            },
        };
        Err(invalid_option(STORE, option, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_a_meaning_are_refused() {
        let default = FileOptions::default;
        default().check().unwrap();
        for (options, name) in [
            (default().with_ttl(Duration::ZERO), "ttl"),
            (default().with_reap_interval(Duration::ZERO), "reapInterval"),
            (default().with_max_record(0), "maxRecord"),
            (default().with_deadline(Duration::ZERO), "deadline"),
            (default().with_file_extension("json"), "fileExtension"),
        ] {
            let error = options.check().unwrap_err();
            let begin = format!("file: open: invalid option {name:?}: must ");
            assert!(error.to_string().starts_with(&begin), "{error}");
        }
    }
}
