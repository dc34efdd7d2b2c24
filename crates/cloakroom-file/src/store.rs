//! The store, and Express's own four operations on it.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation, expires_at_ms, later, whole_seconds};
use cloakroom_core::{Atomic, Enumerate, Error, ErrorKind, SessionData, Store, Touched};

use crate::{
    FileOptions,
    error::STORE,
    folder::Folder,
    name, parameter,
    record::Record,
    until::{Until, WhileAwaited},
};

/// Sessions in the files of a folder, as session-file-store keeps them.
///
/// It supports the whole contract. Clones share the folder, and any number of tasks, threads and processes may use it,
/// Node.js among them. It needs a tokio runtime with timers; files are read and written on its threads for blocking
/// work.
///
/// - A file is replaced as a whole, by a rename. A process that is killed leaves the old record or the new one.
/// - Writes of one session wait for each other, across processes, with a lock that the system releases when its process
///   ends. session-file-store takes no lock.
/// - When a write returns, it is on the disk, unless [`durable`](FileOptions::durable) is off.
/// - Files that the store creates are for their owner only (mode 600). A missing folder is created with mode 700. A
///   file that is replaced keeps its permissions.
///
/// ```
/// use cloakroom_core::{SessionData, Store};
/// use cloakroom_file::FileStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().display();
/// let store = FileStore::open(&format!("file://{path}?ttl=3600"))?;
/// let mut session = SessionData::new();
/// session.insert("user", "ann")?;
/// store.set("an-id", &session).await?;
/// assert_eq!(store.get("an-id").await?, Some(session));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct FileStore(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) options: FileOptions,
    pub(crate) folder: Folder,
    /// When expired sessions are next removed.
    next_reap: Mutex<Option<Instant>>,
}

impl FileStore {
    /// Returns a store in the folder of this URL. Nothing is read or written: the first write creates the folder.
    ///
    /// ```text
    /// file:///folder[?parameters]
    /// ```
    ///
    /// The parameters are the options of session-file-store with their names there, percent-encoded:
    ///
    /// | parameter | value | default |
    /// | --- | --- | --- |
    /// | `ttl` | seconds that a session without a max age lives | 3600 |
    /// | `reapInterval` | seconds between removals of expired sessions, or -1 for never | 3600 |
    /// | `fileExtension` | what follows the id in a file's name | `.json` |
    /// | `secret` | text, with the feature `encryption` | not encrypted |
    /// | `durable` | `true` or `false` | `true` |
    /// | `maxRecord` | bytes | 16777216 |
    /// | `deadline` | milliseconds | 5000 |
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a malformed URL, naming the part, and for an unknown parameter, suggesting the
    /// nearest one or listing all.
    ///
    /// ```
    /// let error = cloakroom_file::FileStore::open("file://sessions").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "file: open: invalid host: must be empty, as in file:///var/lib/app/sessions",
    /// );
    /// ```
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, FileOptions::default())
    }

    /// As [`open`](Self::open), with options. The URL's parameters win over them.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Config`](ErrorKind::Config) for an invalid option.
    pub fn open_with(url: &str, mut options: FileOptions) -> Result<Self, Error> {
        let path = parameter::parse(url, &mut options)?;
        Self::in_folder(path, options)
    }

    /// Returns a store in this folder. Nothing is read or written: the first write creates the folder.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an invalid option.
    ///
    /// ```
    /// use cloakroom_file::{FileOptions, FileStore};
    ///
    /// let store = FileStore::in_folder("./sessions", FileOptions::default())?;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    pub fn in_folder(path: impl Into<PathBuf>, options: FileOptions) -> Result<Self, Error> {
        options.check()?;
        let folder = Folder::new(path.into(), options.durable, options.max_record);
        let next_reap = Mutex::new(options.reap_interval.and_then(in_time));
        Ok(Self(Arc::new(Shared { options, folder, next_reap })))
    }

    /// Returns the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.folder.path()
    }

    /// Returns how long a record lives that expires at this time.
    pub(crate) fn time_left(&self, expires_ms: f64) -> Option<Duration> {
        let left_ms = expires_ms - self.0.options.clock.now_ms() as f64;
        // A file may hold any number.
        Duration::try_from_secs_f64(left_ms.max(0.0) / 1_000.0).ok()
    }

    pub(crate) fn operation(&self, name: &'static str, idempotency: Idempotency) -> Operation {
        Operation::start(STORE, name, idempotency, self.0.options.deadline)
    }

    /// Starts an operation on a session. Returns it with the name of the session's file.
    pub(crate) fn start(
        &self,
        operation: &'static str,
        idempotency: Idempotency,
        sid: &str,
    ) -> Result<(Operation, String), Error> {
        let operation = self.operation(operation, idempotency);
        operation.check_id(sid)?;
        let name = name::of_id(sid, &self.0.options.file_extension)
            .map_err(|why| operation.error(ErrorKind::InvalidId, why))?;
        Ok((operation, name))
    }

    /// Runs blocking work that only reads.
    pub(crate) async fn reading<T: Send + 'static>(
        &self,
        operation: &Operation,
        work: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.0);
        operation.aside(move || work(&shared)).await
    }

    /// Runs blocking work that writes under a lock, for which it waits until the deadline, or until the returned future
    /// is dropped. Work that holds the lock cannot be cancelled.
    pub(crate) async fn writing<T: Send + 'static>(
        &self,
        operation: &Operation,
        work: impl FnOnce(&Shared, &Until) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let until = Arc::new(Until::new(operation.deadline().into_std()));
        let theirs = Arc::clone(&until);
        let _awaited = WhileAwaited(Arc::clone(&until));
        let ended = self.reading(operation, move |shared| Ok(work(shared, &theirs))).await;
        let done = match ended {
            Ok(done) => done.map_err(|error| operation.named(error))?,
            Err(error) if until.give_up() => return Err(error),
            // Nobody has seen its end, so it may have written.
            Err(error) => return Err(error.with_outcome_unknown()),
        };
        self.reap_if_due();
        Ok(done)
    }

    /// Starts the removal of expired sessions if the interval is over. Only writes do this, so a service that only
    /// reads leaves the folder alone.
    fn reap_if_due(&self) {
        let mut next = self.0.next_reap.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_some_and(|next| next <= Instant::now()) {
            *next = self.0.options.reap_interval.and_then(in_time);
            let store = self.clone();
            // In a task of its own: the write has succeeded, and must neither wait for this nor fail with it.
            drop(tokio::spawn(async move { store.remove_expired().await }));
        }
    }
}

