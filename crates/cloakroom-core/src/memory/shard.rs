//! The sessions under one lock.

use std::sync::Arc;

use hashbrown::HashTable;

use super::{id::Id, queue::Queue};
use crate::MARKER_PREFIX;

/// The maximum number of expired sessions that one call removes, and the bytes of records after which it stops earlier:
/// returning a large record to the system takes a while.
const SWEPT: usize = 32;
const SWEPT_BYTES: usize = 1 << 20;

/// Up to this capacity, memory is not given back.
const SMALL: usize = 16;

/// The id of a session, and a part of its keyed hash.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) sid: &'a str,
    pub(super) hash: u32,
}

#[derive(Default)]
pub(super) struct Shard {
    /// Where each session is in `entries`. With four bytes a session, the free places of a hash table cost little.
    index: HashTable<u32>,
    entries: Vec<Entry>,
    /// The same sessions in the order of their expiry.
    ///
    /// A session that is extended stays where it is, because most requests extend one. Its new expiry is looked up when
    /// it comes first in the queue.
    queue: Queue,
    markers: usize,
}

pub(super) struct Entry {
    pub(super) id: Id,
    pub(super) text: Arc<str>,
    pub(super) revision: u64,
    expires_ms: i64,
    /// Kept so that a growing table does not have to compute it under the lock.
    hash: u32,
}

impl Entry {
    fn has(&self, key: Key<'_>) -> bool {
        self.hash == key.hash && self.id.as_bytes() == key.sid.as_bytes()
    }

    pub(super) fn expires_ms(&self) -> i64 {
        self.expires_ms
    }

    fn is_marker(&self) -> bool {
        self.id.as_bytes().starts_with(MARKER_PREFIX.as_bytes())
    }
}

/// Returns the hash that the table works with: it takes a place from the low bits, and a tag from the high ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl Shard {
    /// Returns where the session is, or `None` if it does not exist or has expired.
    pub(super) fn live(&self, key: Key<'_>, now_ms: i64) -> Option<usize> {
        self.find(key).filter(|&at| self.entries[at].expires_ms > now_ms)
    }

    pub(super) fn entry(&self, at: usize) -> &Entry {
        &self.entries[at]
    }

    fn find(&self, key: Key<'_>) -> Option<usize> {
        let is_it = |at: &u32| self.entries[*at as usize].has(key);
        self.index.find(spread(key.hash), is_it).map(|at| *at as usize)
    }

    /// Stores a session. If there are `bound` already, it takes the place of the one that expires next.
    pub(super) fn put(
        &mut self,
        key: Key<'_>,
        text: Arc<str>,
        expires_ms: i64,
        revision: u64,
        bound: usize,
    ) {
        if let Some(at) = self.find(key) {
            let entry = &mut self.entries[at];
            (entry.text, entry.revision) = (text, revision);
            return self.expire_at(at, expires_ms);
        }
        if self.entries.len() >= bound {
            self.remove_next();
        }
        if self.entries.len() == self.entries.capacity() {
            // By a quarter, because doubling would leave up to half of the memory unused.
            let additional = (self.entries.len() / 4).max(4);
            self.entries.reserve_exact(additional);
            self.queue.reserve_exact(additional);
        }
        let entry = Entry { id: Id::new(key.sid), text, revision, expires_ms, hash: key.hash };
        self.markers += usize::from(entry.is_marker());
        let at = self.entries.len() as u32;
        self.entries.push(entry);
        self.queue.push(expires_ms);
        self.index
            .insert_unique(spread(key.hash), at, |&at| spread(self.entries[at as usize].hash));
    }

    pub(super) fn expire_at(&mut self, at: usize, expires_ms: i64) {
        self.entries[at].expires_ms = expires_ms;
        if expires_ms < self.queue.at_ms(at) {
            self.queue.set(at, expires_ms);
        }
    }

    pub(super) fn remove(&mut self, key: Key<'_>) {
        if let Some(at) = self.find(key) {
            self.remove_at(at);
        }
    }

    /// Removes a session and returns the bytes of its record. Moves the last one to its place.
    pub(super) fn remove_at(&mut self, at: usize) -> usize {
        let removed = self.entries.swap_remove(at);
        self.queue.swap_remove(at);
        if let Ok(place) =
            self.index.find_entry(spread(removed.hash), |&other| other as usize == at)
        {
            place.remove();
        }
        if let Some(moved) = self.entries.get(at) {
            let last = self.entries.len();
            let place = self.index.find_mut(spread(moved.hash), |&other| other as usize == last);
            if let Some(place) = place {
                *place = at as u32;
            }
        }
        self.markers -= usize::from(removed.is_marker());
        self.shrink();
        removed.text.len()
    }

    /// Frees memory when three quarters of it are unused. The table stays until the last session is removed: a smaller
    /// one would be an allocation, and glibc's malloc takes milliseconds for one after many records were freed.
    fn shrink(&mut self) {
        let (length, capacity) = (self.entries.len(), self.entries.capacity());
        if length == 0 && self.index.capacity() > SMALL {
            *self = Self::default();
        } else if length < capacity / 4 && capacity > SMALL {
            self.entries.shrink_to(2 * length);
            self.queue.shrink_to(2 * length);
        }
    }

    fn remove_next(&mut self) {
        while let Some((at, queued_ms)) = self.queue.first() {
            let expires_ms = self.entries[at].expires_ms;
            if expires_ms == queued_ms {
                self.remove_at(at);
                return;
            }
            self.queue.set(at, expires_ms);
        }
    }

    /// Removes sessions that have expired, a bounded number of them.
    pub(super) fn sweep(&mut self, now_ms: i64) {
        let mut bytes = 0;
        for _ in 0..SWEPT {
            let Some((at, _)) = self.queue.first().filter(|(_, due_ms)| *due_ms <= now_ms) else {
                return;
            };
            let expires_ms = self.entries[at].expires_ms;
            if expires_ms > now_ms {
                self.queue.set(at, expires_ms);
            } else {
                bytes += self.remove_at(at);
            }
            if bytes >= SWEPT_BYTES {
                return;
            }
        }
    }

    /// Returns the sessions, without markers and without those that have expired.
    pub(super) fn sessions(&self, now_ms: i64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.expires_ms > now_ms && !entry.is_marker())
    }

    /// Returns the number of [`sessions`](Self::sessions). Counts them only if one has expired and is still there.
    pub(super) fn length(&self, now_ms: i64) -> usize {
        match self.queue.first() {
            Some((_, due_ms)) if due_ms <= now_ms => self.sessions(now_ms).count(),
            _ => self.entries.len() - self.markers,
        }
    }
}
