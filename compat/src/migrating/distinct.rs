//! Two stores that are one, under two names, are noticed before a move deletes what it has just found, and a store that lists
//! what another one has under longer ids, before these are copied or moved.

use std::future::ready;

use cloakroom_core::{
    Clock, Created, Error, ErrorKind, Revision, SessionData, Store, generate_id, marker_name,
};
use futures::stream::TryStreamExt;

use super::{Migrating, flag, set::is_of_the_record};

/// How often a record is created that a store says it has, and does not show. Others can remove it each time, but not
/// that often.
const TRIES: usize = 20;

/// How long a record lives that is looked for in a listing, which can take long.
const LISTING_MS: i64 = 60 * 60 * 1_000;

impl Migrating {
    /// Destroys a record of the old store below this session of the new one, if it is still the one that was read.
    pub(super) async fn discard_below(
        &self,
        sid: &str,
        record: &SessionData,
        session: &SessionData,
    ) -> Result<(), Error> {
        // Of one store, both reads have the same text.
        if record.loaded_json() == session.loaded_json() {
            self.check_distinct().await?;
        }
        Self::discard(&*self.old, sid, record).await
    }

    /// Checks that the two stores are not one under two names, as `redis://localhost` and `redis://127.0.0.1` are: it
    /// creates a record in the new store, looks for it in the old one, and removes it. If it cannot be removed, it
    /// expires within a minute. It is found even if the two encrypt with different secrets.
    ///
    /// Before anything is destroyed in the old store because the new one has it too, this check is made once. Call it
    /// yourself to learn of the mistake when the service starts.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if both are the same store, [`Unsupported`](ErrorKind::Unsupported) without
    /// conditional writes, and the errors of either store.
    ///
    /// ```
    /// use cloakroom_compat::Migrating;
    /// use cloakroom_core::{ErrorKind, MemoryStore};
    ///
    /// # futures::executor::block_on(async {
    /// let store = MemoryStore::new();
    /// assert!(Migrating::new(store.clone(), MemoryStore::new()).check_distinct().await.is_ok());
    /// let error = Migrating::new(store.clone(), store).check_distinct().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// # });
    /// ```
    pub async fn check_distinct(&self) -> Result<(), Error> {
        if self.is_distinct.get().is_some() {
            return Ok(());
        }
        let sid = generate_id()?;
        let mut record = SessionData::new().with_store_expiry_ms(self.soon_ms());
        // No application takes it for a session of its own.
        flag::try_out(&mut record)?;
        let atomic = Self::atomic_of(&*self.new)?;
        atomic.create(&sid, &record).await.map_err(Error::with_outcome_known)?;
        let is_in_old = match self.old.get(&sid).await {
            // Nobody else has written under this id. With another secret, the old store cannot read the record.
            Err(error) if is_of_the_record(error.kind()) => Ok(true),
            found => found.map(|found| found.is_some()),
        };
        self.new.destroy(&sid).await.ok();
        if is_in_old? {
            let message = "both stores are the same one: nothing can be moved";
            return Err(Error::new(ErrorKind::Config, self.new.name().to_owned(), "move", message));
        }
        self.is_distinct.set(()).ok();
        Ok(())
    }

    /// Checks that the old store does not list the sessions of the new one: with the prefix `sess:`, a store lists those of
    /// another one with the prefix `sess:new:` on the same server, under ids that begin with `new:`. Whoever moves what
    /// the old store lists would move them once more, and log their users out.
    ///
    /// It creates a record in the new store that is not a session, reads all ids of the old one, and removes the record.
    /// If it cannot be removed, it expires within an hour. Call it before [`move_session`](Self::move_session) for the sessions of a
    /// listing. [`copy`](crate::copy) makes this check itself.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if the old store lists what the new one has, and the errors of either store.
    ///
    /// ```
    /// use cloakroom_compat::Migrating;
    /// use cloakroom_core::MemoryStore;
    ///
    /// # futures::executor::block_on(async {
    /// Migrating::new(MemoryStore::new(), MemoryStore::new()).check_apart().await?;
    /// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
    /// ```
    pub async fn check_apart(&self) -> Result<(), Error> {
        check_apart(&*self.old, &*self.new, &self.clock, "move").await
    }

    /// Creates a record. Returns `None` if there is one already.
    ///
    /// A store can refuse to create a record and then not return one: what is there is not a session, such as JSON's
    /// `null`, or the store takes the id for that of another session, as a collation of MySQL does. Without a limit, the
    /// caller would look again for ever.
    pub(super) async fn created(
        store: &dyn Store,
        sid: &str,
        record: &SessionData,
    ) -> Result<Option<Revision>, Error> {
        for _ in 0..TRIES {
            let created = Self::atomic_of(store)?.create(sid, record).await;
            if let Created::Stored(revision) = created? {
                return Ok(Some(revision));
            }
            if !matches!(store.get(sid).await, Ok(None)) {
                return Ok(None);
            }
        }
        Err(not_shown(store, "move"))
    }
}

/// Checks that the first store does not list what the other one has, under longer ids.
pub(crate) async fn check_apart(
    from: &dyn Store,
    to: &dyn Store,
    clock: &Clock,
    operation: &'static str,
) -> Result<(), Error> {
    let Some(listing) = from.enumerate() else { return Ok(()) };
    // No listing of the other store shows a marker, not even if this stops before it is removed.
    let sid = marker_name(&generate_id()?);
    let until_ms = clock.now_ms().saturating_add(LISTING_MS);
    let record = SessionData::new().with_store_expiry_ms(until_ms);
    match to.set(&sid, &record).await {
        // Its column is too short for a marker, or a rule of its table or collection refuses one; a store of npm cannot say
        // which. Neither has a prefix.
        Err(error)
            if matches!(error.kind(), ErrorKind::InvalidId | ErrorKind::Other)
                || is_of_the_record(error.kind()) =>
        {
            return Ok(());
        }
        set => set.map_err(Error::with_outcome_known)?,
    }
    let is_longer = |listed: String| ready(listed.len() > sid.len() && listed.ends_with(&*sid));
    let is_listed = listing.ids().try_any(is_longer).await;
    to.destroy(&sid).await.ok();
    match is_listed {
        Ok(false) => Ok(()),
        Ok(true) => {
            let message = "the first store lists the sessions of the other one, for example because its prefix is the beginning of the other's on the same server";
            Err(Error::new(ErrorKind::Config, from.name().to_owned(), operation, message))
        }
        // It lists its sessions and no ids.
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns the error for a store that has something under an id and does not show it.
pub(crate) fn not_shown(store: &dyn Store, operation: &'static str) -> Error {
    let message = "the store has something under this id that is not a session, or takes the id for that of another one";
    Error::new(ErrorKind::InvalidId, store.name().to_owned(), operation, message)
}
