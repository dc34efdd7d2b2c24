//! The contract: four traits, their answers, and the impls for handles such as `Arc`.
//!
//! This file alone decides what a method promises. Each sentence is a case of `cloakroom-conformance`, or an exception
//! that its `tests/contract.rs` lists with a reason.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{Error, Revision, SessionData};

/// The result of [`Store::touch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Touched {
    /// The expiry was moved.
    Extended,
    /// No live session has this id. Nothing was created.
    Missing,
    /// The store does not support touch, or is configured not to use it. Nothing was sent.
    NotOffered,
    /// The store extends a session at most once per `touchAfter`, and it is not yet time. Nothing was sent.
    NotDue,
}

/// The result of [`Atomic::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The session is stored; this is its revision.
    Stored(Revision),
    /// A live session has this id. Nothing was changed.
    Exists,
}

/// The result of [`Atomic::update`].
#[derive(Clone, Debug)]
pub enum Updated {
    /// The session is stored; this is its new revision.
    Stored(Revision),
    /// Another writer changed the record in the meantime. This is the current record; nothing was changed.
    Conflict(SessionData),
    /// The session no longer exists. Nothing was created.
    Gone,
}

/// A session in a listing; see [`Enumerate::all`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Listed {
    /// The id that [`Store::get`] takes.
    pub id: String,
    /// The session, as [`Store::get`] returns it.
    pub session: SessionData,
    /// How long the session lives from now if nobody extends it, to within a second. `None` if it does not end by
    /// itself.
    pub time_left: Option<Duration>,
}

/// Keeps sessions: the four operations that express-session calls on a store.
///
/// - Dropping a future never leaves a partial record: the write happens as a whole, now or later, or not at all.
/// - Calls work on any runtime, even if another runtime that used the store is idle or has shut down.
/// - A runtime without the timers or the I/O that the store needs, or no runtime at all, is a
///   [`Config`](crate::ErrorKind::Config) error, not a panic.
/// - Every method returns [`InvalidId`](crate::ErrorKind::InvalidId) for an empty id, and for an id that the backend
///   would confuse with another. Every other id works, whatever its characters.
///
/// # Outages
///
/// - Every call returns within the store's deadline, if necessary with an [`Error`].
/// - A backend that cannot be reached is [`Unavailable`](crate::ErrorKind::Unavailable), and one that does not answer
///   in time is a [`Timeout`](crate::ErrorKind::Timeout); calls work again once it is back.
/// - A lost connection is made again, and one that answers nothing is given up after one deadline.
/// - A write whose answer is lost is an error with [`outcome_unknown`](Error::outcome_unknown), or happened exactly
///   once; it is never reported as a conflict with itself.
/// - No error quotes an id, session data or a secret.
///
/// # Wrappers
///
/// Methods take `&self`, so a store can be shared; `Arc<S>`, `Box<S>` and `&S` are stores too.
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns the store's name in errors and reports, such as `redis`.
    fn name(&self) -> &str;

    /// Returns the session, or `None` if it does not exist or has expired, even if the backend has not removed it yet.
    ///
    /// - The store's expiry decides whether a session is live, never the record's `cookie.expires`, which Node.js
    ///   leaves stale.
    /// - The session carries the [`Revision`] that [`Atomic::update`] compares with.
    /// - The record comes back byte for byte, unknown members included.
    /// - A record that Express treats as no session, such as `null`, is `None`.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if the record is not a session; otherwise the store's own errors.
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error>;

    /// Creates or replaces the record, no matter who wrote it last.
    ///
    /// - The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session.
    /// - A session whose expiry has passed is destroyed, not stored.
    /// - An `expires` that is not a date is ignored: it does not end the session.
    /// - A session that was read from a store, and whose expiry has not been changed since, lives for at least its own
    ///   max age from now: a stale `cookie.expires` does not end it. The same holds for [`Atomic::create`],
    ///   [`Atomic::update`] and [`touch`](Self::touch). [`SessionData::time_to_live`] computes this.
    /// - A session with a [store expiry](SessionData::with_store_expiry_ms) lives until then, whatever its cookie says,
    ///   and its record does not change. The same holds for [`Atomic::create`].
    ///
    /// # Errors
    ///
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if the record exceeds the backend's limit; otherwise the store's own
    /// errors.
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error>;

    /// Removes the session. A session that does not exist is not an error.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    async fn destroy(&self, sid: &str) -> Result<(), Error>;

    /// Sets the expiry that [`set`](Self::set) would give `session`.
    ///
    /// - It never changes the data, never creates a session and never revives one.
    /// - If that expiry has passed, the session ends and the answer is [`Touched::Missing`].
    /// - It does not change the revision.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error>;

    /// Returns the conditional writes, or `None` if the backend does not support them.
    fn atomic(&self) -> Option<&dyn Atomic>;

    /// Returns the listing, or `None` if the backend does not support it.
    fn enumerate(&self) -> Option<&dyn Enumerate>;
}

