//! The options of a `MongoStore`.

#[cfg(feature = "encryption")]
use std::sync::Arc;
use std::time::Duration;

use cloakroom_backend::{MAX_RECORD, invalid_option};
use cloakroom_core::{Clock, Error};
#[cfg(feature = "encryption")]
use cloakroom_encryption::Encryption;
use mongodb::options::{Acknowledgment, WriteConcern};

use crate::{TransformId, error::STORE};

/// Options of a [`MongoStore`](crate::MongoStore): those of connect-mongo under their names there, and a few more.
///
/// Most can also be given in the URL, which takes precedence; see [`MongoStore::open`](crate::MongoStore::open).
///
/// ```
/// use std::time::Duration;
/// use cloakroom_mongodb::MongoOptions;
///
/// let options = MongoOptions::default()
///     .with_collection_name("logins")
///     .with_touch_after(Duration::from_secs(3_600));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MongoOptions {
    /// The collection. `sessions` by default.
    pub collection_name: String,
    /// The database. By default, the database of the URL, or else `test`.
    pub db_name: Option<String>,
    /// The time to live of a browser session. 14 days by default. Any other session lives as long as its cookie.
    pub ttl: Duration,
    /// How long after a write or touch `touch` leaves a session alone. Zero by default, so that it always writes.
    ///
    /// If `touch` leaves a session alone, it returns [`NotDue`](cloakroom_core::Touched::NotDue), because it
    /// has sent nothing and does not know whether the session exists. It always writes if less than half of the time to
    /// live is left, so that a session in use does not expire, and if the time to live gets shorter.
    pub touch_after: Duration,
    /// Whether to store a session as its JSON text instead of as a document, which can be queried. `true` by default.
    ///
    /// Both forms are read with either value.
    pub stringify: bool,
    /// What removes expired sessions from the disk. MongoDB's TTL monitor by default. Expired sessions are never
    /// returned, even before they are removed.
    pub auto_remove: AutoRemove,
    /// Whether to write `createdAt` and `updatedAt` beside a session. `false` by default.
    pub timestamps: bool,
    /// Maps a session id to the document's `_id`. By default, the `_id` is the session id.
    pub transform_id: Option<TransformId>,
    /// How many servers must confirm a write. Defaults to the URL's write concern, or else to the server's own default,
    /// which is a majority since MongoDB 5.0.
    ///
    /// With `w: 1`, a failover can lose acknowledged logins and undo acknowledged logouts; see the crate's README.
    pub write_concern: Option<WriteConcern>,
    /// Encrypts sessions, as the options `crypto` and `cryptoAdapter` of connect-mongo do. Not encrypted by default.
    #[cfg(feature = "encryption")]
    pub encryption: Option<Arc<dyn Encryption>>,
    /// The maximum size of a session in bytes: of its text, or of its document. 16 MiB by default, which is also MongoDB's
    /// limit for a document. A larger one is not written, and not parsed when it is read.
    pub max_record: u64,
    /// The time limit of an operation, and of each page of a listing. 5 seconds by default.
    pub deadline: Duration,
    /// The source of the current time, for the expiry of cookies and sessions.
    pub clock: Clock,
}

/// What removes expired sessions from the disk: the option `autoRemove` of connect-mongo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoRemove {
    /// MongoDB itself, by a TTL index on `expires`. The store creates it once, after the first operation.
    Native,
    /// This store, at this interval, in the background of a runtime on which it is used, until its last handle is
    /// dropped. The default in connect-mongo is 10 minutes.
    Interval(Duration),
    /// Nothing, unless the application calls [`remove_expired`](crate::MongoStore::remove_expired).
    Disabled,
}

impl Default for MongoOptions {
    fn default() -> Self {
        Self {
            collection_name: "sessions".to_owned(),
            db_name: None,
            ttl: Duration::from_secs(14 * 86_400),
            touch_after: Duration::ZERO,
            stringify: true,
            auto_remove: AutoRemove::Native,
            timestamps: false,
            transform_id: None,
            write_concern: None,
            #[cfg(feature = "encryption")]
            encryption: None,
            max_record: MAX_RECORD,
            deadline: Duration::from_secs(5),
            clock: Clock::system(),
        }
    }
}

