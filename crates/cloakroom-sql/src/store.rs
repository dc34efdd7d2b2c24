//! The store and its four basic operations.

use std::{
    collections::BTreeSet,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Needs, Operation, Pauses, Runtimes, Shared};
use cloakroom_core::{Atomic, Enumerate, Error, ErrorKind, SessionData, Store, Touched};
use tokio::{runtime::Handle, time::Instant};

use crate::{
    call::Call,
    check::{self, Checked},
    connection::{Answer, Source},
    counterpart::Counterpart,
    dialect::Dialect,
    error::{self, STORE, Verdict},
    live::Live,
    options::SqlOptions,
    record,
    statement::Values,
    table::Table,
    target::Target,
    turns::Turns,
};

/// Keeps sessions in a table of PostgreSQL, MySQL, MariaDB or SQLite, in the form of an npm store.
///
/// It supports the whole contract. Clones share the connections, and any number of tasks may use them at once. It needs
/// a tokio runtime with I/O and time enabled; without them, every call returns a [`Config`](ErrorKind::Config) error. It
/// is not tied to one runtime: it has connections on each runtime that calls it.
///
/// - Every operation is one statement; an `update` that conflicts takes two, and `get_and_touch` does in MySQL.
/// - Connections are made on first use, so a service can start while the server is down. The first one asks once what
///   the table looks like.
/// - Every operation ends within its deadline, 5 seconds by default, no matter what the server and the network do.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use cloakroom_core::{SessionData, Store};
/// use cloakroom_sql::SqlStore;
///
/// let store = SqlStore::open("sqlite::memory:")?;
/// let mut session = SessionData::new();
/// session.insert("user", "ann")?;
/// store.set("an id", &session).await?;
/// assert_eq!(store.get("an id").await?, Some(session));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SqlStore(Arc<Inner>);

struct Inner {
    options: SqlOptions,
    table: Table,
    creates: bool,
    source: Source,
    /// The server or the file, for messages.
    place: String,
    runtimes: Runtimes,
    lives: Shared<Live>,
    /// The line of those who write, if the database is a file.
    turns: Option<Arc<Turns>>,
    /// The connections for all runtimes, if they are not tied to one.
    live: Option<Arc<Live>>,
    checked: Mutex<Option<Arc<Checked>>>,
    /// The names of the indexes that are known to exist.
    indexes: Mutex<BTreeSet<String>>,
}

