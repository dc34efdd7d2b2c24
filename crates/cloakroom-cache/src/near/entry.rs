//! What a read returned, how long it may be used, and what it weighs.

use std::time::Duration;

use cloakroom_core::SessionData;
use quick_cache::Weighter;

use crate::moment::Moment;

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
    pub(super) epoch: u64,
    bytes: u64,
}

impl Entry {
    /// Returns what a read has found that began at `read`. It may be used for `max_stale` at most.
    pub(super) fn new(
        sid_bytes: usize,
        session: Option<SessionData>,
        left: Left,
        read: Moment,
        max_stale: Duration,
        epoch: u64,
    ) -> Self {
        let life = match left {
            Left::For(left) => left,
            Left::Endless => Duration::MAX,
            Left::Unknown => session.as_ref().map_or(Duration::MAX, |it| life(it, read.ms)),
        };
        let bytes = OVERHEAD + sid_bytes as u64 + session.as_ref().map_or(0, weight);
        Self { session, read, good_for: life.min(max_stale), left, epoch, bytes }
    }

    /// Returns true if it is not too old, and the session has not ended.
    pub(super) fn is_usable(&self, now: Moment) -> bool {
        self.read.age(now) < self.good_for
    }

    /// Returns how long the session lives from `now`, if the store has said so.
    pub(crate) fn left(&self, now: Moment) -> Option<Duration> {
        match self.left {
            Left::For(left) => Some(left.saturating_sub(self.read.age(now))),
            Left::Unknown | Left::Endless => None,
        }
    }
}

/// Weighs entries.
#[derive(Clone)]
pub(super) struct ByBytes;

impl Weighter<String, Entry> for ByBytes {
    fn weight(&self, _: &String, entry: &Entry) -> u64 {
        entry.bytes
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
    let record = session.loaded_json().len();
    // A text that was read may have room for an eighth more.
    let texts = record + record / 8 + revision.map_or(0, <[u8]>::len);
    texts as u64 + OVERHEAD_OF_MEMBER * (session.len() as u64 + 1)
}
