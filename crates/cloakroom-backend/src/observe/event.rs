//! What can happen beside the operations themselves.

use cloakroom_core::{Error, ErrorKind};

/// Something that an operator should be able to see. [`note`](super::note) reports it.
///
/// Texts are names from the code, or of servers: never an id, a secret or session data.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A store has made a connection, and had lost none before.
    Connected {
        /// The store's name.
        store: &'static str,
        /// The server's address.
        server: &'a str,
    },
    /// A store has made a connection after it had lost one.
    Reconnected {
        /// The store's name.
        store: &'static str,
        /// The server's address.
        server: &'a str,
    },
    /// An attempt to connect has failed.
    ConnectFailed {
        /// The store's name.
        store: &'static str,
        /// The server's address.
        server: &'a str,
        /// The kind of the error that waiting operations get.
        kind: ErrorKind,
    },
    /// A connection was lost or given up.
    ConnectionLost {
        /// The store's name.
        store: &'static str,
        /// The server's address.
        server: &'a str,
        /// `closed`, `silent`, or `replica` if its server is not the primary.
        reason: &'static str,
    },
    /// The server that decides has changed: another one is the primary, or this one no longer is.
    Failover {
        /// The store's name.
        store: &'static str,
        /// The address of the new primary, or of the former one.
        server: &'a str,
    },
    /// An update found that another writer had changed the session.
    Conflict {
        /// The store's name.
        store: &'a str,
        /// The operation.
        operation: &'static str,
    },
    /// A change was applied to what another writer had stored, so that neither was lost.
    Merged {
        /// The store's name.
        store: &'a str,
        /// The number of writes that it took.
        tries: u32,
    },
    /// A request has no session although it brought a cookie.
    CookieRefused {
        /// `not_verified`, `session_unknown` or `header_too_long`.
        reason: &'static str,
    },
    /// A cookie was not sent because it is `Secure` and the request is not.
    CookieWithheld,
    /// A request's changes were not stored, because its session had ended.
    SessionDiscarded {
        /// `destroyed`, `logged_out`, `moved` or `late`.
        reason: &'static str,
        /// The reason as a sentence.
        message: &'static str,
    },
    /// A session was stored for the first time.
    SessionCreated {
        /// The store's name.
        store: &'a str,
    },
    /// A session was stored under a new id, as at a login.
    SessionMoved {
        /// The store's name.
        store: &'a str,
    },
    /// A session was destroyed, as at a logout.
    SessionDestroyed {
        /// The store's name.
        store: &'a str,
    },
    /// The layer has reported an error.
    Failed {
        /// The error.
        error: &'a Error,
    },
}

#[cfg(any(feature = "metrics", feature = "tracing"))]
impl Event<'_> {
    /// Returns true if only the outermost code that knows of it reports it.
    pub(super) const fn is_of_outermost(&self) -> bool {
        matches!(
            self,
            Self::SessionCreated { .. } | Self::SessionMoved { .. } | Self::SessionDestroyed { .. }
        )
    }
}
