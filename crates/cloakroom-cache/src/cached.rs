//! The store with memory in front of it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_backend::{Invalidations, timer, whole_seconds};
use cloakroom_core::{
    Atomic, Created, Enumerate, Error, ErrorKind, SessionData, Store, TimeToLive, Touched, Updated,
    is_marker,
};

use crate::{
    CacheOptions, CacheStats,
    listener::Listener,
    moment::Moment,
    near::{Left, Near},
    touches::{Claim, Touches},
};

mod listing;

/// Keeps the sessions that are read from a store in memory, and the fact that a session does not exist.
///
/// It is a store itself, with the name, the errors and the parts of the one behind it. Clones share the memory.
///
/// - In *bounded* mode, by [`new`](Self::new), an answer from memory is at most
///   [`max_stale`](CacheOptions::max_stale) old.
/// - In *coherent* mode, by [`coherent`](Self::coherent), the server reports each change, and the entry is removed as soon as
///   the report arrives. While these reports are not known to arrive, every read goes to the store.
///
/// In both modes:
///
/// - Writes always go to the store. They remove the entry before and after, so this process reads its own writes. An
///   [`update`](Atomic::update) is compared by the store, so a stale entry costs an attempt, never a change.
/// - A session is extended at most once per [`touch_interval`](CacheOptions::touch_interval). Otherwise, `touch` answers
///   [`NotDue`](Touched::NotDue), and [`get_and_touch`](Atomic::get_and_touch) only reads.
/// - An entry is not used after the session has ended, as far as that is known: in coherent mode by the store, in bounded
///   mode by the session's cookie or by the last `get_and_touch` of this process.
/// - Errors are not kept.
/// - The layer's marker records are neither kept nor answered from memory.
/// - Listings come from the store. What memory has of a session that they return is removed.
///
/// ```
/// use cloakroom_cache::{CacheOptions, Cached};
/// use cloakroom_core::{MemoryStore, SessionData, Store};
///
/// # futures::executor::block_on(async {
/// let store = Cached::new(MemoryStore::new(), CacheOptions::default());
/// store.set("an id", &SessionData::new()).await?;
/// for _ in 0..10 {
///     assert!(store.get("an id").await?.is_some());
/// }
/// assert_eq!(store.stats().misses, 1);
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Cached(Arc<Inner>);

struct Inner {
    far: Far,
    near: Arc<Near>,
    touches: Touches,
    listener: Listener,
}

/// The store behind the memory.
enum Far {
    Any(Box<dyn Store>),
    Reporting(Arc<dyn Invalidations>),
}

/// Whether a session is extended.
enum Extension<'a> {
    /// It exists, and was extended recently.
    NotDue(SessionData),
    /// It does not exist.
    Missing,
    /// It must be extended, with the right to do that, so that other tasks do not do it at the same time.
    Due(Option<Claim<'a>>),
}

/// A write under way. The entry is removed at its beginning and at its end, also if the future is dropped.
struct Writing<'a> {
    inner: &'a Inner,
    sid: &'a str,
}

/// An extension under way. The record stays the same, so the entry is removed only at its end, also if the future is
/// dropped: it says when the session ends.
struct Extending<'a> {
    inner: &'a Inner,
    sid: &'a str,
    is_sent: bool,
}

impl Cached {
    /// Puts memory in front of any store, in bounded mode.
    #[must_use]
    pub fn new(far: impl Store + 'static, options: CacheOptions) -> Self {
        let near = Near::bounded(of_entries(&options), options.max_stale, options.clock.clone());
        Self::on(Far::Any(Box::new(far)), near, &options)
    }

    /// Puts memory in front of a store that reports changes, such as `RedisStore`, in coherent mode.
    ///
    /// The first read that goes to the store starts a task that connects and receives the reports, on the caller's tokio
    /// runtime. It ends with the last clone. Until it is connected, and after it was disconnected, memory is not used;
    /// [`stats`](Self::stats) shows whether it is, and why not.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported) if the store cannot report changes.
    pub fn coherent(
        far: impl Invalidations + 'static,
        options: CacheOptions,
    ) -> Result<Self, Error> {
        far.check_invalidations()?;
        let near = Near::coherent(of_entries(&options), options.max_silence, options.clock.clone());
        Ok(Self::on(Far::Reporting(Arc::new(far)), near, &options))
    }

