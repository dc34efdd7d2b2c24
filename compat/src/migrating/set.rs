//! A `set`, and the creation of a session.
//!
//! Both change the store in which the session is, by conditional writes, so that a handle that is stopped leaves nothing
//! in the other store that could come back.

use cloakroom_backend::in_part;
use cloakroom_core::{Error, ErrorKind, Revision, SessionData, Store, TimeToLive, Updated};

use super::{
    Migrating, Writes,
    find::{Found, InOld},
    flag::{self, Flag},
};

impl Migrating {
    /// Creates or replaces the session.
    pub(super) async fn set_somewhere(
        &self,
        sid: &str,
        session: &SessionData,
    ) -> Result<(), Error> {
        if !self.is_atomic() {
            return self.set_plainly(sid, session).await;
        }
        if self.has_expired(session) {
            return self.destroy(sid).await;
        }
        loop {
            let is_set = match self.find(sid).await {
                Ok(Found::Nothing) => self.create_once(sid, session, true).await?.is_some(),
                Ok(Found::New(read)) => {
                    self.remove_below(sid).await.map_err(Error::with_outcome_known)?
                        && self.rewrite(Writes::ToNew, sid, read, session).await?
                }
                Ok(Found::Old(read)) if self.writes == Writes::InPlace => {
                    self.rewrite(Writes::InPlace, sid, read, session).await?
                }
                Ok(Found::Old(read)) => self.replace_by_move(sid, read, session).await?,
                Ok(Found::Moving(moving)) => {
                    let moved = self.complete(sid, *moving).await;
                    moved.map(|_| false).map_err(Error::with_outcome_known)?
                }
                Err(error) if is_of_the_record(error.kind()) => {
                    self.replace_unreadable(sid, session, error).await?
                }
                Err(error) => return Err(error.with_outcome_known()),
            };
            if is_set {
                return Ok(());
            }
        }
    }

    pub(super) fn has_expired(&self, session: &SessionData) -> bool {
        session.time_to_live(self.clock.now_ms()) == TimeToLive::Expired
    }

    /// Creates a session that is in neither store. Returns `None` if it, or another one, may be there by now.
    ///
    /// The record is tentative until the other store has been seen to have no session: a handle that creates one there
    /// at the same time would leave two. Of two tentative records, whoever looks later removes the other.
    pub(super) async fn create_once(
        &self,
        sid: &str,
        session: &SessionData,
        is_set: bool,
    ) -> Result<Option<Revision>, Error> {
        let (here, there) = match self.writes {
            Writes::InPlace => (&*self.old, &*self.new),
            Writes::ToNew => (&*self.new, &*self.old),
        };
        let mut record = SessionData::from_json(session.to_json())?;
        flag::try_out(&mut record)?;
        let short = record.clone().with_store_expiry_ms(self.soon_ms());
        let created = Self::created(here, sid, &short).await.map_err(Error::with_outcome_known)?;
        let Some(revision) = created else { return Ok(None) };
        record.mark_stored(revision);
        match self.is_free(there, sid, is_set).await {
            Ok(true) => {}
            Ok(false) => {
                Self::discard(here, sid, &record).await.ok();
                return Ok(None);
            }
            Err(error) => {
                Self::discard(here, sid, &record).await.ok();
                return Err(error.with_outcome_known());
            }
        }
        flag::clear(&mut record);
        if let Some(until_ms) = self.until_ms(&record, session) {
            record = record.with_store_expiry_ms(until_ms);
        }
        match Self::atomic_of(here)?.update(sid, &record).await? {
            Updated::Stored(revision) => Ok(Some(revision)),
            Updated::Conflict(_) | Updated::Gone => Ok(None),
        }
    }