/// Conditional writes, which keep every change when two requests write at once; see [`Store::atomic`].
#[async_trait]
pub trait Atomic: Send + Sync {
    /// Stores the session only if no live session has this id, so two new sessions never share one.
    ///
    /// A session whose expiry has passed is not stored; the answer is the same as if it had been.
    ///
    /// # Errors
    ///
    /// As for [`Store::set`].
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error>;

    /// Stores the session only if the record has not changed since `session` was read.
    ///
    /// - It notices writes by Node.js, which does not know about revisions.
    /// - It never brings back a session that another request destroyed: the answer is then [`Updated::Gone`].
    /// - A session whose expiry has passed is destroyed, under the same condition; the answer is the same as if it had
    ///   been stored.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](crate::ErrorKind::InvalidData) for a session without a revision; otherwise as for
    /// [`Store::set`].
    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error>;

    /// Returns the session and sets its expiry to `ttl` from now, in one round trip. It does not change the revision.
    /// Returns `None`, and creates nothing, if no live session has this id.
    ///
    /// `ttl` is rounded up to whole seconds; `None` means the store's default for a browser session.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](crate::ErrorKind::InvalidData) for a `ttl` of zero; otherwise as for [`Store::get`].
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error>;
}

/// Lists the sessions of one store; see [`Store::enumerate`].
///
/// A backend that supports only some of the methods returns [`Unsupported`](crate::ErrorKind::Unsupported) from the
/// others.
#[async_trait]
pub trait Enumerate: Send + Sync {
    /// Returns the ids of the live sessions, in any order, each at least once. The stream never holds all of them in
    /// memory.
    ///
    /// A session that is live from the first item to the last is listed; one that is created or ends in between may or
    /// may not be.
    fn ids(&self) -> BoxStream<'_, Result<String, Error>>;

    /// Returns the live sessions, as [`ids`](Self::ids) lists them. A record that cannot be read yields an error, and
    /// the stream continues.
    fn all(&self) -> BoxStream<'_, Result<Listed, Error>>;

    /// Returns the number of live sessions.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    async fn length(&self) -> Result<u64, Error>;

    /// Removes the sessions under this store's prefix and nothing else.
    ///
    /// # Errors
    ///
    /// The store's own errors. If some sessions may be gone by then, [`outcome_unknown`](Error::outcome_unknown) is
    /// true.
    async fn clear(&self) -> Result<(), Error>;

    /// Returns the search by an index, or `None` if the backend does not support it.
    // It only saves time, so this method alone has a default: a store that forgets it is slower, and keeps every promise.
    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

/// Finds sessions by a value in them, without reading the others; see [`Enumerate::find_by`].
///
/// A path is as in [`SessionData::has_value`]: names with dots between them, such as `passport.user`.
#[async_trait]
pub trait FindBy: Send + Sync {
    /// Creates the index for a path and waits for it. An index that exists is not an error.
    ///
    /// It refuses no session that was accepted without it, whoever writes it.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](crate::ErrorKind::InvalidData) for a path that the backend cannot index, and
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if it cannot look into the store's records; otherwise the store's
    /// own errors.
    async fn create_index(&self, path: &str) -> Result<(), Error>;

    /// Returns the live sessions that have a value at a path, as [`Enumerate::all`] lists them.
    ///
    /// - `value` is a JSON text, compared as [`SessionData::has_value`] compares it.
    /// - The answer is `None` if the store cannot tell by an index which sessions these are. A caller then lists all
    ///   sessions.
    /// - It never misses a session, whoever wrote it, and whatever its record looks like.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    async fn find<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error>;

    /// Returns the live sessions that have a value at a path, of those that this store, or another one with the same
    /// options, wrote last.
    ///
    /// - A session that another program wrote or alone extended, such as Node.js, can be missing.
    /// - No session without the value is returned, whoever wrote it.
    /// - The answer is `None` if the store has no index on the path and keeps no list by it. A caller then lists all
    ///   sessions.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    async fn find_known<'s>(
        &'s self,
        path: &str,
        value: &str,
    ) -> Result<Option<BoxStream<'s, Result<Listed, Error>>>, Error> {
        // An index knows every session, so only a store without one has more to do.
        self.find(path, value).await
    }
}

// A blanket impl over `Deref` would overlap with the impls of the stores, so each handle has its own.
macro_rules! pass_on {
    ($($wrapper:ty),+) => {$(
        #[async_trait]
        #[deny(clippy::missing_trait_methods, reason = "a handle must pass on every promise")]
        impl<S: Store + ?Sized> Store for $wrapper {
            fn name(&self) -> &str {
                (**self).name()
            }
            async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
                (**self).get(sid).await
            }
            async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
                (**self).set(sid, session).await
            }
            async fn destroy(&self, sid: &str) -> Result<(), Error> {
                (**self).destroy(sid).await
            }
            async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
                (**self).touch(sid, session).await
            }
            fn atomic(&self) -> Option<&dyn Atomic> {
                (**self).atomic()
            }
            fn enumerate(&self) -> Option<&dyn Enumerate> {
                (**self).enumerate()
            }
        }
    )+};
}

pass_on!(Arc<S>, Box<S>, &S);
