//! What is kept in memory, and whether it may be used.
//!
//! A read goes like this: [`Near::begin`] puts a placeholder under the id, the store is asked, and [`Fill::keep`] replaces
//! the placeholder with the answer. Whoever learns that the record has changed calls [`Near::forget`], which removes the
//! placeholder as well; the answer that is still on its way is then not kept, because it may be older than the change.
//! What concerns all records at once is a number, the epoch: an entry counts only in the epoch in which its read began.

use std::{
    hash::RandomState,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use cloakroom_core::{Clock, SessionData};
use quick_cache::{
    OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle, GuardResult, PlaceholderGuard},
};

use crate::moment::Moment;
use lease::Lease;

mod lease;

type Entries = Cache<String, Entry, ByBytes, RandomState>;
type Guard<'a> =
    PlaceholderGuard<'a, String, Entry, ByBytes, RandomState, DefaultLifecycle<String, Entry>>;

/// The most parts with a lock of their own, and the size from which there are several.
const MOST_PARTS: u64 = 64;
const PART: u64 = 1 << 20;

/// What an entry takes besides its texts: its place in the table, which grows by doubling, and the parsed record.
const OVERHEAD: u64 = 2 * (size_of::<(String, Entry)>() as u64 + 48) + 448;

/// What a member of a record takes: the places of its name and its value, in a list that grows by doubling.
const OVERHEAD_OF_MEMBER: u64 = 32;

/// How long a session lives, as far as that is known when it is read.
#[derive(Clone, Copy)]
pub(crate) enum Left {
    /// Only the record itself says something.
    Unknown,
    /// The store says that it does not end by itself.
    Endless,
    /// The store says that it ends after this time.
    For(Duration),
}

/// What a read returned.
#[derive(Clone)]
pub(crate) struct Entry {
    /// `None` for a session that does not exist.
    pub(crate) session: Option<SessionData>,
    /// When the read began: nothing in the entry is older.
    read: Moment,
    /// How long after that it may be used.
    good_for: Duration,
    left: Left,
    epoch: u64,
    bytes: u64,
}

impl Entry {
    /// Returns how long the session lives from `now`, if the store has said so.
    pub(crate) fn left(&self, now: Moment) -> Option<Duration> {
        match self.left {
            Left::For(left) => Some(left.saturating_sub(self.read.age(now))),
            Left::Unknown | Left::Endless => None,
        }
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Entry> for ByBytes {
    fn weight(&self, _: &String, entry: &Entry) -> u64 {
        entry.bytes
    }
}

/// A read under way whose answer may be kept.
pub(crate) struct Fill<'a> {
    near: &'a Near,
    guard: Guard<'a>,
    sid_bytes: usize,
    read: Moment,
    epoch: u64,
}

/// The memory of a cache.
pub(crate) struct Near {
    entries: Entries,
    clock: Clock,
    max_stale: Duration,
    /// Changes when no entry may be used any more.
    epoch: AtomicU64,
    /// In coherent mode, whether the connection for invalidations works.
    lease: Option<Lease>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Near {
    /// Creates a memory whose entries are used for at most `max_stale`.
    pub(crate) fn bounded(max_bytes: u64, max_stale: Duration, clock: Clock) -> Self {
        Self::new(max_bytes, max_stale, clock, None)
    }

    /// Creates a memory that is used only within `max_silence` after a confirmation, until entries are invalidated.
    pub(crate) fn coherent(max_bytes: u64, max_silence: Duration, clock: Clock) -> Self {
        Self::new(max_bytes, Duration::MAX, clock, Some(Lease::new(max_silence)))
    }

    fn new(max_bytes: u64, max_stale: Duration, clock: Clock, lease: Option<Lease>) -> Self {
        // A part holds no entry that is larger than itself.
        let parts = 1_usize << (max_bytes / PART).clamp(1, MOST_PARTS).ilog2();
        // An eighth is for what the table remembers of entries that it has removed.
        let bytes = max_bytes - max_bytes / 8;
        let items = usize::try_from(max_bytes / 2_048).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .shards(parts)
            .estimated_items_capacity(items)
            .weight_capacity(bytes)
            .build();
        let entries = match options {
            Ok(options) => Cache::with_options(
                options,
                ByBytes,
                RandomState::new(),
                DefaultLifecycle::default(),
            ),
            // Both numbers are set, which is all that is checked.
            Err(_) => {
                Cache::with(items, bytes, ByBytes, RandomState::new(), DefaultLifecycle::default())
            }
        };
        Self {
            entries,
            clock,
            max_stale,
            epoch: AtomicU64::new(1),
            lease,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::now(&self.clock)
    }

    /// Returns the entry if it may be used now.
    pub(crate) fn look(&self, sid: &str, now: Moment) -> Option<Entry> {
        let entry = self.entries.get(sid)?;
        self.is_good(&entry, now).then_some(entry)
    }

    fn is_good(&self, entry: &Entry, now: Moment) -> bool {
        entry.read.age(now) < entry.good_for && self.holds(entry.epoch, now.at)
    }

    /// Returns true if this is the epoch, and in coherent mode, if its connection was proved to work recently.
    fn holds(&self, epoch: u64, now: Instant) -> bool {
        let is_current = || self.epoch.load(Ordering::SeqCst) == epoch;
        let Some(lease) = &self.lease else { return is_current() };
        // The epoch changes before the lease does. So if it is the same before and after, this is its lease.
        is_current() && lease.is_valid(now) && is_current()
    }

    /// Returns true if reads can be answered from memory.
    pub(crate) fn is_active(&self, now: Instant) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.is_valid(now))
    }

