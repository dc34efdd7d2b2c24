//! The options of the store.

#[cfg(feature = "encryption")]
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{Clock, Error, ErrorKind};
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
    /// The end of a file's name, after the id. Defaults to `.json`.
    pub file_extension: String,
    /// How often expired sessions are removed, after a write. Defaults to an hour. `None` leaves that to Node.js, or to
    /// [`FileStore::reap`](crate::FileStore::reap).
    pub reap_interval: Option<Duration>,
    /// Whether a write is on the disk when it returns. Defaults to `true`. Without it, writes are faster, and a power
    /// failure can lose or damage the last ones.
    pub durable: bool,
    /// Encrypts sessions. Not encrypted by default.
    #[cfg(feature = "encryption")]
    pub encryption: Option<Arc<dyn Encryption>>,
    /// How long an operation, or a page of a listing, takes at most. Defaults to 5 seconds.
    pub deadline: Duration,
    /// The clock by which sessions expire. Defaults to the system's.
    pub clock: Clock,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3_600),
            file_extension: ".json".to_owned(),
            reap_interval: Some(Duration::from_secs(3_600)),
            durable: true,
            #[cfg(feature = "encryption")]
            encryption: None,
            deadline: Duration::from_secs(5),
            clock: Clock::system(),
        }
    }
}

impl FileOptions {
    /// Sets [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets [`file_extension`](Self::file_extension).
    #[must_use]
    pub fn with_file_extension(mut self, file_extension: impl Into<String>) -> Self {
        self.file_extension = file_extension.into();
        self
    }

    /// Sets [`reap_interval`](Self::reap_interval).
    #[must_use]
    pub fn with_reap_interval(mut self, reap_interval: impl Into<Option<Duration>>) -> Self {
        self.reap_interval = reap_interval.into();
        self
    }

    /// Sets [`durable`](Self::durable).
    #[must_use]
    pub fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets [`encryption`](Self::encryption).
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn with_encryption(mut self, encryption: impl Encryption + 'static) -> Self {
        self.encryption = Some(Arc::new(encryption));
        self
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Rejects an invalid option by its name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (option, why) = match self {
            Self { ttl: Duration::ZERO, .. } => ("ttl", "must not be zero"),
            Self { reap_interval: Some(Duration::ZERO), .. } => {
                ("reapInterval", "must not be zero")
            }
            Self { deadline: Duration::ZERO, .. } => ("deadline", "must not be zero"),
            Self { file_extension, .. } => match check_extension(file_extension) {
                Some(why) => ("fileExtension", why),
                None => return Ok(()),
            },
        };
        let message = format!("invalid option {option:?}: {why}");
        Err(Error::new(ErrorKind::Config, STORE, "open", message))
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
            (default().with_deadline(Duration::ZERO), "deadline"),
            (default().with_file_extension("json"), "fileExtension"),
        ] {
            let error = options.check().unwrap_err();
            let begin = format!("file: open: invalid option {name:?}: must ");
            assert!(error.to_string().starts_with(&begin), "{error}");
        }
    }
}