    fn on(far: Far, near: Near, options: &CacheOptions) -> Self {
        Self(Arc::new(Inner {
            far,
            near: Arc::new(near),
            touches: Touches::new(options.touch_interval, options.max_bytes / 8),
            listener: Listener::new(options.max_silence),
        }))
    }

    /// Returns how often memory was used, and how much of it.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let Inner { near, touches, listener, .. } = &*self.0;
        CacheStats {
            hits: near.hits(),
            misses: near.misses(),
            touches_saved: touches.saved(),
            bytes: near.bytes() + touches.bytes(),
            is_active: near.is_active(),
            trouble: listener.trouble(),
        }
    }

    /// Waits until no answer from memory is older than this call. For tests, which would otherwise wait for longer than
    /// necessary.
    #[doc(hidden)]
    pub async fn settled(&self) {
        let began = self.0.near.now();
        while !self.0.near.is_newer_than(began) {
            let Some(pause) = timer(Duration::from_millis(1)) else { return };
            pause.await;
        }
    }

    fn far(&self) -> &dyn Store {
        self.0.far.store()
    }

    fn far_atomic(&self, operation: &'static str) -> Result<&dyn Atomic, Error> {
        self.far().atomic().ok_or_else(|| listing::unsupported(self.far(), operation))
    }
}

/// Returns the share of the memory that is for sessions. The rest is for the times at which they were extended.
fn of_entries(options: &CacheOptions) -> u64 {
    options.max_bytes - options.max_bytes / 8
}

impl Far {
    fn store(&self) -> &dyn Store {
        match self {
            Self::Any(store) => &**store,
            Self::Reporting(store) => &**store,
        }
    }

    async fn read(&self, sid: &str, is_kept: bool) -> Result<(Option<SessionData>, Left), Error> {
        match self {
            Self::Reporting(store) if is_kept => Ok(match store.get_with_time_left(sid).await? {
                Some((session, left)) => (Some(session), left.map_or(Left::Endless, Left::For)),
                None => (None, Left::Endless),
            }),
            far => Ok((far.store().get(sid).await?, Left::Unknown)),
        }
    }
}

impl Inner {
    /// Asks the store, and keeps the answer.
    async fn read(&self, sid: &str, now: Moment) -> Result<Option<SessionData>, Error> {
        self.near.note_miss();
        self.listen();
        let fill = self.near.begin(sid, now);
        let (session, left) = self.far.read(sid, fill.is_some()).await?;
        if let Some(fill) = fill {
            fill.keep(session.clone(), left);
        }
        Ok(session)
    }

    /// Starts the task for invalidations if it is missing.
    fn listen(&self) {
        if let Far::Reporting(far) = &self.far {
            self.listener.ensure(far, &self.near);
        }
    }

    fn write<'a>(&'a self, sid: &'a str) -> Writing<'a> {
        self.listen();
        Writing::begin(self, sid)
    }

    /// Returns whether a session must be extended so that it lives for `ttl` from now.
    async fn extension<'a>(
        &'a self,
        sid: &'a str,
        now: Moment,
        ttl: Option<Duration>,
        operation: &'static str,
    ) -> Result<Extension<'a>, Error> {
        let entry = self.near.look(sid, now);
        if entry.as_ref().is_some_and(|entry| entry.session.is_none()) {
            self.near.note_hit();
            return Ok(Extension::Missing);
        }
        let left = entry.as_ref().and_then(|entry| entry.left(now));
        if let Some(claim) = self.touches.claim(sid, now, ttl, left) {
            return Ok(Extension::Due(Some(claim)));
        }
        let found = match entry.and_then(|entry| entry.session) {
            Some(session) => {
                self.near.note_hit();
                Ok(Some(session))
            }
            // It was extended, but whether it still exists is not known.
            None => self.read(sid, now).await,
        };
        match found {
            Ok(Some(session)) => {
                self.touches.note_saved();
                Ok(Extension::NotDue(session))
            }
            Ok(None) => Ok(Extension::Missing),
            // A session whose record cannot be read can be extended.
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::TooLarge) => {
                Ok(Extension::Due(None))
            }
            Err(error) => Err(error.with_context(self.far.store().name().to_owned(), operation)),
        }
    }
}

