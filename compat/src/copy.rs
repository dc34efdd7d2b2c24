//! Copies the sessions of one store to another, each with every byte and the time it has left.

use std::time::Duration;

use cloakroom_core::{
    Clock, Created, Error, ErrorKind, LAST_DATE_MS, Listed, Revision, SessionData, Store, Updated,
};
use futures::{
    future::{Either, ready},
    stream::StreamExt,
};

use crate::migrating::{check_apart, expiry_ms, is_moving, not_shown, rewritten};

mod meaning;
mod options;
mod verify;

pub use options::{CopyOptions, CopyProgress};
pub use verify::verify_copy;

/// How often a session is tried again that another writer changes at the same time, or that the other store does not
/// show.
const TRIES: usize = 100;

/// The outcome for one session.
#[derive(Clone, Copy)]
enum Copied {
    /// It was created, or with `dry_run` would be.
    Created,
    /// The other store has the same record. It got the time that is left.
    Same,
    /// The other store has another record, which stays.
    Kept,
    /// The other store had another record, which was replaced.
    Replaced,
    /// It was destroyed or has ended.
    Gone,
}

/// Copies all sessions from one store to another, and returns what was done.
///
/// - A copy has every byte of the record, and as much time left, to within the seconds in which a store counts.
/// - Nothing is overwritten: a session is created only if the other store has none with this id. One that is there
///   already counts as skipped if its record means the same to JavaScript, and gets the time that is left. Otherwise it
///   counts as kept; see [`overwrite`](CopyOptions::overwrite).
/// - So a copy that was interrupted is completed by another call, which skips what is there. But a session that has
///   ended in the first store since the interrupted call stays in the other one: [`verify_copy`] counts those.
/// - The other store must not be in use: what its users do there is not in the first store.
/// - The first store must not list the sessions of the other one, as with the prefixes `sess:` and `sess:new:` on one
///   server. To notice that, it reads all ids before it begins, unless nothing is written.
/// - It holds only [`concurrency`](CopyOptions::concurrency) sessions and a page of the listing in memory.
/// - A session whose record cannot be read or is refused counts as failed, and the copy goes on. So does one that a
///   [`Migrating`](crate::Migrating) handle is moving: complete the move first.
///
/// # While the sessions are in use
///
/// What is written to the first store after a session was listed is not in the copy. `copy` looks at the first store
/// again after it has created a session: if the record has changed by then it is copied again, and if it is gone, the
/// copy is removed. So a session that is destroyed in both stores, as [`Migrating`](crate::Migrating) does, does not
/// come back. What it cannot see is a session that is changed or destroyed in the first store alone after that. To move
/// sessions while they are written, use [`Migrating::move_session`](crate::Migrating::move_session).
///
/// A store without conditional writes is asked before each write, so a session that is created there at the same moment
/// can be overwritten.
///
/// # Errors
///
/// - [`Unsupported`](ErrorKind::Unsupported) if the first store cannot list its sessions.
/// - [`Config`](ErrorKind::Config) if the first store lists the sessions of the other one. Nothing was copied then.
/// - The error of a listing that breaks off, and of a store that cannot be reached; `progress` has
///   received what was done until then.
///
/// ```
/// use cloakroom_compat::{CopyOptions, copy};
/// use cloakroom_core::{MemoryStore, SessionData, Store};
///
/// # futures::executor::block_on(async {
/// let (from, to) = (MemoryStore::new(), MemoryStore::new());
/// from.set("an id", &SessionData::new()).await?;
///
/// let done = copy(&from, &to, &CopyOptions::default(), |_| ()).await?;
/// assert_eq!((done.copied, done.skipped), (1, 0));
/// let again = copy(&from, &to, &CopyOptions::default(), |_| ()).await?;
/// assert_eq!((again.copied, again.skipped), (0, 1));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
pub async fn copy(
    from: &dyn Store,
    to: &dyn Store,
    options: &CopyOptions,
    mut progress: impl FnMut(&CopyProgress) + Send,
) -> Result<CopyProgress, Error> {
    let all = from.enumerate().ok_or_else(|| unlisted(from))?.all();
    if !options.dry_run {
        check_apart(from, to, &options.clock, "copy").await?;
    }
    let copier = Copier { from, to, options };
    let mut done = CopyProgress::default();
    let sessions = all
        .map(|listed| match listed {
            Ok(listed) => Either::Right(copier.one(listed)),
            Err(error) => Either::Left(ready(Err(error))),
        })
        .buffer_unordered(options.concurrency.max(1));
    let mut sessions = std::pin::pin!(sessions);
    while let Some(copied) = sessions.next().await {
        match copied {
            Ok(Copied::Created) => done.copied += 1,
            Ok(Copied::Replaced) => done.replaced += 1,
            Ok(Copied::Same) => done.skipped += 1,
            Ok(Copied::Kept) => done.kept += 1,
            Ok(Copied::Gone) => done.gone += 1,
            Err(error) if is_of_one_session(error.kind()) => {
                done.failed += 1;
                done.why.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
        progress(&done);
    }
    Ok(done)
}

fn unlisted(store: &dyn Store) -> Error {
    let message = "the store does not support listings, so its sessions cannot be copied";
    Error::new(ErrorKind::Unsupported, store.name().to_owned(), "copy", message)
}

/// Returns true if the other sessions can still be copied.
fn is_of_one_session(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Corrupt | ErrorKind::TooLarge | ErrorKind::InvalidId | ErrorKind::InvalidData
    )
}

fn moving(store: &dyn Store) -> Error {
    let message =
        "the session is being moved: complete the move first, with `cloakroom copy --move`";
    Error::new(ErrorKind::InvalidData, store.name().to_owned(), "copy", message)
}

struct Copier<'a> {
    from: &'a dyn Store,
    to: &'a dyn Store,
    options: &'a CopyOptions,
}

