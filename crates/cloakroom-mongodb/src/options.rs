//! What can be set.

#[cfg(feature = "encryption")]
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{Clock, Error, ErrorKind};
#[cfg(feature = "encryption")]
use cloakroom_encryption::Encryption;
use mongodb::options::{Acknowledgment, WriteConcern};

use crate::{TransformId, error::STORE};

/// How a [`MongoStore`](crate::MongoStore) keeps sessions: the options of connect-mongo by their names, and a few more.
///
/// Most can be given in the URL too, and win there; see [`MongoStore::open`](crate::MongoStore::open).
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
    /// The collection: `sessions` unless set.
    pub collection_name: String,
    /// The database: the one that the URL names, or else `test`, unless set.
    pub db_name: Option<String>,
    /// How long a browser session lives: 14 days unless set. All others live as long as their cookie.
    pub ttl: Duration,
    /// How long `touch` leaves a session alone that was written or touched: it writes every time unless set.
    ///
    /// `touch` then answers [`NotDue`](cloakroom_core::Touched::NotDue), since it has sent nothing and cannot
    /// know. A session with less than half of its life left is touched at any time, so that one that is in use does not
    /// expire; so is one whose life gets shorter.
    pub touch_after: Duration,
    /// Store the JSON text of a session, which is so unless set; or else a document, which can be queried.
    ///
    /// Both are read, whatever is set here.
    pub stringify: bool,
    /// What removes expired sessions from the disk: MongoDB's TTL monitor unless set. They are never returned anyway.
    pub auto_remove: AutoRemove,
    /// Write `createdAt` and `updatedAt` beside a session: not so unless set.
    pub timestamps: bool,
    /// How an id becomes the `_id` of a document: it is it unless set.
    pub transform_id: Option<TransformId>,
    /// How many servers have to confirm a write. Defaults to what the URL says, or else to the server's own default.
    pub write_concern: Option<WriteConcern>,
    /// How sessions are encrypted: not at all unless set. It is as the option `crypto` of connect-mongo, and as its
    /// `cryptoAdapter`.
    #[cfg(feature = "encryption")]
    pub encryption: Option<Arc<dyn Encryption>>,
    /// How long an operation takes at most: 5 seconds unless set. A listing has as long for each of its pages.
    pub deadline: Duration,
    /// What "now" is, for a cookie's expiry and for a session's.
    pub clock: Clock,
}

/// What removes expired sessions from the disk: the option `autoRemove` of connect-mongo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoRemove {
    /// MongoDB itself, by a TTL index on `expires` that is made once, after the first operation.
    Native,
    /// This store, in the background of a runtime on which it is used, once in this time, until its last handle is
    /// dropped. connect-mongo's `interval` has 10 minutes.
    Interval(Duration),
    /// Nobody, or somebody else, such as [`remove_expired`](crate::MongoStore::remove_expired).
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
            deadline: Duration::from_secs(5),
            clock: Clock::system(),
        }
    }
}

impl MongoOptions {
    /// The same options with another [`collection_name`](Self::collection_name).
    #[must_use]
    pub fn with_collection_name(mut self, collection_name: impl Into<String>) -> Self {
        self.collection_name = collection_name.into();
        self
    }

    /// The same options with another [`db_name`](Self::db_name).
    #[must_use]
    pub fn with_db_name(mut self, db_name: impl Into<String>) -> Self {
        self.db_name = Some(db_name.into());
        self
    }

    /// The same options with another [`ttl`](Self::ttl).
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The same options with another [`touch_after`](Self::touch_after).
    #[must_use]
    pub fn with_touch_after(mut self, touch_after: Duration) -> Self {
        self.touch_after = touch_after;
        self
    }

    /// The same options with another [`stringify`](Self::stringify).
    #[must_use]
    pub fn with_stringify(mut self, stringify: bool) -> Self {
        self.stringify = stringify;
        self
    }

    /// The same options with another [`auto_remove`](Self::auto_remove).
    #[must_use]
    pub fn with_auto_remove(mut self, auto_remove: AutoRemove) -> Self {
        self.auto_remove = auto_remove;
        self
    }

    /// The same options with another [`timestamps`](Self::timestamps).
    #[must_use]
    pub fn with_timestamps(mut self, timestamps: bool) -> Self {
        self.timestamps = timestamps;
        self
    }

    /// The same options with another [`transform_id`](Self::transform_id).
    #[must_use]
    pub fn with_transform_id(mut self, transform_id: impl Into<Option<TransformId>>) -> Self {
        self.transform_id = transform_id.into();
        self
    }

    /// The same options with another [`write_concern`](Self::write_concern).
    #[must_use]
    pub fn with_write_concern(mut self, write_concern: impl Into<Option<WriteConcern>>) -> Self {
        self.write_concern = write_concern.into();
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

impl MongoOptions {
    /// Refuses what has no meaning, and names it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (option, why) = match self {
            Self { ttl: Duration::ZERO, .. } => ("ttl", "zero"),
            Self { deadline: Duration::ZERO, .. } => ("deadline", "zero"),
            Self { auto_remove: AutoRemove::Interval(Duration::ZERO), .. } => {
                ("autoRemoveInterval", "zero")
            }
            // The server's rules for names; the driver would find out with the first operation.
            Self { collection_name: name, .. }
                if name.is_empty() || name.contains(['\0', '$']) || name.starts_with('.') =>
            {
                ("collectionName", "no name of a collection")
            }
            Self { db_name: Some(name), .. } if !is_database(name) => {
                ("dbName", "no name of a database")
            }
            Self { write_concern: Some(concern), .. } if is_unacknowledged(concern) => {
                ("writeConcern", "w of 0 has no answers, and the store needs them")
            }
            _ => return Ok(()),
        };
        Err(Error::new(
            ErrorKind::Config,
            STORE,
            "open",
            format!("invalid option {option:?}: {why}"),
        ))
    }
}

pub(crate) fn is_database(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 64
        && !name.contains(['\0', '/', '\\', '.', ' ', '"', '$', '*', '<', '>', ':', '|', '?'])
}

pub(crate) fn is_unacknowledged(concern: &WriteConcern) -> bool {
    concern.w == Some(Acknowledgment::Nodes(0))
}
