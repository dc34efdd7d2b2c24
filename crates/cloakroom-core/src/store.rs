//! The contract: three traits, their answers, and the handles that pass calls on.
//!
//! What a method promises is decided here and nowhere else; each sentence is a case of `cloakroom-conformance`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{Error, Revision, Session};

/// What [`Store::touch`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// The expiry was moved.
    Extended,
    /// There is no live session under this id. Nothing was created.
    Missing,
    /// This store has no touch, or was told not to use it. Nothing was sent.
    NotOffered,
}

/// What [`Atomic::create`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The session is stored; this is its revision.
    Stored(Revision),
    /// A live session has this id. Nothing was changed.
    Exists,
}

/// What [`Atomic::update`] did.
#[derive(Clone, Debug)]
pub enum Updated {
    /// The session is stored; this is its new revision.
    Stored(Revision),
    /// Somebody wrote in between. This is the record as it is now; nothing was changed.
    Conflict(Session),
    /// There is no session any more. Nothing was created.
    Gone,
}

/// A place where sessions live: express-session's own four operations.
///
/// A dropped future leaves no half a record: the write happens whole, at once or later, or not at all.
/// Calls work on any runtime, even when another runtime that used the store is idle or has ended.
/// A runtime without the timers or the I/O that a store needs is a [`Config`](crate::ErrorKind::Config) error and no
/// panic, and so is no runtime at all.
/// An empty id is [`InvalidId`](crate::ErrorKind::InvalidId) everywhere; so is an id that a backend cannot keep
/// apart from all others. Every other id works, whatever its characters.
///
/// # Outages
///
/// Every call ends within the store's deadline, with an [`Error`] at the worst.
/// A backend that cannot be reached is [`Unavailable`](crate::ErrorKind::Unavailable), and one that does not answer in
/// time is a [`Timeout`](crate::ErrorKind::Timeout); calls work again once it is back.
/// A connection that is lost is made again, and one that answers nothing is left after one deadline.
/// A write whose answer is lost is an error with [`outcome_unknown`](Error::outcome_unknown), or was carried out once;
/// it is never told as a conflict with itself.
/// No error quotes an id, session data or a secret.
///
/// # Wrappers
///
/// A store is used through `&self` and shared; `Arc<S>`, `Box<S>` and `&S` are stores too.
#[async_trait]
pub trait Store: Send + Sync {
    /// The store's name in errors and reports, such as `redis`.
    fn name(&self) -> &str;

    /// Returns the session, or `None` when there is none or it has expired, whatever the backend's own cleaner has
    /// done so far.
    ///
    /// - Liveness is the store's expiry, never the record's `cookie.expires`, which Node.js leaves stale.
    /// - The session carries the [`Revision`] that [`Atomic::update`] compares with.
    /// - Every byte of the record comes back, known member or not.
    /// - A record that Express takes for no session, such as `null`, is none.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when the record is not a session, and the store's own failures.
    async fn get(&self, sid: &str) -> Result<Option<Session>, Error>;

    /// Creates or replaces the record, whoever wrote it last.
    ///
    /// - The time to live is `ceil(cookie.expires - now)` in seconds, or the store's default for a browser session.
    /// - A session whose expiry has passed is destroyed, not stored.
    /// - An `expires` that is not a date counts as none and ends no session.
    /// - A session that was read from a store, and whose expiry nobody has changed, lives for its own max age from
    ///   now, or longer: a stale `cookie.expires` ends no session. So it does after [`Atomic::create`],
    ///   [`Atomic::update`] and [`touch`](Self::touch). [`Session::time_to_live`] counts so.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](crate::ErrorKind::TooLarge) where the backend has a limit, and the store's own failures.
    async fn set(&self, sid: &str, session: &Session) -> Result<(), Error>;

    /// Afterwards there is no session under this id. That there was none before is no error.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    async fn destroy(&self, sid: &str) -> Result<(), Error>;

