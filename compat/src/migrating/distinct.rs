//! Two stores that are one, under two names, are noticed before a move deletes what it has just found.

use cloakroom_core::{Created, Error, ErrorKind, Revision, SessionData, Store, generate_id};

use super::{Migrating, flag, set::is_of_the_record};

/// How often a record is created that a store says it has, and does not show. Others can remove it each time, but not
/// that often.
const TRIES: usize = 20;

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

/// Returns the error for a store that has something under an id and does not show it.
pub(crate) fn not_shown(store: &dyn Store, operation: &'static str) -> Error {
    let message = "the store has something under this id that is not a session, or takes the id for that of another one";
    Error::new(ErrorKind::InvalidId, store.name().to_owned(), operation, message)
}
