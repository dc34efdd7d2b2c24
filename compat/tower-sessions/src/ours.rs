//! A store here as a store of tower-sessions.

use std::{
    fmt,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use cloakroom_backend::{Pauses, timer};
use cloakroom_core::{Clock, Created, Error, ErrorKind, SessionData, Store, Turn, Updated};
use tower_sessions_core::{
    SessionStore,
    session::{Id, Record},
    session_store,
};

use crate::record::{members_of, write_into};

/// How often a record is written while others write it too.
const MOST_TRIES: usize = 100;

/// The next save takes over a turn that is held for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// A store of tower-sessions over any [`Store`], for the layer of tower-sessions.
///
/// The records are those of Express: an Express app with the same store, and [`ExpressSession`], read and write them
/// under the text of the number. A `save` never brings back a session that was deleted, and keeps the members that it
/// does not change byte for byte.
///
/// [`ExpressSession`]: https://docs.rs/cloakroom-compat
///
/// ```
/// use cloakroom_core::{MemoryStore, Store};
/// use cloakroom_tower_sessions::{
///     CloakroomStore,
///     tower_sessions_core::{Session, session_store::Error},
/// };
/// use std::sync::Arc;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let sessions = MemoryStore::new();
/// let session = Session::new(None, Arc::new(CloakroomStore::new(sessions.clone())), None);
/// session.insert("user", "ann").await?;
/// session.save().await?;
///
/// let sid = session.id().expect("it was stored").to_string();
/// let stored = sessions.get(&sid).await.unwrap().unwrap();
/// assert_eq!(stored.get::<&str>("user").unwrap(), Some("ann"));
/// # Ok::<(), tower_sessions_core::session::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct CloakroomStore<S> {
    store: S,
    clock: Clock,
}

impl<S: Store> CloakroomStore<S> {
    /// Wraps a store.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store, clock: Clock::system() }
    }

    /// Sets the clock. Defaults to the system's; the store has one of its own.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Returns the wrapped store.
    pub fn into_inner(self) -> S {
        self.store
    }

    /// Stores a new session under this id. Returns false if there is one.
    async fn create_under(&self, sid: &str, session: &SessionData) -> Result<bool, Error> {
        if let Some(atomic) = self.store.atomic() {
            return Ok(matches!(atomic.create(sid, session).await?, Created::Stored(_)));
        }
        let is_free = self.store.get(sid).await?.is_none();
        if is_free {
            self.store.set(sid, session).await?;
        }
        Ok(is_free)
    }

    async fn save_existing(&self, record: &Record) -> Result<(), Error> {
        let sid = record.id.to_string();
        // Without turns, each of the saves that meet would be tried as often as there are others.
        let _turn = Turn::take(self.store.name(), &sid, PATIENCE, timer).await;
        let mut pauses = Pauses::new();
        let mut found = self.store.get(&sid).await?;
        for _ in 0..MOST_TRIES {
            let Some(mut session) = found else { return Ok(()) };
            write_into(&mut session, record, self.clock.now_ms())?;
            let Some(atomic) = self.store.atomic() else {
                return self.store.set(&sid, &session).await;
            };
            let since = Instant::now();
            found = match atomic.update(&sid, &session).await? {
                Updated::Stored(_) | Updated::Gone => return Ok(()),
                Updated::Conflict(current) => Some(current),
            };
            // Another process has written it.
            if let Some(pause) = pauses.after(since.elapsed()).and_then(timer) {
                pause.await;
                found = self.store.get(&sid).await?;
            }
        }
        let message = "other requests write the session all the time";
        Err(Error::new(ErrorKind::Other, self.store.name().to_owned(), "save", message))
    }
}

/// The texts of our errors quote no id and no session data.
fn theirs(error: &Error) -> session_store::Error {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::TooLarge => session_store::Error::Encode(text),
        ErrorKind::Corrupt => session_store::Error::Decode(text),
        _ => session_store::Error::Backend(text),
    }
}

#[async_trait]
impl<S: Store + 'static> SessionStore for CloakroomStore<S> {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let mut session = SessionData::new();
        write_into(&mut session, record, self.clock.now_ms()).map_err(|error| theirs(&error))?;
        // A number of 128 bits is hardly ever taken; a store that says so each time is broken.
        for _ in 0..MOST_TRIES {
            let sid = record.id.to_string();
            if self.create_under(&sid, &session).await.map_err(|error| theirs(&error))? {
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(session_store::Error::Backend("the store has a session under every new id".to_owned()))
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.save_existing(record).await.map_err(|error| theirs(&error))
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let found = self.store.get(&id.to_string()).await.map_err(|error| theirs(&error))?;
        let Some(session) = found else { return Ok(None) };
        let now_ms = self.clock.now_ms();
        if session.has_ended(now_ms) {
            return Ok(None);
        }
        let (data, expiry_date) =
            members_of(&session, now_ms).map_err(session_store::Error::Decode)?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.store.destroy(&id.to_string()).await.map_err(|error| theirs(&error))
    }
}

impl<S: Store> fmt::Debug for CloakroomStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloakroomStore").field("store", &self.store.name()).finish_non_exhaustive()
    }
}
