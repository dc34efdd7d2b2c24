//! Copies the sessions of one store to another, each with every byte and the time it has left.

use std::time::Duration;

use cloakroom_core::{Clock, Created, Error, ErrorKind, Listed, SessionData, Store, Updated};
use futures::{
    future::{Either, ready},
    stream::{StreamExt, TryStreamExt},
};

use crate::migrating::is_moving;

mod options;
mod verify;

pub use options::{CopyOptions, CopyProgress};
pub use verify::verify_copy;

/// The last millisecond of JavaScript's dates. Every store keeps a session until then, or without an end.
const NO_END_MS: i64 = 8_640_000_000_000_000;

/// The outcome for one session.
#[derive(Clone, Copy)]
enum Copied {
    /// It was created, or with `dry_run` would be.
    Created,
    /// The other store has the same record.
    Same,
    /// The other store has another record, which stays.
    Kept,
    /// The other store had another record, which was replaced.
    Replaced,
    /// It was destroyed, has ended, or is on the way by a [`Migrating`](crate::Migrating) handle.
    Gone,
}

/// Copies all sessions from one store to another, and returns what was done.
///
/// - A copy has every byte of the record, and as much time left, to within the seconds in which a store counts.
/// - Nothing is overwritten: a session is created only if the other store has none with this id. One that is there
///   already counts as skipped if its record is the same, and as kept otherwise; see
///   [`overwrite`](CopyOptions::overwrite).
/// - So a copy that was interrupted is completed by another call, which skips what is there.
/// - It holds only [`concurrency`](CopyOptions::concurrency) sessions and a page of the listing in memory.
/// - A session whose record cannot be read or is refused counts as failed, and the copy goes on.
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
    let copier = Copier { from, to, options };
    let mut done = CopyProgress::default();
    let sessions = all
        .map(|listed| match listed {
            Ok(listed) if is_moving(&listed.session) => Either::Left(ready(Ok(Copied::Gone))),
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

struct Copier<'a> {
    from: &'a dyn Store,
    to: &'a dyn Store,
    options: &'a CopyOptions,
}

impl Copier<'_> {
    async fn one(&self, listed: Listed) -> Result<Copied, Error> {
        let clock = &self.options.clock;
        let until_ms = until_ms(clock, listed.time_left);
        let sid = &*listed.id;
        if listed.session.has_ended(clock.now_ms()) {
            return Ok(Copied::Gone);
        }
        let mut text = listed.session.loaded_json().to_owned();
        loop {
            let session = SessionData::from_json(text.as_str())?.with_store_expiry_ms(until_ms);
            let (written, copied) = match self.create(sid, &session).await? {
                Some(created) => (created, Copied::Created),
                None => return self.meet(sid, &session).await,
            };
            if self.options.dry_run {
                return Ok(copied);
            }
            match self.from.get(sid).await? {
                Some(now) if now.loaded_json() == text => return Ok(copied),
                // The record that was copied is not the session any more.
                now => {
                    self.take_back(sid, &written).await?;
                    match now.filter(|now| !is_moving(now)) {
                        Some(now) => text = now.loaded_json().to_owned(),
                        None => return Ok(Copied::Gone),
                    }
                }
            }
        }
    }

    /// Creates the session, and returns it as it is stored. Returns `None` if there is one.
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Option<SessionData>, Error> {
        let mut created = session.clone();
        match self.to.atomic() {
            Some(atomic) if !self.options.dry_run => match atomic.create(sid, session).await? {
                Created::Stored(revision) => created.mark_stored(revision),
                Created::Exists => return Ok(None),
            },
            _ => {
                if self.to.get(sid).await?.is_some() {
                    return Ok(None);
                }
                if !self.options.dry_run {
                    self.to.set(sid, session).await?;
                }
            }
        }
        Ok(Some(created))
    }

    /// Says what becomes of a session that the other store has.
    async fn meet(&self, sid: &str, session: &SessionData) -> Result<Copied, Error> {
        let there = match self.to.get(sid).await {
            Ok(there) => there,
            // It is not a session, but it is not ours.
            Err(error) if error.kind() == ErrorKind::Corrupt => None,
            Err(error) => return Err(error),
        };
        if there.is_some_and(|there| there.loaded_json() == session.loaded_json()) {
            return Ok(Copied::Same);
        }
        if !self.options.overwrite {
            return Ok(Copied::Kept);
        }
        if !self.options.dry_run {
            self.to.set(sid, session).await?;
        }
        Ok(Copied::Replaced)
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

/// Returns when a session expires that has this time left, in milliseconds since 1970.
fn until_ms(clock: &Clock, time_left: Option<Duration>) -> i64 {
    let left_ms = time_left.and_then(|left| i64::try_from(left.as_millis()).ok());
    left_ms.map_or(NO_END_MS, |left_ms| clock.now_ms().saturating_add(left_ms).min(NO_END_MS))
}

/// The sessions of a store's listing, with an error if it has none.
async fn for_each<F: Future<Output = Result<(), Error>> + Send>(
    store: &dyn Store,
    concurrency: usize,
    act: impl FnMut(Listed) -> F + Send,
) -> Result<(), Error> {
    let all = store.enumerate().ok_or_else(|| unlisted(store))?.all();
    let all = all.try_filter(|listed| ready(!is_moving(&listed.session)));
    all.try_for_each_concurrent(concurrency.max(1), act).await
}