impl SqlStore {
    /// Creates a store for a URL. It does not connect; the first operation does.
    ///
    /// ```text
    /// postgres://[user[:password]@]host[:port]/database[?parameters]     with the feature `postgres`; also postgresql://
    /// mysql://user[:password]@host[:port]/database[?parameters]          with the feature `mysql`; also mariadb://
    /// sqlite:sessions.db[?parameters]                                    with the feature `sqlite`
    /// sqlite:///absolute/path.db[?parameters]
    /// sqlite::memory:[?parameters]                                       one connection, and gone with the store: for tests
    /// ```
    ///
    /// | parameter | value | default |
    /// | --- | --- | --- |
    /// | `counterpart` | the npm package whose table it is, see [`Counterpart`] | `connect-pg-simple`, `express-mysql-session`, `connect-sqlite3` |
    /// | `table` | the name of the table | that of the npm package |
    /// | `schema` | PostgreSQL: the schema of the table | the search path decides |
    /// | `createTable` | `true` or `false` | `false` for a server, `true` for SQLite |
    /// | `timeZone` | PostgreSQL, connect-pg-simple: the zone of the connections of Node.js, see [`SqlOptions::time_zone`] | that of the role, the database or the server, if they tell |
    /// | `sslmode` | PostgreSQL, MySQL: `disable`, `require`, `verify-ca` or `verify-full`, with the feature `tls` | `disable` |
    /// | `sslrootcert` | PostgreSQL, MySQL, with `sslmode=verify-full` or `verify-ca`: a file of certificates in PEM, which `open` looks at | those of Mozilla |
    /// | `host` | PostgreSQL: the folder of a Unix socket | the host of the URL |
    /// | `socket` | MySQL: the path of a Unix socket | the host of the URL |
    /// | `durable` | SQLite: `true` or `false`, see [`SqlOptions::durable`] | `true` |
    /// | `ttl` | seconds | 86400 |
    /// | `connections` | the maximum number of connections | 10 |
    /// | `maxRecord` | bytes | 16777216 |
    /// | `deadline` | milliseconds | 5000 |
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a malformed URL, or for a parameter that is unknown or does not apply. The message names the part, and
    /// suggests the nearest parameter or lists all. It never quotes what may be the password.
    ///
    /// ```
    /// let error = cloakroom_sql::SqlStore::open("postgre://localhost/app").unwrap_err();
    /// assert!(error.to_string().contains("did you mean \"postgres\""), "{error}");
    /// ```
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, SqlOptions::default())
    }

    /// Creates a store for a URL with options. The URL's parameters take precedence over the options.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and [`Config`](ErrorKind::Config) for an invalid option.
    pub fn open_with(url: &str, mut options: SqlOptions) -> Result<Self, Error> {
        let Target { source, place, is_file } = Target::parse(url, &mut options)?;
        Self::of(source, place, is_file, options)
    }

    /// Creates a store on the application's pool.
    ///
    /// The pool's own limits apply in addition to the store's deadline. The pool belongs to the runtime on which it was
    /// made, so the store works as long as that runtime does.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an invalid option.
    #[cfg(feature = "postgres")]
    pub fn with_postgres_pool(pool: sqlx::PgPool, options: SqlOptions) -> Result<Self, Error> {
        Self::of(Source::PostgresPool(pool), "the server".to_owned(), false, options)
    }

    /// Creates a store on the application's pool, as [`with_postgres_pool`](Self::with_postgres_pool) does. The pool
    /// decides how durable a write is.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an invalid option.
    #[cfg(feature = "sqlite")]
    pub fn with_sqlite_pool(pool: sqlx::SqlitePool, options: SqlOptions) -> Result<Self, Error> {
        Self::of(Source::SqlitePool(pool), "the file".to_owned(), false, options)
    }

    pub(crate) fn of(
        source: Source,
        place: String,
        creates: bool,
        options: SqlOptions,
    ) -> Result<Self, Error> {
        let dialect = source.dialect();
        let default = || Counterpart::default_of(dialect).table(dialect);
        let table = options.table.clone().or_else(default).filter(|table| table.dialect == dialect);
        let Some(table) = table else {
            let why = "describes a table of another database";
            return Err(cloakroom_backend::invalid_option(STORE, "table", why));
        };
        options.check()?;
        table.check()?;
        options.check_for(&table)?;
        // The one connection of a database in memory is a line already.
        let turns = source.file().map(|file| Turns::of_file(&file));
        let live = (!source.is_of_a_runtime())
            .then(|| Arc::new(Live::new(source.clone(), options.connections, turns.clone())));
        Ok(Self(Arc::new(Inner {
            creates: options.create_table.unwrap_or(creates),
            table,
            options,
            source,
            place,
            runtimes: Runtimes::new(Needs::TimeAndIo),
            lives: Shared::default(),
            turns,
            live,
            checked: Mutex::default(),
            indexes: Mutex::default(),
        })))
    }

    /// Checks that the database answers and that the table is as described, and connects first if necessary. Use it for
    /// a health check, or to notice a wrong password before the first request.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    pub async fn ping(&self) -> Result<(), Error> {
        let operation = self.operation("ping", Idempotency::Read);
        let checked = self.checked(&operation).await?;
        let ping = || Call::rows(&checked.statements.ping, Values::default());
        self.run(&operation, |_| ping()).await.map(drop)
    }

    pub(crate) fn options(&self) -> &SqlOptions {
        &self.0.options
    }

    pub(crate) fn table(&self) -> &Table {
        &self.0.table
    }

    pub(crate) fn indexes(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn operation(&self, name: &'static str, idempotency: Idempotency) -> Operation {
        Operation::start(STORE, name, idempotency, self.0.options.deadline)
    }

    /// Rejects a runtime without timers or sockets.
    pub(crate) fn check_runtime(&self, name: &'static str) -> Result<(), Error> {
        self.0.runtimes.current(&self.operation(name, Idempotency::Read)).map(drop)
    }

    /// Returns the connections for this runtime.
    fn live(&self, operation: &Operation) -> Result<(Arc<Live>, Handle), Error> {
        let runtime = self.0.runtimes.current(operation)?;
        let live = match &self.0.live {
            Some(live) => Arc::clone(live),
            None => self.0.lives.get_or_insert(&runtime, || {
                let (source, turns) = (self.0.source.clone(), self.0.turns.clone());
                Arc::new(Live::new(source, self.0.options.connections, turns))
            }),
        };
        Ok((live, runtime))
    }

    /// Returns the statements of the table, which is checked if it was not yet.
    pub(crate) async fn checked(&self, operation: &Operation) -> Result<Arc<Checked>, Error> {
        let known = || self.0.checked.lock().unwrap_or_else(PoisonError::into_inner);
        let (live, runtime) = self.live(operation)?;
        if let Some(checked) = known().clone() {
            return Ok(checked);
        }
        // Only reads, so that an outage here is never an unknown outcome.
        let reading = operation.reading();
        let (place, table) = (&self.0.place, &self.0.table);
        let on = (&live, &runtime);
        let checked =
            check::check(&reading, place, on, table, &self.0.options, self.0.creates).await?;
        *known() = Some(Arc::clone(&checked));
        Ok(checked)
    }

    /// Makes the next call look at the table and its indexes again, and create the table if it may.
    pub(crate) fn forget_table(&self) {
        *self.0.checked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.indexes().clear();
    }

    /// Passes on whether the columns can hold something. If not, a later call looks at them again: somebody may enlarge one.
    pub(crate) fn fits(&self, checked: &Checked, fits: Result<(), Error>) -> Result<(), Error> {
        fits.inspect_err(|_| checked.if_old(|| self.forget_table()))
    }

    /// Sends what `call` makes of the current time, which is that after all waiting. If the connection is lost, a call
    /// that is safe to repeat is repeated once; one that did nothing is sent again.
    pub(crate) async fn run<'v>(
        &self,
        operation: &Operation,
        mut call: impl FnMut(i64) -> Call<'v> + Send,
    ) -> Result<Answer, Error> {
        let (mut pauses, mut was_renewed) = (Pauses::new(), false);
        let writes = operation.idempotency() != Idempotency::Read;
        loop {
            let (live, runtime) = self.live(operation)?;
            let mut lease = live.lease(operation, &self.0.place, &runtime, writes).await?;
            let began = Instant::now();
            let Call { statement, values, want } = call(self.now_ms());
            let failure = match lease.run(operation, statement, &values, want).await? {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            drop(lease);
            let is_sent_again = match error::verdict(&failure.cause) {
                Verdict::Refused => false,
                Verdict::Overtaken => {
                    let pause = pauses.after(began.elapsed()).unwrap_or_default();
                    let is_in_time = pause < operation.time_left();
                    if is_in_time {
                        tokio::time::sleep(pause).await;
                    }
                    is_in_time
                }
                Verdict::Unfit => !mem::replace(&mut was_renewed, true),
                Verdict::Lost => operation.repeat(),
            };
            if is_sent_again {
                continue;
            }
            if error::is_no_table(&failure.cause) {
                self.forget_table();
                return Err(check::missing(operation, &self.0.table));
            }
            if error::is_no_column(&failure.cause) {
                self.forget_table();
            }
            return Err(error::of(operation, &self.0.place, &failure));
        }
    }

    /// Rejects an id that the database does not accept, and looks at the table if that was not done yet.
    pub(crate) async fn start(
        &self,
        operation: &Operation,
        sid: &str,
    ) -> Result<Arc<Checked>, Error> {
        operation.check_id(sid)?;
        if self.0.table.dialect == Dialect::Postgres && sid.contains('\0') {
            let message = "invalid id: must not contain a NUL character, which PostgreSQL refuses";
            return Err(operation.error(ErrorKind::InvalidId, message));
        }
        let checked = self.checked(operation).await?;
        self.fits(&checked, checked.check_id(operation, sid))?;
        Ok(checked)
    }
}

