//! Moves to a new id, which can run at the same time as logouts and other moves. A write finds these in the markers,
//! and marks its own move.
//!
//! "Moved" and "destroyed" look the same in the store: the record is gone. The difference decides: after a move the
//! request keeps what it has loaded and becomes a session of its own, linked with the other; after a logout it must
//! store nothing.

use std::mem;

use cloakroom_core::{Error, ErrorKind};

use super::{
    marker::{self, MOST_IDS, has_moved},
    preset::Safe,
    session::SafeSession,
    write::{Obstacle, Write, Written},
};

impl Write {
    /// Returns true if the session of the browser's cookie moved or was logged out a moment ago. The browser then has a
    /// newer cookie, or will get one, and the cookie of a new session would replace it.
    pub(super) async fn is_outdated(&mut self, safe: &Safe) -> Result<bool, Error> {
        if self.is_late_logout {
            self.obstacle = Obstacle::LOGGED_OUT;
            return Ok(true);
        }
        // The marker can have expired, so its absence says nothing.
        if self.is_late && !self.sent.is_empty() {
            self.obstacle = Obstacle(
                "late",
                "the request brought the cookie of a session that is gone and took too long to tell whether the \
                             browser has a newer one; the changes were discarded",
            );
            return Ok(true);
        }
        for id in self.sent.iter().map(|found| &found.id) {
            let mark = marker::look(safe, id).await?;
            if mark.is_logged_out {
                self.obstacle = Obstacle::LOGGED_OUT;
                return Ok(true);
            }
            if mark.has_moved() {
                self.obstacle = Obstacle(
                    "moved",
                    "the session moved to a new id, whose cookie is on its way to the browser; the changes \
                                 under the old id were discarded",
                );
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns false if an old session is gone and did not move: it was logged out, or it expired.
    pub(super) async fn can_move(&self, safe: &Safe) -> Result<bool, Error> {
        for old_id in &self.old_ids {
            let is_there = match safe.setup.store().get(old_id).await {
                Ok(found) => found.is_some(),
                // It cannot be read, but it is there.
                Err(error) if error.kind() == ErrorKind::Corrupt => true,
                Err(error) => return Err(error),
            };
            if !is_there && !has_moved(safe, old_id, &self.id).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends the sessions that this one replaces, now that it is stored. Each is marked before it is destroyed, so that
    /// a logout with its cookie never finds it gone without learning the new id.
    pub(super) async fn destroy_old_ids(&mut self, session: &SafeSession) -> Result<(), Error> {
        let store = session.shared.setup.store();
        while self.written.is_some()
            && let Some(old_id) = self.old_ids.last().cloned()
        {
            if self.join(session, &old_id).await? {
                if let Err(error) = session.safe.left_over.destroy(store, &old_id).await {
                    self.link_to_left_over(session, &old_id).await;
                    return Err(error);
                }
                self.old_ids.pop();
                if self.old_ids.is_empty() {
                    self.note_replaced(session);
                }
                self.end_old_links(&session.safe, &old_id).await;
            }
        }
        Ok(())
    }

    /// Ends the links of an old session that has ended, if the new one has taken them over.
    pub(super) async fn end_old_links(&mut self, safe: &Safe, old_id: &str) {
        if mem::take(&mut self.hands_on_links)
            && let Err(error) = marker::unlink(safe, old_id).await
        {
            safe.setup.tell(&error);
        }
    }

    /// Marks that an old session moves to this one, and links this one with the other sessions that were made from it.
    /// Returns false if one of them was logged out; this one is then destroyed again.
    pub(super) async fn join(
        &mut self,
        session: &SafeSession,
        old_id: &str,
    ) -> Result<bool, Error> {
        let joined = self.try_to_join(&session.safe, old_id).await;
        let is_kept = match &joined {
            Ok(has_joined) => *has_joined,
            // A session that was stored before this write is the browser's already.
            Err(_) => self.is_stored,
        };
        if !is_kept {
            self.take_back(session).await;
        }
        joined
    }

    /// Marks the move and links the sessions, and leaves it to the caller to destroy this one.
    async fn try_to_join(&mut self, safe: &Safe, old_id: &str) -> Result<bool, Error> {
        let Some(Written { record, .. }) = &self.written else { return Ok(false) };
        let lives_until_ms = marker::end_of_session(safe, record.cookie());
        let mark = marker::mark_moved(safe, old_id, &self.id, lives_until_ms).await?;
        if mark.is_logged_out {
            return Ok(false);
        }
        let until_ms = mark.longest_until_ms().max(lives_until_ms);
        // A logout follows links from session to session, so one link is enough: to the first of the new ids. The old
        // session's own links are handed on to this one.
        self.hands_on_links = mark.is_linked();
        let first = mark.moved_to.first();
        let mut others: Vec<String> = first.into_iter().chain(mark.ends_with()).cloned().collect();
        others.retain(|other| *other != self.id);
        let mut at = 0;
        while let Some(other) = others.get(at).cloned() {
            at += 1;
            // Both directions, since the user can log out of either. Each call also says if its session was logged out
            // in the meantime, so a logout that comes too early to see the link is seen here.
            if marker::link(safe, &self.id, &other, until_ms).await?.is_logged_out {
                return Ok(false);
            }
            let mark = marker::link(safe, &other, &self.id, until_ms).await?;
            if mark.is_logged_out {
                return Ok(false);
            }
            // The other session can have moved on before it had a link to hand on.
            if let Some(moved_to) = mark.moved_to.into_iter().next()
                && moved_to != self.id
                && !others.contains(&moved_to)
                && others.len() < 2 * MOST_IDS
            {
                others.push(moved_to);
            }
        }
        Ok(true)
    }

    /// Lets a logout of this session also end an old one that is left over. The list of those is in the memory of one
    /// process; the link is in the store.
    pub(super) async fn link_to_left_over(&self, session: &SafeSession, old_id: &str) {
        if let Some(Written { record, .. }) = &self.written {
            // The caller reports the error by which it is left over.
            let until_ms = marker::end_of_session(&session.safe, record.cookie());
            let _ = marker::link(&session.safe, &self.id, old_id, until_ms).await;
        }
    }

    /// Destroys the session that was just stored. The browser never gets its cookie, but the session would outlive the
    /// logout of the one that the browser has.
    pub(super) async fn take_back(&mut self, session: &SafeSession) {
        self.written = None;
        self.note(session);
        let safe = &session.safe;
        if let Err(error) = safe.left_over.destroy(safe.setup.store(), &self.id).await {
            safe.setup.tell(&error);
        }
    }
}