/// Returns the time after the interval, or `None` if the clock cannot represent it.
fn in_time(interval: Duration) -> Option<Instant> {
    Instant::now().checked_add(interval)
}

impl Shared {
    pub(crate) fn ttl_ms(&self) -> f64 {
        self.options.ttl.as_secs_f64() * 1_000.0
    }

    /// Returns the expiry that a write gives to the session, or `None` if it has passed.
    pub(crate) fn expiry(&self, session: &SessionData) -> Option<i64> {
        expires_at_ms(session, self.options.clock.now_ms(), self.options.ttl)
    }

    pub(crate) fn expiry_of(&self, ttl: Option<Duration>) -> i64 {
        let whole = |ttl| Duration::from_secs(whole_seconds(ttl));
        later(self.options.clock.now_ms(), ttl.map_or(self.options.ttl, whole))
    }

    /// Returns the record in a file, live or not, or `None` if the file does not exist.
    pub(crate) fn record(&self, name: &str) -> Result<Option<Record>, Error> {
        self.folder.read(name)?.map(|text| self.record_in(text)).transpose()
    }

    fn record_in(&self, text: String) -> Result<Record, Error> {
        #[cfg(feature = "encryption")]
        if let Some(encryption) = &self.options.encryption
            && !text.is_empty()
        {
            return encryption.decrypt(&text).map(Record::of_text);
        }
        Ok(Record::of_text(text))
    }

    /// Returns the record and the session in a file, or `None` if the file is missing, has expired, or means "no
    /// session" in Express.
    pub(crate) fn live(&self, name: &str) -> Result<Option<(Record, SessionData)>, Error> {
        self.folder.read(name)?.map_or(Ok(None), |text| self.live_in(text))
    }