    /// Moves the expiry to the one that [`set`](Self::set) would give `session`.
    ///
    /// - It never writes the data, never creates and never revives.
    /// - An expiry that has passed ends the session; the answer is then [`Touched::Missing`].
    /// - It does not change the revision.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    async fn touch(&self, sid: &str, session: &Session) -> Result<Touched, Error>;

    /// The conditional writes, or `None` when the backend cannot do them.
    fn atomic(&self) -> Option<&dyn Atomic>;

    /// The listing, or `None` when the backend cannot do it.
    fn enumerate(&self) -> Option<&dyn Enumerate>;
}

/// Writes that lose nothing when two requests meet, reached by [`Store::atomic`].
#[async_trait]
pub trait Atomic: Send + Sync {
    /// Stores only where there is no live session, and says so: two new sessions never share an id.
    ///
    /// A session whose expiry has passed is not stored; the answer is as if it had been.
    ///
    /// # Errors
    ///
    /// As [`Store::set`].
    async fn create(&self, sid: &str, session: &Session) -> Result<Created, Error>;

    /// Stores only where the record is still the one that `session` was read from.
    ///
    /// - It notices what Node.js wrote in between, which knows nothing of revisions.
    /// - It never brings back what another request destroyed: the answer is then [`Updated::Gone`].
    /// - A session whose expiry has passed is destroyed, under the same condition; the answer is as if it had been stored.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](crate::ErrorKind::InvalidData) for a session without a revision, then as [`Store::set`].
    async fn update(&self, sid: &str, session: &Session) -> Result<Updated, Error>;

    /// Returns the session and moves its expiry to `ttl` from now, both in one round trip. `None` when there is no
    /// live session; nothing is created then.
    ///
    /// `ttl` counts up to the next whole second; `None` is the store's default for a browser session. It does not change
    /// the revision.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](crate::ErrorKind::InvalidData) for a `ttl` of zero, then as [`Store::get`].
    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<Session>, Error>;
}

/// The listing of all sessions of a store, reached by [`Store::enumerate`].
///
/// A backend that can do only a part of it answers [`Unsupported`](crate::ErrorKind::Unsupported) to the rest.
#[async_trait]
pub trait Enumerate: Send + Sync {
    /// The ids of the live sessions, in no order, at least once each. It never holds all of them in memory.
    ///
    /// A session that lives from the first item to the last is among them; one that comes or goes meanwhile is
    /// listed or not.
    fn ids(&self) -> BoxStream<'_, Result<String, Error>>;

    /// The live sessions with their ids, as [`ids`](Self::ids) lists them. A record that cannot be read is an error
    /// in its place, and the stream goes on.
    fn all(&self) -> BoxStream<'_, Result<(String, Session), Error>>;

    /// The number of live sessions.
    ///
    /// # Errors
    ///
    /// The store's own failures.
    async fn length(&self) -> Result<u64, Error>;

    /// Removes our sessions, those under this store's prefix, and nothing else.
    ///
    /// # Errors
    ///
    /// The store's own failures; some sessions are gone then.
    async fn clear(&self) -> Result<(), Error>;
}

macro_rules! pass_on {
    ($($wrapper:ty),+) => {$(
        #[async_trait]
        #[deny(clippy::missing_trait_methods, reason = "a handle must pass on every promise")]
        impl<S: Store + ?Sized> Store for $wrapper {
            fn name(&self) -> &str {
                (**self).name()
            }
            async fn get(&self, sid: &str) -> Result<Option<Session>, Error> {
                (**self).get(sid).await
            }
            async fn set(&self, sid: &str, session: &Session) -> Result<(), Error> {
                (**self).set(sid, session).await
            }
            async fn destroy(&self, sid: &str) -> Result<(), Error> {
                (**self).destroy(sid).await
            }
            async fn touch(&self, sid: &str, session: &Session) -> Result<Touched, Error> {
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
