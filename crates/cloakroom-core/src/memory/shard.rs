//! The sessions under one lock.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

#[derive(Default)]
pub(super) struct Shard {
    pub(super) sessions: HashMap<Arc<str>, Entry>,
    /// The same sessions, ordered by expiry and then by revision, so that the next to expire is found without a scan.
    pub(super) queue: BTreeMap<(i64, u64), Arc<str>>,
}

pub(super) struct Entry {
    pub(super) text: Arc<str>,
    expires_ms: i64,
    /// The revision at which the entry was created, which is the second part of its key in the queue.
    born: u64,
    pub(super) revision: u64,
}

impl Shard {
    pub(super) fn live(&self, sid: &str, now_ms: i64) -> Option<&Entry> {
        self.sessions.get(sid).filter(|entry| entry.expires_ms > now_ms)
    }

    pub(super) fn remove(&mut self, sid: &str) {
        if let Some(entry) = self.sessions.remove(sid) {
            self.queue.remove(&(entry.expires_ms, entry.born));
        }
    }

    /// Removes the session that expires next: if it has expired by the given time, or unconditionally without one.
    /// Returns true if it removed one.
    pub(super) fn remove_next(&mut self, expired_at_ms: Option<i64>) -> bool {
        let Some(next) = self.queue.first_entry() else { return false };
        if expired_at_ms.is_some_and(|now_ms| next.key().0 > now_ms) {
            return false;
        }
        self.sessions.remove(&*next.remove());
        true
    }

    pub(super) fn put(
        &mut self,
        sid: &str,
        text: Arc<str>,
        expires_ms: i64,
        revision: u64,
        bound: usize,
    ) {
        // First, because a session that is replaced must not push another one out.
        self.remove(sid);
        while self.sessions.len() >= bound && self.remove_next(None) {}
        let sid: Arc<str> = sid.into();
        self.queue.insert((expires_ms, revision), Arc::clone(&sid));
        self.sessions.insert(sid, Entry { text, expires_ms, born: revision, revision });
    }

    pub(super) fn expire_at(&mut self, sid: &str, expires_ms: i64) {
        if let Some(entry) = self.sessions.get_mut(sid)
            && let Some(sid) = self.queue.remove(&(entry.expires_ms, entry.born))
        {
            entry.expires_ms = expires_ms;
            self.queue.insert((expires_ms, entry.born), sid);
        }
    }
}