impl<'a> Writing<'a> {
    fn begin(inner: &'a Inner, sid: &'a str) -> Self {
        let writing = Self { inner, sid };
        writing.forget();
        writing
    }

    fn forget(&self) {
        self.inner.near.forget(self.sid);
        self.inner.touches.forget(self.sid);
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Drop for Extending<'_> {
    fn drop(&mut self) {
        if self.is_sent {
            self.inner.near.forget(self.sid);
        }
    }
}

#[async_trait]
impl Store for Cached {
    fn name(&self) -> &str {
        self.far().name()
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        // Processes coordinate by markers, so each of them must see the others' at once.
        if is_marker(sid) {
            return self.far().get(sid).await;
        }
        let now = self.0.near.now();
        if let Some(entry) = self.0.near.look(sid, now) {
            self.0.near.note_hit();
            return Ok(entry.session);
        }
        self.0.read(sid, now).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let _writing = self.0.write(sid);
        self.far().set(sid, session).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let _writing = self.0.write(sid);
        self.far().destroy(sid).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        if is_marker(sid) {
            return self.far().touch(sid, session).await;
        }
        let now = self.0.near.now();
        let ttl = match session.time_to_live(now.ms) {
            TimeToLive::Seconds(seconds) => Some(Duration::from_secs(seconds)),
            TimeToLive::Browser => None,
            TimeToLive::Expired => {
                let _writing = self.0.write(sid);
                return self.far().touch(sid, session).await;
            }
        };
        let claim = match self.0.extension(sid, now, ttl, "touch").await? {
            Extension::NotDue(_) => return Ok(Touched::NotDue),
            Extension::Missing => return Ok(Touched::Missing),
            Extension::Due(claim) => claim,
        };
        let mut extending = Extending { inner: &self.0, sid, is_sent: true };
        let touched = self.far().touch(sid, session).await?;
        extending.is_sent = !matches!(touched, Touched::NotOffered | Touched::NotDue);
        if let (Touched::Extended, Some(claim)) = (touched, claim) {
            claim.keep();
        }
        Ok(touched)
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        self.far().atomic().map(|_| self as &dyn Atomic)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.far().enumerate().map(|_| self as &dyn Enumerate)
    }
}

#[async_trait]
impl Atomic for Cached {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let _writing = self.0.write(sid);
        self.far_atomic("create")?.create(sid, session).await
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let _writing = self.0.write(sid);
        self.far_atomic("update")?.update(sid, session).await
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let atomic = self.far_atomic("get_and_touch")?;
        // Stores count in whole seconds, and refuse zero.
        let seconds = ttl.map(|ttl| Duration::from_secs(whole_seconds(ttl)));
        if is_marker(sid) || seconds.is_some_and(|ttl| ttl.is_zero()) {
            return atomic.get_and_touch(sid, ttl).await;
        }
        let now = self.0.near.now();
        let claim = match self.0.extension(sid, now, seconds, "get_and_touch").await? {
            Extension::NotDue(session) => return Ok(Some(session)),
            Extension::Missing => return Ok(None),
            Extension::Due(claim) => claim,
        };
        self.0.near.note_miss();
        self.0.listen();
        self.0.near.forget(sid);
        // In coherent mode the server reports this extension too, which removes the entry.
        let fill = match self.0.far {
            Far::Any(_) => self.0.near.begin(sid, now),
            Far::Reporting(_) => None,
        };
        let found = atomic.get_and_touch(sid, ttl).await?;
        if let (Some(_), Some(claim)) = (&found, claim) {
            claim.keep();
        }
        if let Some(fill) = fill {
            let left = if found.is_some() { seconds } else { None };
            fill.keep(found.clone(), left.map_or(Left::Unknown, Left::For));
        }
        Ok(found)
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("store", &self.name()).finish_non_exhaustive()
    }
}
