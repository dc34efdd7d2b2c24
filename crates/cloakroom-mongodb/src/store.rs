//! The store, and Express's own four operations on it.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation};
use cloakroom_core::{Atomic, Enumerate, Error, ErrorKind, SessionData, Store, Touched};
use mongodb::{
    Client,
    bson::{DateTime, Document, doc},
    error::Result as MongoResult,
};

use crate::{
    AutoRemove, IndexStatus, MongoOptions,
    client::Connection,
    error::{self, Failure, STORE},
    expiry::{Expiry, and_live},
    live::Sessions,
    origin::times,
    target::Target,
};

/// Sessions in MongoDB, as connect-mongo keeps them.
///
/// It offers the whole contract. Clones are handles on the same client, which any number of tasks may use at once.
/// It needs a tokio runtime with its I/O and time drivers, and belongs to none: it has a client on each runtime that it
/// is used on. A runtime without them is a [`Config`](ErrorKind::Config) error.
///
/// - Every operation is one round trip; an `update` that meets a conflict is two.
/// - The client is made on first use, so a service starts while MongoDB is down.
/// - An operation ends by its deadline, 5 seconds unless set, whatever the servers and the network do.
/// - Reads go to the primary, whatever `readPreference` and `readConcernLevel` say; only `linearizable` is kept.
/// - After a call that met its deadline, the next one connects anew: the old connections may never answer again.
///
/// ```no_run
/// use cloakroom_core::{SessionData, Store};
/// use cloakroom_mongodb::MongoStore;
///
/// # async fn example() -> Result<(), cloakroom_core::Error> {
/// let store = MongoStore::open("mongodb://127.0.0.1/app?collectionName=sessions&ttl=1209600")?;
/// let mut session = SessionData::new();
/// session.insert("user", "ann")?;
/// store.set("an id", &session).await?;
/// assert_eq!(store.get("an id").await?, Some(session));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MongoStore(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) options: MongoOptions,
    pub(crate) connection: Connection,
    pub(crate) index: Mutex<IndexStatus>,
    /// Whether what `auto_remove` asks for has still to be begun.
    pub(crate) upkeep_due: AtomicBool,
}