/// What a look at the other store led to.
enum Written {
    /// This record is stored there.
    Stored(SessionData, Copied),
    /// Nothing was written.
    Nothing(Copied),
    /// Another writer was faster, or an unreadable record was removed. The next try decides.
    Again,
}

impl Copier<'_> {
    async fn one(&self, listed: Listed) -> Result<Copied, Error> {
        let clock = &self.options.clock;
        let sid = &*listed.id;
        let mut until_ms = Some(until_ms(clock, listed.time_left));
        let mut record = listed.session;
        let mut first = None;
        let mut tries = 0;
        loop {
            tries += 1;
            if tries > TRIES {
                return Err(not_shown(self.to, "copy"));
            }
            if is_moving(&record) {
                return Err(moving(self.from));
            }
            if record.has_ended(clock.now_ms()) {
                return Ok(Copied::Gone);
            }
            let session = SessionData::from_json(record.loaded_json())?;
            let session = match until_ms {
                Some(until_ms) => session.with_store_expiry_ms(until_ms),
                None => session,
            };
            let written = match self.write(sid, &session).await? {
                Written::Stored(written, copied) => {
                    first.get_or_insert(copied);
                    written
                }
                Written::Nothing(copied) => return Ok(copied),
                Written::Again => continue,
            };
            let now = self.from.get(sid).await?;
            if now.as_ref().is_some_and(|now| now.loaded_json() == record.loaded_json()) {
                return Ok(first.unwrap_or(Copied::Created));
            }
            // The record that was copied is not the session any more.
            self.take_back(sid, &written).await?;
            let Some(now) = now else { return Ok(Copied::Gone) };
            // Whoever wrote it has given it another time than the listing told.
            (record, until_ms) = (now, None);
        }
    }

    async fn write(&self, sid: &str, session: &SessionData) -> Result<Written, Error> {
        if self.options.dry_run {
            return Ok(Written::Nothing(match self.to.get(sid).await {
                Ok(None) => Copied::Created,
                Ok(Some(there)) if is_moving(&there) => return Err(moving(self.to)),
                Ok(Some(there)) if is_same(session, &there) => Copied::Same,
                Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
                _ if self.options.overwrite => Copied::Replaced,
                _ => Copied::Kept,
            }));
        }
        let Some(atomic) = self.to.atomic() else { return self.write_plainly(sid, session).await };
        if let Created::Stored(revision) = atomic.create(sid, session).await? {
            return Ok(stored(session, revision, Copied::Created));
        }
        let there = match self.to.get(sid).await {
            Ok(Some(there)) => there,
            // It has ended since, or the store never shows it.
            Ok(None) => return Ok(Written::Again),
            Err(error) if error.kind() == ErrorKind::Corrupt => return self.unread(sid).await,
            Err(error) => return Err(error),
        };
        let Some(copied) = self.meets(session, &there)? else {
            return Ok(Written::Nothing(Copied::Kept));
        };
        let kept = as_it_is_there(session, &there, copied)?;
        let session = kept.as_ref().unwrap_or(session);
        match rewritten(there.clone(), session) {
            Some(mut record) => {
                if let Some(until_ms) = self.until_ms(session) {
                    record = record.with_store_expiry_ms(until_ms);
                }
                match atomic.update(sid, &record).await? {
                    Updated::Stored(revision) => Ok(stored(session, revision, copied)),
                    Updated::Conflict(_) | Updated::Gone => Ok(Written::Again),
                }
            }
            // An update keeps the white space of what was read, so this text takes a new record.
            None => {
                let past = there.with_store_expiry_ms(0);
                if let Updated::Conflict(_) = atomic.update(sid, &past).await? {
                    return Ok(Written::Again);
                }
                Ok(match atomic.create(sid, session).await? {
                    Created::Stored(revision) => stored(session, revision, copied),
                    Created::Exists => Written::Again,
                })
            }
        }
    }

    /// Returns when a record expires that replaces another one, or `None` for a browser session.
    fn until_ms(&self, session: &SessionData) -> Option<i64> {
        let now_ms = self.options.clock.now_ms();
        // As one that was read, whose `expires` can be stale.
        let read = || session.clone().with_revision(Revision::of_text());
        session.store_expiry_ms().or_else(|| expiry_ms(&read(), now_ms))
    }

    /// Writes to a store without conditional writes.
    async fn write_plainly(&self, sid: &str, session: &SessionData) -> Result<Written, Error> {
        let (copied, kept) = match self.to.get(sid).await {
            Ok(None) => (Copied::Created, None),
            Ok(Some(there)) => match self.meets(session, &there)? {
                Some(copied) => (copied, as_it_is_there(session, &there, copied)?),
                None => return Ok(Written::Nothing(Copied::Kept)),
            },
            Err(error) if error.kind() == ErrorKind::Corrupt => return self.unread(sid).await,
            Err(error) => return Err(error),
        };
        let session = kept.as_ref().unwrap_or(session);
        self.to.set(sid, session).await?;
        Ok(Written::Stored(session.clone(), copied))
    }

    /// Says as what a write counts if this record is there. Returns `None` if it stays.
    fn meets(&self, session: &SessionData, there: &SessionData) -> Result<Option<Copied>, Error> {
        if is_moving(there) {
            return Err(moving(self.to));
        }
        if is_same(session, there) {
            return Ok(Some(Copied::Same));
        }
        Ok(self.options.overwrite.then_some(Copied::Replaced))
    }

    /// Removes a record that cannot be read, if it may be replaced.
    async fn unread(&self, sid: &str) -> Result<Written, Error> {
        if !self.options.overwrite {
            return Ok(Written::Nothing(Copied::Kept));
        }
        self.to.destroy(sid).await.map(|()| Written::Again)
    }

    /// Removes a copy, unless somebody has changed it since.
    async fn take_back(&self, sid: &str, written: &SessionData) -> Result<(), Error> {
        match self.to.atomic() {
            Some(atomic) => {
                // The contract: an update with an expiry that has passed destroys, under the same condition.
                let past = written.clone().with_store_expiry_ms(0);
                let _: Updated = atomic.update(sid, &past).await?;
                Ok(())
            }
            None => self.to.destroy(sid).await,
        }
    }
}