    fn live_in(&self, text: String) -> Result<Option<(Record, SessionData)>, Error> {
        let record = self.record_in(text)?;
        if self.is_expired(&record) {
            return Ok(None);
        }
        Ok(record.session()?.map(|session| (record, session)))
    }

    pub(crate) fn is_expired(&self, record: &Record) -> bool {
        record.is_expired(self.options.clock.now_ms(), self.ttl_ms())
    }

    /// Returns the text of a record's file, encrypted if the options say so.
    pub(crate) fn stored(&self, record: &Record) -> Result<String, Error> {
        #[cfg(feature = "encryption")]
        if let Some(encryption) = &self.options.encryption {
            let text = encryption.encrypt(record.text())?;
            return self.within_limit(text);
        }
        self.within_limit(record.text().to_owned())
    }

    fn within_limit(&self, text: String) -> Result<String, Error> {
        self.folder.check_size(text.len() as u64)?;
        Ok(text)
    }

    /// Returns the text of the file for `session`.
    pub(crate) fn written(&self, session: &SessionData, expires_ms: i64) -> Result<String, Error> {
        self.stored(&Record::new(session, expires_ms, self.ttl_ms()))
    }

    /// Removes a session, and writes that to the disk.
    pub(crate) fn remove(&self, name: &str, until: &Until) -> Result<(), Error> {
        // The lock's folder is not created for a missing file. Without that folder, no write is in progress.
        if !self.folder.has_locks() && self.folder.read(name).is_ok_and(|text| text.is_none()) {
            return self.folder.sync_if_there();
        }
        let lock = self.folder.lock(name, until)?;
        self.folder.remove(name)?;
        drop(lock);
        self.folder.sync()
    }

    /// Moves the expiry of a live session, or removes it with `None`. Returns the session, or `None` if it is not live.
    pub(crate) fn move_expiry(
        &self,
        name: &str,
        expires_ms: Option<i64>,
        until: &Until,
    ) -> Result<Option<SessionData>, Error> {
        let Some(expires_ms) = expires_ms else {
            return self.remove(name, until).map(|()| None);
        };
        if self.live(name)?.is_none() {
            return Ok(None);
        }
        let _lock = self.folder.lock(name, until)?;
        loop {
            let Some(before) = self.folder.read(name)? else { return Ok(None) };
            let Some((record, session)) = self.live_in(before.clone())? else { return Ok(None) };
            let moved = record.with_expiry(expires_ms, self.ttl_ms());
            if moved.text() == record.text() {
                return Ok(Some(session));
            }
            let prepared = self.folder.prepare(&self.stored(&moved)?)?;
            // Node.js takes no lock. If it has written since, its record stays, and the loop begins again.
            if self.folder.read(name)?.as_ref() == Some(&before) {
                // The folder is not synced: after a power failure the session has the old expiry or the new one.
                self.folder.put(prepared, name)?;
                return Ok(Some(session));
            }
        }
    }
}

#[async_trait]
impl Store for FileStore {
    fn name(&self) -> &str {
        STORE
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let (operation, name) = self.start("get", Idempotency::Read, sid)?;
        let live = self.reading(&operation, move |shared| shared.live(&name)).await?;
        Ok(live.map(|(_, session)| session))
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let (operation, name) = self.start("set", Idempotency::Once, sid)?;
        let session = session.clone();
        let work = move |shared: &Shared, until: &Until| {
            let Some(expires_ms) = shared.expiry(&session) else {
                return shared.remove(&name, until);
            };
            let prepared = shared.folder.prepare(&shared.written(&session, expires_ms)?)?;
            let lock = shared.folder.lock(&name, until)?;
            shared.folder.put(prepared, &name)?;
            drop(lock);
            shared.folder.sync()
        };
        self.writing(&operation, work).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let (operation, name) = self.start("destroy", Idempotency::Repeatable, sid)?;
        self.writing(&operation, move |shared, until| shared.remove(&name, until)).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let (operation, name) = self.start("touch", Idempotency::Repeatable, sid)?;
        let expires_ms = self.0.expiry(session);
        let work =
            move |shared: &Shared, until: &Until| shared.move_expiry(&name, expires_ms, until);
        let moved = self.writing(&operation, work).await?;
        Ok(if moved.is_some() { Touched::Extended } else { Touched::Missing })
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.path())
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}