#[async_trait]
impl Store for SqlStore {
    fn name(&self) -> &str {
        STORE
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let operation = self.operation("get", Idempotency::Read);
        let checked = self.start(&operation, sid).await?;
        self.find(&operation, &checked, sid).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        // Not repeatable: a second write could overwrite what another writer stored in between.
        let operation = self.operation("set", Idempotency::Once);
        let text = record::text(&operation, session, self.options().max_record)?;
        let checked = self.start(&operation, sid).await?;
        self.fits(&checked, checked.check_text(&operation, &text))?;
        let (statements, row) = (&checked.statements, record::new_row(&operation)?);
        let mut has_ended = false;
        let answer = self
            .run(&operation, |now_ms| {
                let mut values = self.written(&checked, sid, session, now_ms);
                (values.data, values.row) = (&text, &row);
                has_ended = values.expiry.is_none();
                Call::write(if has_ended { &statements.destroy } else { &statements.set }, values)
            })
            .await?;
        if answer.affected == 0 && !has_ended {
            let message = "the column of the id has a collation that takes this id for another one";
            return Err(operation.error(ErrorKind::InvalidId, message));
        }
        Ok(())
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let operation = self.operation("destroy", Idempotency::Repeatable);
        let checked = self.start(&operation, sid).await?;
        let destroy = &checked.statements.destroy;
        self.run(&operation, |now_ms| Call::write(destroy, self.values(&checked, sid, now_ms)))
            .await
            .map(drop)
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let operation = self.operation("touch", Idempotency::Repeatable);
        let checked = self.start(&operation, sid).await?;
        let statements = &checked.statements;
        let mut has_ended = false;
        let answer = self
            .run(&operation, |now_ms| {
                let values = self.written(&checked, sid, session, now_ms);
                has_ended = values.expiry.is_none();
                Call::write(if has_ended { &statements.destroy } else { &statements.touch }, values)
            })
            .await?;
        let is_extended = answer.affected > 0 && !has_ended;
        Ok(if is_extended { Touched::Extended } else { Touched::Missing })
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("table", &self.0.table.name).finish_non_exhaustive()
    }
}