impl MongoStore {
    /// A store at this URL. Nothing is sent: the first operation connects.
    ///
    /// ```text
    /// mongodb://[user:password@]host[:port][,host[:port]…][/database][?parameters]
    /// mongodb+srv://[user:password@]name[/database][?parameters]                      with the feature `dns-resolver`
    /// ```
    ///
    /// It is MongoDB's own connection string, with all options that the driver knows. What has a meaning in it is
    /// percent-encoded in a user, a password and a parameter: `@` is `%40`. `compressors` and `zlibCompressionLevel` are
    /// taken and have no effect, and `authMechanism=DEFAULT` is the same as none.
    /// Further parameters are the options of connect-mongo, by its names:
    ///
    /// | parameter | value | default |
    /// | --- | --- | --- |
    /// | `collectionName` | text | `sessions` |
    /// | `dbName` | text | the URL's database, or else `test` |
    /// | `ttl` | seconds | 1209600 |
    /// | `touchAfter` | seconds | 0 |
    /// | `stringify`, `timestamps` | `true` or `false` | `true`, `false` |
    /// | `autoRemove` | `native`, `interval` or `disabled` | `native` |
    /// | `autoRemoveInterval` | minutes | 10 |
    /// | `secret` | text, with the feature `encryption` | not encrypted |
    /// | `deadline` | milliseconds | 5000 |
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a malformed URL, naming the part, and for an unknown parameter, suggesting the
    /// nearest one or listing all. It never quotes what can be the password.
    ///
    /// ```
    /// let error = cloakroom_mongodb::MongoStore::open("mongodb://localhost:70000").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"mongodb: open: invalid port "70000": must be between 1 and 65535"#,
    /// );
    /// ```
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, MongoOptions::default())
    }

    /// A store at this URL with options. What the URL's parameters say goes over the options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Config`](ErrorKind::Config) for an option that has no meaning.
    pub fn open_with(url: &str, mut options: MongoOptions) -> Result<Self, Error> {
        let target = Target::parse(url, &mut options)?;
        options.check()?;
        Ok(Self::of(options, Connection::to(target)))
    }

    /// A store on a client of the application's own: the option `client` of connect-mongo.
    ///
    /// The database is that of the options, or else the client's default one, or else `test`. The client's own timeouts
    /// hold beside the store's deadline. Its read preference does not: reads go to the primary.
    ///
    /// The driver ties a client to the runtime that it was made on, so the store works as long as that runtime does. It
    /// cannot make such a client again either: silent connections are left to the driver, which takes up to about 20
    /// seconds.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an option that has no meaning.
    ///
    /// ```no_run
    /// use cloakroom_mongodb::{MongoOptions, MongoStore, mongodb::Client};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::with_uri_str("mongodb://127.0.0.1/app").await?;
    /// let store = MongoStore::with_client(client, MongoOptions::default())?;
    /// # Ok(()) }
    /// ```
    pub fn with_client(client: Client, options: MongoOptions) -> Result<Self, Error> {
        options.check()?;
        let of_client = || client.default_database().map(|database| database.name().to_owned());
        let database = options.db_name.clone().or_else(of_client);
        let connection = Connection::of(client, database.unwrap_or_else(|| "test".to_owned()));
        Ok(Self::of(options, connection))
    }

    fn of(options: MongoOptions, connection: Connection) -> Self {
        let native = options.auto_remove == AutoRemove::Native;
        Self(Arc::new(Shared {
            upkeep_due: AtomicBool::new(options.auto_remove != AutoRemove::Disabled),
            index: Mutex::new(if native { IndexStatus::Pending } else { IndexStatus::Unused }),
            options,
            connection,
        }))
    }

    /// Asks the server whether it is there: connects if need be, and waits for one answer. For a health check, or to
    /// learn of a wrong password before the first request.
    ///
    /// # Errors
    ///
    /// As any operation.
    pub async fn ping(&self) -> Result<(), Error> {
        let operation = self.operation("ping", Idempotency::Read);
        self.run(&operation, |sessions| async move {
            // A read of the collection, and not the command `ping`, which needs no login.
            sessions.find_one(doc! { "_id": "" }).await
        })
        .await
        .map(drop)
    }

    pub(crate) fn options(&self) -> &MongoOptions {
        &self.0.options
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.options.clock.now_ms()
    }

    pub(crate) fn operation(&self, name: &'static str, idempotency: Idempotency) -> Operation {
        Operation::start(STORE, name, idempotency, self.0.options.deadline)
    }

    /// Runs one operation of the driver's. What it answered is that it can be done, so that the upkeep can begin.
    pub(crate) async fn run<T, Fut>(
        &self,
        operation: &Operation,
        work: impl Fn(Sessions) -> Fut + Send + Sync,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        Fut: Future<Output = MongoResult<T>> + Send + 'static,
    {
        self.attempt(operation, work)
            .await?
            .map_err(|failure| error::of(operation, self.0.connection.hosts(), &failure))
    }

    /// As [`run`](Self::run), with the driver's failure as it is.
    pub(crate) async fn attempt<T, Fut>(
        &self,
        operation: &Operation,
        work: impl Fn(Sessions) -> Fut + Send + Sync,
    ) -> Result<Result<T, Failure>, Error>
    where
        T: Send + 'static,
        Fut: Future<Output = MongoResult<T>> + Send + 'static,
    {
        let answer = self.0.connection.run(operation, &self.0.options, work).await?;
        if answer.is_ok() {
            self.keep_up();
        }
        Ok(answer)
    }

    /// The `_id` of a session's document. It is always a string, so that no id is an operator.
    pub(crate) fn id(&self, operation: &Operation, sid: &str) -> Result<String, Error> {
        operation.check_id(sid)?;
        let id = match &self.0.options.transform_id {
            None => sid.to_owned(),
            Some(transform) => transform.forth(sid),
        };
        if id.is_empty() {
            return Err(operation.error(ErrorKind::InvalidId, "transform_id made it empty"));
        }
        Ok(id)
    }

    /// The live session under this `_id`.
    pub(crate) async fn find(
        &self,
        operation: &Operation,
        id: &str,
    ) -> Result<Option<SessionData>, Error> {
        // By `_id` alone, and judged here: connect-mongo's condition on `expires` costs the server half as much again.
        let found = self
            .run(operation, |sessions| {
                let filter = doc! { "_id": id };
                async move { sessions.find_one(filter).await }
            })
            .await?;
        match found {
            Some(document) => self.parse(operation, document.as_bytes()).await,
            None => Ok(None),
        }
    }

    pub(crate) async fn delete(
        &self,
        operation: &Operation,
        filter: Document,
    ) -> Result<bool, Error> {
        let deleted = self
            .run(operation, |sessions| {
                let filter = filter.clone();
                async move { sessions.delete_one(filter).await }
            })
            .await?;
        Ok(deleted.deleted_count > 0)
    }

    /// Whether there was a document to change.
    pub(crate) async fn change(
        &self,
        operation: &Operation,
        filter: Document,
        update: Document,
    ) -> Result<bool, Error> {
        let changed = self
            .run(operation, |sessions| {
                let (filter, update) = (filter.clone(), update.clone());
                async move { sessions.update_one(filter, update).await }
            })
            .await?;
        Ok(changed.matched_count > 0)
    }
}