/// Returns true if two records mean the same: a store such as `jsonb` of PostgreSQL does not keep the text, and a record
/// without a cookie gets one.
fn is_same(session: &SessionData, there: &SessionData) -> bool {
    meaning::is_same(&session.to_json(), &there.to_json())
}

/// Returns the record that is there with the time of the session, if it is the same one.
fn as_it_is_there(
    session: &SessionData,
    there: &SessionData,
    copied: Copied,
) -> Result<Option<SessionData>, Error> {
    if !matches!(copied, Copied::Same) {
        return Ok(None);
    }
    let kept = SessionData::from_json(there.loaded_json())?;
    Ok(Some(match session.store_expiry_ms() {
        Some(until_ms) => kept.with_store_expiry_ms(until_ms),
        None => kept,
    }))
}

fn stored(session: &SessionData, revision: Revision, copied: Copied) -> Written {
    let mut session = session.clone();
    session.mark_stored(revision);
    Written::Stored(session, copied)
}

/// Returns when a session expires that has this time left, in milliseconds since 1970. Without an end, every store keeps
/// it until the last date of JavaScript, or for ever.
fn until_ms(clock: &Clock, time_left: Option<Duration>) -> i64 {
    let left_ms = time_left.and_then(|left| i64::try_from(left.as_millis()).ok());
    left_ms.map_or(LAST_DATE_MS, |left_ms| clock.now_ms().saturating_add(left_ms).min(LAST_DATE_MS))
}
