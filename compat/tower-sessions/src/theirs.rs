//! A store of tower-sessions as a store here.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_backend::{
    Idempotency::{self, Once, Read},
    within,
};
use cloakroom_core::{Atomic, Clock, Enumerate, Error, ErrorKind, SessionData, Store, Touched};
use tower_sessions_core::{
    SessionStore,
    session::{Id, Record},
    session_store::Error as TheirError,
};

use crate::{
    ids::id_of,
    record::{record_of, session_of},
};

const NAME: &str = "tower-sessions";

/// How often a record is written when others create and delete it at the same time.
const MOST_TRIES: usize = 8;

/// Receives the errors of a store of tower-sessions, such as to log them.
pub type OnStoreError = Arc<dyn Fn(&TheirError) + Send + Sync>;

/// A [`Store`] over any store of tower-sessions.
///
/// The README says what is lost on the way. The store must not be read and written by an Express app: it has no such
/// records.
///
/// Errors carry no text of the store, which may quote sessions and ids; [`with_on_error`](Self::with_on_error) passes
/// it on. What the backend reports is [`Unavailable`](ErrorKind::Unavailable), as nothing tells one failure from
/// another. A record that cannot be read is [`Corrupt`](ErrorKind::Corrupt).
///
/// ```
/// use cloakroom_core::{Error, SessionData, Store};
/// use cloakroom_tower_sessions::TowerSessionsStore;
/// use tower_sessions_memory_store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let store = TowerSessionsStore::new(MemoryStore::default());
/// let mut session = SessionData::new();
/// session.insert("user", "ann")?;
/// store.set("an id", &session).await?;
/// assert_eq!(store.get("an id").await?.unwrap().get::<&str>("user")?, Some("ann"));
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct TowerSessionsStore<S> {
    store: S,
    deadline: Duration,
    clock: Clock,
    on_error: Option<OnStoreError>,
}

impl<S: SessionStore> TowerSessionsStore<S> {
    /// Wraps a store. Every operation ends within 5 s.
    #[must_use]
    pub fn new(store: S) -> Self {
        let (deadline, clock) = (Duration::from_secs(5), Clock::system());
        Self { store, deadline, clock, on_error: None }
    }

    /// Sets the deadline of each operation.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the clock. Defaults to the system's; the store has one of its own.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the function that receives the store's errors. Their texts may contain ids and session data.
    #[must_use]
    pub fn with_on_error(mut self, on_error: impl Fn(&TheirError) + Send + Sync + 'static) -> Self {
        self.on_error = Some(Arc::new(on_error));
        self
    }

    /// Returns the wrapped store.
    pub fn into_inner(self) -> S {
        self.store
    }

    /// Returns the result of calls of the store, within the deadline and with an error of ours.
    async fn call<T: Send>(
        &self,
        operation: &'static str,
        idempotency: Idempotency,
        work: impl Future<Output = Result<T, TheirError>> + Send,
    ) -> Result<T, Error> {
        let work = async { work.await.map_err(|error| self.error(operation, idempotency, &error)) };
        within(Some(self.deadline), NAME, operation, idempotency, work).await
    }

    fn error(
        &self,
        operation: &'static str,
        idempotency: Idempotency,
        error: &TheirError,
    ) -> Error {
        if let Some(on_error) = &self.on_error {
            on_error(error);
        }
        let (kind, message) = match error {
            TheirError::Encode(_) => {
                (ErrorKind::InvalidData, "the store of tower-sessions could not encode the record")
            }
            TheirError::Decode(_) => {
                (ErrorKind::Corrupt, "the store of tower-sessions could not decode the record")
            }
            TheirError::Backend(_) => {
                (ErrorKind::Unavailable, "the backend of the store of tower-sessions failed")
            }
        };
        let error = Error::new(kind, NAME, operation, message);
        if kind == ErrorKind::Unavailable { idempotency.unanswered(error) } else { error }
    }

    /// Writes a record, whoever wrote it last. Some of their stores save only what exists. If there is a record, even
    /// an expired one, `create` takes another id, or fails as that of their Redis store does.
    async fn write(&self, record: &Record) -> Result<bool, TheirError> {
        for _ in 0..MOST_TRIES {
            if self.is_there(record).await? {
                match self.store.save(record).await {
                    Ok(()) => return Ok(true),
                    Err(error) if self.is_there(record).await? => return Err(error),
                    // It was deleted in between.
                    Err(_) => continue,
                }
            }
            let mut created = record.clone();
            match self.store.create(&mut created).await {
                Ok(()) if created.id == record.id => return Ok(true),
                Ok(()) => {
                    self.store.delete(&created.id).await?;
                    // An expired record that is still there, or one that another call has just created.
                    self.store.save(record).await?;
                    if self.is_there(record).await? {
                        return Ok(true);
                    }
                }
                Err(error) if !self.is_there(record).await? => return Err(error),
                Err(_) => {}
            }
        }
        Ok(false)
    }

    async fn is_there(&self, record: &Record) -> Result<bool, TheirError> {
        Ok(self.store.load(&record.id).await?.is_some())
    }
}

fn checked(sid: &str, operation: &'static str) -> Result<Id, Error> {
    if sid.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidId,
            NAME,
            operation,
            "invalid id: must not be empty",
        ));
    }
    Ok(id_of(sid))
}

#[async_trait]
impl<S: SessionStore> Store for TowerSessionsStore<S> {
    fn name(&self) -> &str {
        NAME
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let id = checked(sid, "get")?;
        let record = self.call("get", Read, self.store.load(&id)).await?;
        // Not every store looks at the expiry itself.
        let now_ms = i128::from(self.clock.now_ms());
        let live = record.filter(|it| it.expiry_date.unix_timestamp_nanos() / 1_000_000 > now_ms);
        let session = live.map(|record| session_of(&record.data)).transpose();
        session.map_err(|error| error.with_context(NAME, "get"))
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let id = checked(sid, "set")?;
        let Some(record) = record_of(id, session, self.clock.now_ms())? else {
            return self.call("set", Once, self.store.delete(&id)).await;
        };
        if self.call("set", Once, self.write(&record)).await? {
            return Ok(());
        }
        let message = "other calls create and delete the session all the time";
        Err(Error::new(ErrorKind::Other, NAME, "set", message))
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let id = checked(sid, "destroy")?;
        self.call("destroy", Once, self.store.delete(&id)).await
    }

    /// Their trait has no way to move an expiry. To load and save the record would bring back what was destroyed in
    /// between.
    async fn touch(&self, sid: &str, _: &SessionData) -> Result<Touched, Error> {
        checked(sid, "touch")?;
        Ok(Touched::NotOffered)
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}

impl<S: fmt::Debug> fmt::Debug for TowerSessionsStore<S> {
    /// Leaves the store out: one that keeps sessions in memory prints them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerSessionsStore")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