impl MongoOptions {
    /// Sets [`collection_name`](Self::collection_name).
    #[must_use]
    pub fn with_collection_name(self, collection_name: impl Into<String>) -> Self {
        Self { collection_name: collection_name.into(), ..self }
    }

    /// Sets [`db_name`](Self::db_name).
    #[must_use]
    pub fn with_db_name(self, db_name: impl Into<String>) -> Self {
        Self { db_name: Some(db_name.into()), ..self }
    }

    /// Sets [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// Sets [`touch_after`](Self::touch_after).
    #[must_use]
    pub fn with_touch_after(self, touch_after: Duration) -> Self {
        Self { touch_after, ..self }
    }

    /// Sets [`stringify`](Self::stringify).
    #[must_use]
    pub fn with_stringify(self, stringify: bool) -> Self {
        Self { stringify, ..self }
    }

    /// Sets [`auto_remove`](Self::auto_remove).
    #[must_use]
    pub fn with_auto_remove(self, auto_remove: AutoRemove) -> Self {
        Self { auto_remove, ..self }
    }

    /// Sets [`timestamps`](Self::timestamps).
    #[must_use]
    pub fn with_timestamps(self, timestamps: bool) -> Self {
        Self { timestamps, ..self }
    }

    /// Sets [`transform_id`](Self::transform_id).
    #[must_use]
    pub fn with_transform_id(self, transform_id: impl Into<Option<TransformId>>) -> Self {
        Self { transform_id: transform_id.into(), ..self }
    }

    /// Sets [`write_concern`](Self::write_concern).
    #[must_use]
    pub fn with_write_concern(self, write_concern: impl Into<Option<WriteConcern>>) -> Self {
        Self { write_concern: write_concern.into(), ..self }
    }

    /// Sets [`encryption`](Self::encryption).
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn with_encryption(self, encryption: impl Encryption + 'static) -> Self {
        Self { encryption: Some(Arc::new(encryption)), ..self }
    }

    /// Sets [`max_record`](Self::max_record).
    #[must_use]
    pub fn with_max_record(self, max_record: u64) -> Self {
        Self { max_record, ..self }
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }
}

impl MongoOptions {
    /// Rejects an invalid option by its name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (option, why) = match self {
            Self { ttl: Duration::ZERO, .. } => ("ttl", "must be above zero"),
            Self { max_record: 0, .. } => ("maxRecord", "must be above zero"),
            Self { deadline: Duration::ZERO, .. } => ("deadline", "must be above zero"),
            Self { auto_remove: AutoRemove::Interval(Duration::ZERO), .. } => {
                ("autoRemoveInterval", "must be above zero")
            }
            // These are the server's rules for names. Without this check, only the first operation would fail.
            Self { collection_name: name, .. }
                if name.is_empty() || name.contains(['\0', '$']) || name.starts_with('.') =>
            {
                (
                    "collectionName",
                    "must be a valid collection name: not empty, no \"$\", no leading dot",
                )
            }
            Self { db_name: Some(name), .. } if !is_database(name) => {
                ("dbName", "must be a valid database name")
            }
            Self { write_concern: Some(concern), .. } if is_unacknowledged(concern) => {
                ("writeConcern", "must not have w=0: the store needs the answers")
            }
            _ => return Ok(()),
        };
        Err(invalid_option(STORE, option, why))
    }
}

pub(crate) fn is_database(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 64
        && !name.contains(['\0', '/', '\\', '.', ' ', '"', '$', '*', '<', '>', ':', '|', '?'])
}

/// Returns true for `w: 0`. The server then answers nothing, and no promise about a write could be kept.
pub(crate) fn is_unacknowledged(concern: &WriteConcern) -> bool {
    concern.w == Some(Acknowledgment::Nodes(0))
}