    /// Returns true if no entry that is used from now on can be older than `began`.
    pub(crate) fn is_newer_than(&self, began: Moment) -> bool {
        match &self.lease {
            Some(lease) => !lease.is_valid(Instant::now()) || lease.is_confirmed_since(began.at),
            None => began.age(self.now()) >= self.max_stale,
        }
    }

    /// Notes that a read begins. Returns `None` if its answer will not be kept, for example because another read of the
    /// same session is under way.
    pub(crate) fn begin(&self, sid: &str, now: Moment) -> Option<Fill<'_>> {
        if self.max_stale.is_zero() {
            return None;
        }
        let epoch = self.epoch.load(Ordering::SeqCst);
        // Before the first confirmation, and after the connection was lost, changes are not reported.
        let is_reported = self.lease.as_ref().is_none_or(Lease::is_confirmed);
        if !is_reported || self.epoch.load(Ordering::SeqCst) != epoch {
            return None;
        }
        let guard = match self.guard(sid) {
            GuardResult::Guard(guard) => guard,
            GuardResult::Timeout => return None,
            GuardResult::Value(_) => {
                self.entries.remove_if(sid, |entry| !self.is_good(entry, now));
                let GuardResult::Guard(guard) = self.guard(sid) else { return None };
                guard
            }
        };
        Some(Fill { near: self, guard, sid_bytes: sid.len(), read: now, epoch })
    }

    fn guard(
        &self,
        sid: &str,
    ) -> GuardResult<'_, String, Entry, ByBytes, RandomState, DefaultLifecycle<String, Entry>> {
        // It does not wait for another read: that may have been sent before a change which the caller knows of.
        self.entries.get_value_or_guard(sid, Some(Duration::ZERO))
    }

    /// Notes that a record changes or has changed. A read that is under way is not kept.
    pub(crate) fn forget(&self, sid: &str) {
        self.entries.remove(sid);
    }

    /// Notes that all records may have changed.
    pub(crate) fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        // Frees the memory. No entry counts any more.
        self.entries.clear();
    }

    /// Notes that the connection with this number has reported every change that was answered before `asked`. A
    /// connection with a higher number takes the place of the one before.
    pub(crate) fn confirm(&self, connection: u64, asked: Instant) {
        if let Some(lease) = &self.lease {
            lease.confirm(connection, asked, || self.forget_all());
        }
    }

    /// Notes that the connection with this number is lost.
    pub(crate) fn lose(&self, connection: u64) {
        if let Some(lease) = &self.lease {
            lease.lose(connection, || self.forget_all());
        }
    }

    pub(crate) fn note_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    pub(crate) fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Returns the bytes of all entries.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.weight()
    }
}

impl Fill<'_> {
    /// Keeps the answer, unless the record has changed since the read began.
    pub(crate) fn keep(self, session: Option<SessionData>, left: Left) {
        let life = match left {
            Left::For(left) => left,
            Left::Endless => Duration::MAX,
            Left::Unknown => session.as_ref().map_or(Duration::MAX, |it| life(it, self.read.ms)),
        };
        let good_for = life.min(self.near.max_stale);
        if good_for.is_zero() || self.near.epoch.load(Ordering::SeqCst) != self.epoch {
            return;
        }
        let of_session = session.as_ref().map_or(0, weight);
        let bytes = OVERHEAD + self.sid_bytes as u64 + of_session;
        let (read, epoch) = (self.read, self.epoch);
        // It is refused if the placeholder was removed.
        let _ = self.guard.insert(Entry { session, read, good_for, left, epoch, bytes });
    }
}

/// Returns how long a session lives at least, by its record. The store may let it live longer: an `expires` in the past
/// says nothing, because Node.js leaves it stale.
fn life(session: &SessionData, now_ms: i64) -> Duration {
    let ends =
        [session.cookie().expires_ms().filter(|at_ms| *at_ms > now_ms), session.ends_at_ms()];
    let left = ends.into_iter().flatten().map(|at_ms| at_ms.saturating_sub(now_ms)).min();
    left.map_or(Duration::MAX, |ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// Returns the bytes that a session takes besides [`OVERHEAD`].
fn weight(session: &SessionData) -> u64 {
    let revision = session.revision().and_then(|revision| revision.as_bytes());
    let texts = session.loaded_json().len() + revision.map_or(0, <[u8]>::len);
    texts as u64 + OVERHEAD_OF_MEMBER * (session.len() as u64 + 1)
}

#[cfg(test)]
mod tests;