    /// Returns true if a store has no session with this id, and removes what it has otherwise.
    async fn is_free(&self, store: &dyn Store, sid: &str, is_set: bool) -> Result<bool, Error> {
        loop {
            let record = match store.get(sid).await {
                Ok(None) => return Ok(true),
                Ok(Some(record)) => record,
                // The other store has accepted the id.
                Err(error) if error.kind() == ErrorKind::InvalidId => return Ok(true),
                Err(error) if is_of_the_record(error.kind()) => {
                    // It could be the caller's own, encrypted with another secret.
                    self.check_distinct().await?;
                    if !is_set {
                        return Err(error);
                    }
                    store.destroy(sid).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match flag::of(&record) {
                Flag::Tentative | Flag::Pending(..) | Flag::Handed(..) => {
                    // It could be the caller's own.
                    self.check_distinct().await?;
                    Self::discard(store, sid, &record).await?;
                }
                Flag::None | Flag::Closed(_) => return Ok(false),
            }
        }
    }

    /// Removes what the old store has of a session in the new store. Returns false if that has none.
    async fn remove_below(&self, sid: &str) -> Result<bool, Error> {
        loop {
            let below = match self.in_old(sid).await {
                Ok(InOld::Nothing) => return Ok(true),
                Ok(below) => below.into_record(),
                Err(error) if is_of_the_record(error.kind()) => None,
                Err(error) => return Err(error),
            };
            // In this order: the record was there when the new store had the session.
            let above = self.in_new(sid).await?;
            let Some(session) = above.filter(|session| !flag::is_moving(session)) else {
                return Ok(false);
            };
            match below {
                Some(record) => self.discard_below(sid, &record, &session).await?,
                None => {
                    self.check_distinct().await?;
                    self.old.destroy(sid).await?;
                }
            }
        }
    }

    /// Replaces a session where it is. Returns false if it is not the one that was read any more.
    async fn rewrite(
        &self,
        place: Writes,
        sid: &str,
        read: SessionData,
        session: &SessionData,
    ) -> Result<bool, Error> {
        let store = match place {
            Writes::InPlace => &*self.old,
            Writes::ToNew => &*self.new,
        };
        if let Some(mut rewritten) = rewritten(read, session) {
            if let Some(until_ms) = self.until_ms(&rewritten, session) {
                rewritten = rewritten.with_store_expiry_ms(until_ms);
            }
            let updated = Self::atomic_of(store)?.update(sid, &rewritten).await?;
            return Ok(matches!(updated, Updated::Stored(_)));
        }
        // An update keeps the white space of what was read. So this text takes a `set`, which can meet a move.
        store.set(sid, session).await?;
        let is_only_there = match place {
            Writes::InPlace => self.is_free(&*self.new, sid, false).await,
            Writes::ToNew => self.remove_below(sid).await,
        };
        is_only_there.map_err(in_part(true))
    }

    /// Replaces a record that cannot be read, which has no revision that a conditional write could compare. Returns
    /// false if the caller has to look again.
    async fn replace_unreadable(
        &self,
        sid: &str,
        session: &SessionData,
        error: Error,
    ) -> Result<bool, Error> {
        match self.in_new(sid).await {
            // The session in the old store, if there is one, is hidden by it, and must not come back.
            Err(error) if is_of_the_record(error.kind()) => {
                self.check_distinct().await?;
                self.old.destroy(sid).await.map_err(Error::with_outcome_known)?;
                self.new.set(sid, session).await.map(|()| true)
            }
            Err(error) => Err(error),
            Ok(Some(record)) if flag::is_moving(&record) => {
                let discarded = Self::discard(&*self.new, sid, &record).await;
                discarded.map(|()| false).map_err(Error::with_outcome_known)
            }
            Ok(Some(_)) => self.remove_below(sid).await.map(|_| false),
            Ok(None) => match self.in_old(sid).await {
                Err(unread) if !is_of_the_record(unread.kind()) => Err(unread),
                // It was replaced since, or a write was refused.
                Ok(InOld::Closed(..) | InOld::Handed(..)) => Err(error.with_outcome_known()),
                Ok(_) => Ok(false),
                Err(_) if self.writes == Writes::InPlace => {
                    self.old.set(sid, session).await?;
                    self.is_free(&*self.new, sid, false).await.map_err(in_part(true))
                }
                Err(_) => Ok(self.create_once(sid, session, true).await?.is_some()),
            },
        }
    }

    /// Stores a session without conditional writes.
    async fn set_plainly(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        if self.writes == Writes::InPlace && self.in_new(sid).await?.is_none() {
            self.old.set(sid, session).await?;
            // A move that began before this write can still complete. What it copied is older.
            if self.in_new(sid).await.map_err(in_part(true))?.is_none() {
                return Ok(());
            }
        }
        self.new.set(sid, session).await?;
        match self.old.destroy(sid).await {
            Err(error) if error.kind() == ErrorKind::InvalidId => Ok(()),
            destroyed => destroyed.map_err(in_part(true)),
        }
    }
}

/// Returns a session that makes an `update` of what was read store this session, byte for byte. Returns `None` if an
/// update cannot do so.
pub(crate) fn rewritten(read: SessionData, session: &SessionData) -> Option<SessionData> {
    let revision = read.revision()?.clone();
    let rewritten = if session.loaded_json() == read.loaded_json() {
        session.clone()
    } else {
        let mut rewritten = read;
        rewritten.clear();
        rewritten.set_ends_at_ms(None).ok()?;
        for member in session.iter() {
            rewritten.insert_json(member.name(), member.json()).ok()?;
        }
        if rewritten.cookie() != session.cookie() {
            *rewritten.cookie_mut() = session.cookie().clone();
        }
        rewritten
    };
    let rewritten = rewritten.with_revision(revision);
    (rewritten.to_json() == session.to_json()).then_some(rewritten)
}

/// Returns true for an error that says that there is a record, which cannot be read.
pub(super) fn is_of_the_record(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Corrupt | ErrorKind::TooLarge | ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_can_store_what_express_writes() {
        let read =
            |text: &str| SessionData::from_json(text).unwrap().with_revision(Revision::of_text());
        let before = r#"{ "cookie":{"path":"/"}, "a":1,"b":2 }"#;
        let mut changed = read(before);
        changed.insert("a", 3).unwrap();
        assert_eq!(rewritten(read(before), &changed).unwrap().to_json(), changed.to_json());

        let before = r#"{"cookie":{"path":"/"},"a":1,"b":2,"cloakroomEndsAt":7}"#;
        let cookie = r#"{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"#;
        for members in ["", r#","b":1.0,"c":[]"#, r#","cloakroomEndsAt":8"#] {
            let text = format!(r#"{{"cookie":{cookie}{members}}}"#);
            let session = SessionData::from_json(&*text).unwrap();
            let rewritten = rewritten(read(before), &session).expect("Express's own form");
            assert_eq!(rewritten.to_json(), text);
            assert_eq!(rewritten.loaded_json(), before);
        }
        let session = SessionData::from_json(r#"{"cookie":{"path":"/"},  "n":1}"#).unwrap();
        assert!(rewritten(read(before), &session).is_none(), "white space of its own");
    }
}