#[async_trait]
impl Store for MongoStore {
    fn name(&self) -> &str {
        STORE
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let operation = self.operation("get", Idempotency::Read);
        let id = self.id(&operation, sid)?;
        self.find(&operation, &id).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let operation = self.operation("set", Idempotency::Once);
        let id = self.id(&operation, sid)?;
        let now_ms = self.now_ms();
        let Expiry::At(expires_ms) = self.options().expiry(session, now_ms) else {
            return self.delete(&operation, doc! { "_id": id }).await.map(drop);
        };
        let record = self.record(&operation, session).await?;
        let update = self.options().update(record, expires_ms, now_ms);
        let upsert = || {
            self.attempt(&operation, |sessions| {
                let (filter, update) = (doc! { "_id": &id }, update.clone());
                async move { sessions.update_one(filter, update).upsert(true).await }
            })
        };
        let mut answer = upsert().await?;
        // Two that found no document both went on to create it; this one was second.
        if answer.as_ref().is_err_and(|failure| error::is_same_id(&failure.cause)) {
            answer = upsert().await?;
        }
        match answer {
            Ok(_) => Ok(()),
            Err(failure) => Err(error::of(&operation, self.0.connection.hosts(), &failure)),
        }
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let operation = self.operation("destroy", Idempotency::Repeatable);
        let id = self.id(&operation, sid)?;
        self.delete(&operation, doc! { "_id": id }).await.map(drop)
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let operation = self.operation("touch", Idempotency::Repeatable);
        let id = self.id(&operation, sid)?;
        let now_ms = self.now_ms();
        let Expiry::At(expires_ms) = self.options().expiry(session, now_ms) else {
            self.delete(&operation, doc! { "_id": id }).await?;
            return Ok(Touched::Missing);
        };
        let mut fields = doc! { "expires": DateTime::from_millis(expires_ms) };
        if !self.options().touch_after.is_zero()
            && let Some(times) = times(session)
        {
            if self.options().leaves_alone(times, expires_ms, now_ms) {
                return Ok(Touched::NotDue);
            }
            fields.insert("lastModified", DateTime::from_millis(now_ms));
        }
        let filter = and_live(doc! { "_id": id }, now_ms);
        let there = self.change(&operation, filter, doc! { "$set": fields }).await?;
        Ok(if there { Touched::Extended } else { Touched::Missing })
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore")
            .field("hosts", &self.0.connection.hosts())
            .field("database", &self.0.connection.database())
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}
