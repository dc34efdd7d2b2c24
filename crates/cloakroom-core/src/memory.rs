//! The store in this process's memory.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    Atomic, Created, Enumerate, Error, ErrorKind, Revision, SessionData, Store, TimeToLive,
    Touched, Updated,
};

mod id;
mod listing;
mod options;
mod queue;
mod shard;

pub use options::MemoryOptions;
use shard::{Entry, Key, Shard};

const STORE: &str = "memory";

/// From this bound on the sessions are spread over several locks. Below it, the share of each lock would be so small
/// that chance fills one up long before the store: with 16 locks for 1,024 sessions, at 80 % on average.
const ONE_LOCK: usize = 16_384;

/// The number of sessions for which a lock is added. What grows under a lock is copied as a whole, which takes a
/// fraction of a millisecond for that many, and for a single lock's twice as many.
const A_LOCK: usize = 8_192;

/// Sessions in this process's memory: for tests, examples and single-process services.
///
/// It supports the whole contract. Clones share the sessions, and any number of threads may use them.
///
/// - Expired sessions are never returned or counted. Nothing runs in the background: each call removes at most 32 of
///   them and frees their memory. So no call takes long when many expire at once, and a store that nobody calls keeps
///   them.
/// - **When the store is full, a new session replaces the one that would expire next.** Sessions are spread over locks
///   by their id: one lock for each 8,192 of `max_sessions`, at least 16, or a single one if `max_sessions` is below
///   16,384. Each lock has its share of `max_sessions`, and no store ever holds more than that. One with a single lock
///   replaces no session before it is full. One with several begins when the first share is full: on average at 94 % of
///   `max_sessions` or later, and rarely below 91 %. It is 97 % for the default of 1,000,000.
/// - A record may have any size. The other stores have a limit for what another program has stored; here, every record
///   comes from this process, and reading it copies no text.
/// - A session takes the bytes of its record and its id, plus at most 160 bytes.
/// - [`length`](Enumerate::length) counts sessions one by one only under locks where expired ones are left.
///   [`ids`](Enumerate::ids) and [`all`](Enumerate::all) copy the sessions of one lock at a time.
///
/// ```
/// use cloakroom_core::{MemoryStore, SessionData, Store};
/// # futures::executor::block_on(async {
/// let store = MemoryStore::new();
/// let mut session = SessionData::new();
/// session.insert("user", "ann")?;
/// store.set("an id", &session).await?;
/// assert_eq!(store.get("an id").await?, Some(session));
/// assert_eq!(store.get("another").await?, None);
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    options: MemoryOptions,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    /// The maximum number of sessions under one lock.
    bound: usize,
    /// The last revision. Revisions are never reused, so a session that was destroyed and created again has another
    /// one.
    revision: AtomicU64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// Creates an empty store with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(MemoryOptions::default())
    }

    /// Creates an empty store. A `max_sessions` of 0 counts as 1.
    #[must_use]
    pub fn with_options(options: MemoryOptions) -> Self {
        let locks = match options.max_sessions {
            ..ONE_LOCK => 1,
            // Limited first, because the next power of two of a huge number would overflow.
            more => (more / A_LOCK).min(4_096).next_power_of_two().max(16),
        };
        Self(Arc::new(Shared {
            // A lock numbers its sessions in 32 bits.
            bound: (options.max_sessions / locks).clamp(1, u32::MAX as usize),
            options,
            hasher: RandomState::new(),
            shards: (0..locks).map(|_| Mutex::default()).collect(),
            revision: AtomicU64::new(0),
        }))
    }

    fn now_ms(&self) -> i64 {
        self.0.options.clock.now_ms()
    }

    /// Locks the sessions among which this id is, and removes some that have expired. Also returns the current time.
    fn locked<'a>(
        &'a self,
        sid: &'a str,
        operation: &'static str,
    ) -> Result<(MutexGuard<'a, Shard>, Key<'a>, i64), Error> {
        if sid.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidId,
                STORE,
                operation,
                "invalid id: must not be empty",
            ));
        }
        let hash = self.0.hasher.hash_one(sid);
        // The number of locks is a power of two. The low half of the hash is for the table under the lock.
        let place = (hash >> 32) as usize & (self.0.shards.len() - 1);
        let (shard, now_ms) = self.swept(&self.0.shards[place]);
        Ok((shard, Key { sid, hash: hash as u32 }, now_ms))
    }

    fn swept<'a>(&self, shard: &'a Mutex<Shard>) -> (MutexGuard<'a, Shard>, i64) {
        // A poisoned lock is safe to use: nothing panics while it is held.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.now_ms();
        // Each call pays for a few of the sessions that have expired, so no background task is needed.
        shard.sweep(now_ms);
        (shard, now_ms)
    }

    /// Stores the session, or destroys it if its expiry has passed. Returns the new revision in both cases.
    fn put(
        &self,
        shard: &mut Shard,
        key: Key<'_>,
        session: &SessionData,
        text: Arc<str>,
    ) -> Revision {
        // Revisions only have to be unique, so `Relaxed` is enough.
        let revision = self.0.revision.fetch_add(1, Ordering::Relaxed) + 1;
        match self.expires_ms(session) {
            Some(expires_ms) => shard.put(key, text, expires_ms, revision, self.0.bound),
            None => shard.remove(key),
        }
        Revision::from_number(revision)
    }

    /// Returns when the session expires, in milliseconds since 1970, or `None` if it already has.
    fn expires_ms(&self, session: &SessionData) -> Option<i64> {
        let now_ms = self.now_ms();
        match session.time_to_live(now_ms) {
            TimeToLive::Seconds(seconds) => Some(later(now_ms, Duration::from_secs(seconds))),
            TimeToLive::Browser => Some(later(now_ms, self.0.options.ttl)),
            TimeToLive::Expired => None,
        }
    }
}

