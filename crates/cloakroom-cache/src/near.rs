//! What is kept in memory, and whether it may be used.
//!
//! A read goes like this: [`Near::begin`] puts a placeholder under the id, the store is asked, and [`Fill::keep`] replaces
//! the placeholder with the answer. Whoever learns that the record has changed calls [`Near::forget`], which removes the
//! placeholder as well; the answer that is still on its way is then not kept, because it may be older than the change.
//! What concerns all records at once is a number, the epoch: an entry counts only in the epoch in which its read began.

use std::{
    hash::RandomState,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use cloakroom_core::{Clock, SessionData};
use quick_cache::{
    OptionsBuilder,
    sync::{Cache, DefaultLifecycle, GuardResult, PlaceholderGuard},
};

use crate::moment::Moment;
use entry::ByBytes;
use lease::Lease;

mod entry;
mod lease;

pub(crate) use entry::{Entry, Left};

type Entries = Cache<String, Entry, ByBytes, RandomState>;
type Guard<'a> =
    PlaceholderGuard<'a, String, Entry, ByBytes, RandomState, DefaultLifecycle<String, Entry>>;

/// The most parts with a lock of their own, and the size from which there are several.
const MOST_PARTS: u64 = 64;
const PART: u64 = 1 << 20;

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
        entry.is_usable(now) && self.holds(entry.epoch, now)
    }

    /// Returns true if this is the epoch, and in coherent mode, if its connection was proved to work recently.
    fn holds(&self, epoch: u64, now: Moment) -> bool {
        let is_current = || self.epoch.load(Ordering::SeqCst) == epoch;
        let Some(lease) = &self.lease else { return is_current() };
        // The epoch changes before the lease does. So if it is the same before and after, this is its lease.
        is_current() && lease.is_valid(now) && is_current()
    }

    /// Returns true if reads can be answered from memory.
    pub(crate) fn is_active(&self) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.is_valid(self.now()))
    }

    /// Returns true if no entry that is used from now on can be older than `began`.
    pub(crate) fn is_newer_than(&self, began: Moment) -> bool {
        match &self.lease {
            Some(lease) => !lease.is_valid(self.now()) || lease.is_confirmed_since(began.at),
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
    pub(crate) fn confirm(&self, connection: u64, asked: Moment) {
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
        let Self { near, guard, sid_bytes, read, epoch } = self;
        let entry = Entry::new(sid_bytes, session, left, read, near.max_stale, epoch);
        if !entry.is_usable(read) || near.epoch.load(Ordering::SeqCst) != epoch {
            return;
        }
        // It is refused if the placeholder was removed.
        let _ = guard.insert(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(text: &str) -> SessionData {
        let mut session = SessionData::new();
        session.insert("text", text).unwrap();
        session
    }

    fn bounded(clock: &Clock) -> Near {
        Near::bounded(1 << 20, Duration::from_secs(3_600), clock.clone())
    }

    fn keep(near: &Near, sid: &str, text: &str) {
        near.begin(sid, near.now()).unwrap().keep(Some(session(text)), Left::Unknown);
    }

    fn is_there(near: &Near, sid: &str) -> bool {
        near.look(sid, near.now()).is_some()
    }

    #[test]
    fn an_answer_that_a_change_overtook_is_not_kept() {
        let clock = Clock::fixed(1_700_000_000_000);
        let near = bounded(&clock);
        let old = near.begin("a", near.now()).unwrap();
        near.forget("a");
        // Another read begins after the change, and ends before the old one.
        let new = near.begin("a", near.now()).unwrap();
        new.keep(Some(session("new")), Left::Unknown);
        old.keep(Some(session("old")), Left::Unknown);
        let entry = near.look("a", near.now()).unwrap();
        assert_eq!(entry.session.unwrap().get::<String>("text").unwrap().unwrap(), "new");
        near.forget("a");

        let old = near.begin("a", near.now()).unwrap();
        near.forget("a");
        let new = near.begin("a", near.now()).unwrap();
        old.keep(Some(session("old")), Left::Unknown);
        assert!(!is_there(&near, "a"), "the old answer must not take the place of the new one");
        new.keep(Some(session("new")), Left::Unknown);
        assert!(is_there(&near, "a"));

        let old = near.begin("a", near.now());
        near.forget_all();
        assert!(old.is_none(), "it is there");
        let old = near.begin("b", near.now()).unwrap();
        near.forget_all();
        old.keep(Some(session("old")), Left::Unknown);
        assert!(!is_there(&near, "b"));
    }

    #[test]
    fn only_one_of_several_reads_is_kept_and_a_dropped_one_leaves_nothing() {
        let clock = Clock::fixed(1_700_000_000_000);
        let near = bounded(&clock);
        let first = near.begin("a", near.now()).unwrap();
        assert!(near.begin("a", near.now()).is_none());
        drop(first);
        keep(&near, "a", "kept");
        assert!(is_there(&near, "a"));
    }

    #[test]
    fn an_entry_is_used_until_its_end_and_no_longer_than_allowed() {
        let clock = Clock::fixed(1_700_000_000_000);
        let near = bounded(&clock);
        let now = near.now();
        near.begin("none", now).unwrap().keep(None, Left::Unknown);
        near.begin("minute", now)
            .unwrap()
            .keep(Some(session("")), Left::For(Duration::from_secs(60)));
        let mut by_cookie = session("");
        by_cookie.cookie_mut().set_max_age_ms(Some(120_000), clock.now_ms()).unwrap();
        near.begin("cookie", now).unwrap().keep(Some(by_cookie.clone()), Left::Unknown);
        near.begin("endless", now).unwrap().keep(Some(by_cookie), Left::Endless);
        near.begin("over", now).unwrap().keep(Some(session("")), Left::For(Duration::ZERO));
        for (at, there) in [
            (0, vec!["none", "minute", "cookie", "endless"]),
            (59_000, vec!["none", "minute", "cookie", "endless"]),
            (60_000, vec!["none", "cookie", "endless"]),
            (120_000, vec!["none", "endless"]),
            (3_599_000, vec!["none", "endless"]),
            (3_600_000, vec![]),
        ] {
            clock.set(1_700_000_000_000 + at);
            let found: Vec<_> = ["none", "minute", "cookie", "endless", "over"]
                .into_iter()
                .filter(|sid| is_there(&near, sid))
                .collect();
            assert_eq!(found, there, "after {at} ms");
        }
        clock.set(1_700_000_000_000 - 1);
        assert!(!is_there(&near, "none"), "the clock was set back");
    }

    #[test]
    fn a_session_whose_date_is_stale_is_used_as_long_as_any() {
        let clock = Clock::fixed(1_700_000_000_000);
        let near = bounded(&clock);
        let mut stale = session("");
        stale.cookie_mut().set_max_age_ms(Some(1_000), clock.now_ms() - 5_000).unwrap();
        near.begin("a", near.now()).unwrap().keep(Some(stale), Left::Unknown);
        assert!(is_there(&near, "a"));
    }

    #[test]
    fn a_lost_connection_ends_what_it_vouched_for() {
        let clock = Clock::fixed(1_700_000_000_000);
        let near = Near::coherent(1 << 20, Duration::from_secs(3_600), clock);
        let confirm = |connection| near.confirm(connection, near.now());
        confirm(1);
        keep(&near, "a", "");
        assert!(is_there(&near, "a"));
        near.lose(1);
        assert!(!is_there(&near, "a") && near.begin("a", near.now()).is_none());
        let sent_before = near.begin("b", near.now());
        assert!(sent_before.is_none());
        confirm(3);
        assert!(!is_there(&near, "a"), "it may have changed in between");
        let under_way = near.begin("b", near.now()).unwrap();
        keep(&near, "a", "");
        // An old connection that answers or ends late changes nothing.
        confirm(2);
        near.lose(2);
        assert!(is_there(&near, "a"));
        near.lose(3);
        confirm(4);
        under_way.keep(Some(session("")), Left::Endless);
        assert!(!is_there(&near, "a") && !is_there(&near, "b"));
    }
}