fn later(now_ms: i64, ttl: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX))
}

fn stored(entry: &Entry) -> (Arc<str>, u64) {
    (Arc::clone(&entry.text), entry.revision)
}

fn read(text: Arc<str>, revision: u64, operation: &'static str) -> Result<SessionData, Error> {
    SessionData::from_json(text)
        .map(|session| session.with_revision(Revision::from_number(revision)))
        .map_err(|error| error.with_context(STORE, operation))
}

#[async_trait]
impl Store for MemoryStore {
    fn name(&self) -> &str {
        STORE
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let found = {
            let (shard, key, now_ms) = self.locked(sid, "get")?;
            shard.live(key, now_ms).map(|at| stored(shard.entry(at)))
        };
        found.map(|(text, revision)| read(text, revision, "get")).transpose()
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        // Before the lock is taken: a large record takes a while.
        let text = session.to_json().into();
        let (mut shard, key, _) = self.locked(sid, "set")?;
        self.put(&mut shard, key, session, text);
        Ok(())
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let (mut shard, key, _) = self.locked(sid, "destroy")?;
        shard.remove(key);
        Ok(())
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let (mut shard, key, now_ms) = self.locked(sid, "touch")?;
        let Some(at) = shard.live(key, now_ms) else { return Ok(Touched::Missing) };
        match self.expires_ms(session) {
            Some(expires_ms) => {
                shard.expire_at(at, expires_ms);
                Ok(Touched::Extended)
            }
            None => {
                shard.remove_at(at);
                Ok(Touched::Missing)
            }
        }
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

#[async_trait]
impl Atomic for MemoryStore {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let text = session.to_json().into();
        let (mut shard, key, now_ms) = self.locked(sid, "create")?;
        if shard.live(key, now_ms).is_some() {
            return Ok(Created::Exists);
        }
        Ok(Created::Stored(self.put(&mut shard, key, session, text)))
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let Some(read_at) = session.revision().and_then(Revision::as_number) else {
            let message = "cannot update a session that was not read from this store";
            return Err(Error::new(ErrorKind::InvalidData, STORE, "update", message));
        };
        let text = session.to_json().into();
        let (mut shard, key, now_ms) = self.locked(sid, "update")?;
        let Some(at) = shard.live(key, now_ms) else { return Ok(Updated::Gone) };
        if shard.entry(at).revision != read_at {
            let (text, revision) = stored(shard.entry(at));
            // Parsing needs no lock.
            drop(shard);
            return read(text, revision, "update").map(Updated::Conflict);
        }
        Ok(Updated::Stored(self.put(&mut shard, key, session, text)))
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let ttl = ttl.unwrap_or(self.0.options.ttl);
        if ttl.is_zero() {
            return Err(Error::new(
                ErrorKind::InvalidData,
                STORE,
                "get_and_touch",
                "invalid ttl: must be above zero",
            ));
        }
        let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
        let found = {
            let (mut shard, key, now_ms) = self.locked(sid, "get_and_touch")?;
            shard.live(key, now_ms).map(|at| {
                shard.expire_at(at, later(now_ms, Duration::from_secs(seconds)));
                stored(shard.entry(at))
            })
        };
        found.map(|(text, revision)| read(text, revision, "get_and_touch")).transpose()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("options", &self.0.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::Clock;

    fn expiring_in(seconds: i64, clock: &Clock) -> SessionData {
        let mut session = SessionData::new();
        session.cookie_mut().set_max_age_ms(Some(seconds * 1_000), clock.now_ms()).unwrap();
        session
    }

    #[test]
    fn a_full_store_gives_the_place_of_the_session_that_expires_next() {
        let clock = Clock::fixed(1_700_000_000_000);
        let store = MemoryStore::with_options(MemoryOptions {
            max_sessions: 3,
            clock: clock.clone(),
            ..Default::default()
        });
        block_on(async {
            for (sid, seconds) in [("long", 300), ("short", 10), ("middle", 100)] {
                store.set(sid, &expiring_in(seconds, &clock)).await.unwrap();
            }
            store.set("middle", &expiring_in(90, &clock)).await.unwrap();
            assert_eq!(store.length().await.unwrap(), 3, "replacing takes no place");
            store.set("new", &expiring_in(50, &clock)).await.unwrap();
            assert_eq!(store.length().await.unwrap(), 3);
            assert_eq!(store.get("short").await.unwrap(), None);
            assert!(store.get("long").await.unwrap().is_some());
            store.touch("new", &expiring_in(900, &clock)).await.unwrap();
            store.set("newer", &expiring_in(500, &clock)).await.unwrap();
            assert_eq!(
                store.get("middle").await.unwrap(),
                None,
                "touch moved the other one away from the front"
            );
        });
    }

    #[test]
    fn the_bound_holds_whatever_the_ids() {
        let store =
            MemoryStore::with_options(MemoryOptions { max_sessions: 20_000, ..Default::default() });
        assert_eq!(store.0.shards.len(), 16);
        block_on(async {
            for number in 0..60_000 {
                store.set(&number.to_string(), &SessionData::new()).await.unwrap();
            }
            assert_eq!(store.length().await.unwrap(), 20_000);
        });
    }

    #[test]
    fn expired_sessions_leave_no_memory_behind() {
        let clock = Clock::fixed(1_700_000_000_000);
        let store =
            MemoryStore::with_options(MemoryOptions { clock: clock.clone(), ..Default::default() });
        block_on(async {
            for number in 0..100 {
                store.set(&number.to_string(), &expiring_in(1 + number % 2, &clock)).await.unwrap();
            }
            clock.advance(1_000);
            assert_eq!(store.length().await.unwrap(), 50);
            clock.advance(1_000);
            store.length().await.unwrap();
            for shard in &store.0.shards {
                // At the beginning of time, none of those that are still there had expired.
                assert_eq!(shard.lock().unwrap().length(i64::MIN), 0);
            }
        });
    }

    #[test]
    fn a_session_made_again_under_an_old_id_is_another_one() {
        let store = MemoryStore::new();
        block_on(async {
            store.set("id", &SessionData::new()).await.unwrap();
            let session = store.get("id").await.unwrap().unwrap();
            store.destroy("id").await.unwrap();
            store.set("id", &SessionData::new()).await.unwrap();
            assert!(matches!(store.update("id", &session).await.unwrap(), Updated::Conflict(_)));
        });
    }
}
