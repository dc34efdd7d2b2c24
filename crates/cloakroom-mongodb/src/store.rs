//! The store and its four basic operations.

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

/// Keeps sessions in MongoDB, in the format of connect-mongo.
///
/// It supports the whole contract. Clones share the client, and any number of tasks may use them at once. It needs a
/// tokio runtime with I/O and time enabled; without them, every call returns a [`Config`](ErrorKind::Config) error. It
/// is not tied to one runtime: it has a client on each runtime that calls it.
///
/// - Every operation is one round trip; an `update` that meets a conflict takes two.
/// - The client is made on first use, so a service can start while MongoDB is down.
/// - Every operation ends within its deadline, 5 seconds by default, no matter what the servers and the network do.
/// - Reads go to the primary. `readPreference` and every `readConcernLevel` except `linearizable` are ignored.
/// - After a call that met its deadline, the next one uses new connections, because the old ones may never answer
///   again.
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
    /// Whether the work that `auto_remove` requires must still be started.
    pub(crate) upkeep_due: AtomicBool,
}

impl MongoStore {
    /// Creates a store for a URL. It does not connect; the first operation does.
    ///
    /// ```text
    /// mongodb://[user:password@]host[:port][,host[:port]…][/database][?parameters]
    /// mongodb+srv://[user:password@]name[/database][?parameters]                      with the feature `dns-resolver`
    /// ```
    ///
    /// The URL is a MongoDB connection string, with all options that the driver supports. Percent-encode special
    /// characters in a user, a password and a parameter: write `@` as `%40`. `compressors` and `zlibCompressionLevel`
    /// are accepted and have no effect, and `authMechanism=DEFAULT` is the same as leaving it out. Further parameters
    /// are the options of connect-mongo, under their names there:
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
    /// | `maxRecord` | bytes | 16777216 |
    /// | `deadline` | milliseconds | 5000 |
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a malformed URL or an unknown parameter. The message names the part, and
    /// suggests the nearest parameter or lists all. It never quotes what may be the password.
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

    /// Creates a store for a URL with options. The URL's parameters take precedence over the options.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and [`Config`](ErrorKind::Config) for an invalid option.
    pub fn open_with(url: &str, mut options: MongoOptions) -> Result<Self, Error> {
        let target = Target::parse(url, &mut options)?;
        options.check()?;
        Ok(Self::of(options, Connection::to(target)))
    }

    /// Creates a store on the application's client: the option `client` of connect-mongo.
    ///
    /// The database is that of the options, or else the client's default database, or else `test`. The client's own
    /// timeouts apply in addition to the store's deadline. Its read preference is ignored: reads go to the primary.
    ///
    /// The driver ties a client to the runtime on which it was made, so the store works as long as that runtime does.
    /// The store cannot replace such a client: silent connections are left to the driver, which takes up to about 20
    /// seconds to notice them.
    ///
    /// Nor does the store see how often such a client sends a write. If the driver loses the first answer and the server
    /// rejects the second attempt, [`outcome_unknown`](cloakroom_core::Error::outcome_unknown) is false, although the
    /// first attempt may have been carried out. Set `retryWrites=false` if that matters.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an invalid option.
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

    /// Checks that the server answers, and connects first if necessary. Use it for a health check, or to notice a wrong
    /// password before the first request.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    pub async fn ping(&self) -> Result<(), Error> {
        let operation = self.operation("ping", Idempotency::Read);
        self.run(&operation, |sessions| async move {
            // It reads from the collection, because the command `ping` needs no login.
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

    /// Runs one operation of the driver. The first answer starts the upkeep.
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

    /// Like [`run`](Self::run), but returns the driver's failure unchanged.
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

    /// Returns the `_id` of a session's document. It is always a string, so no id can be an operator.
    pub(crate) fn id(&self, operation: &Operation, sid: &str) -> Result<String, Error> {
        operation.check_id(sid)?;
        let id = match &self.0.options.transform_id {
            None => sid.to_owned(),
            Some(transform) => transform.forth(sid),
        };
        if id.is_empty() {
            return Err(
                operation.error(ErrorKind::InvalidId, "transform_id returned an empty string")
            );
        }
        Ok(id)
    }

    /// Returns the live session with this `_id`.
    pub(crate) async fn find(
        &self,
        operation: &Operation,
        id: &str,
    ) -> Result<Option<SessionData>, Error> {
        // The filter is `_id` alone, and the expiry is checked here: connect-mongo's condition on `expires` makes the
        // query half as expensive again for the server.
        let found = self
            .run(operation, |sessions| {
                let filter = doc! { "_id": id };
                async move { sessions.find_one(filter).await }
            })
            .await?;
        match found {
            Some(document) => self.parse(operation, document.as_bytes(), self.now_ms()).await,
            None => Ok(None),
        }
    }

    /// Deletes the document that matches the filter. Returns true if there was one.
    pub(crate) async fn delete(
        &self,
        operation: &Operation,
        filter: impl Fn() -> Document + Send + Sync,
    ) -> Result<bool, Error> {
        let deleted = self
            .run(operation, |sessions| {
                let filter = filter();
                async move { sessions.delete_one(filter).await }
            })
            .await?;
        Ok(deleted.deleted_count > 0)
    }

    /// Changes a document. Returns true if it existed. The count of matched documents decides: that of modified ones is
    /// zero if the change makes no difference.
    pub(crate) async fn change(
        &self,
        operation: &Operation,
        filter: impl Fn() -> Document + Send + Sync,
        update: impl Fn() -> Document + Send + Sync,
    ) -> Result<bool, Error> {
        let changed = self
            .run(operation, |sessions| {
                let (filter, update) = (filter(), update());
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
        // Not repeatable: a second write could overwrite what another writer stored in between.
        let operation = self.operation("set", Idempotency::Once);
        let id = self.id(&operation, sid)?;
        let now_ms = self.now_ms();
        // connect-mongo stores a session whose expiry has passed, where it stays until the TTL monitor's next round.
        let Expiry::At(expires_ms) = self.options().expiry(session, now_ms) else {
            return self.delete(&operation, || doc! { "_id": &id }).await.map(drop);
        };
        let record = self.record(&operation, session).await?;
        let upsert = || {
            self.attempt(&operation, |sessions| {
                let update = self.options().update(&record, expires_ms, now_ms);
                let filter = doc! { "_id": &id };
                async move { sessions.update_one(filter, update).upsert(true).await }
            })
        };
        let mut answer = upsert().await?;
        // Two writers found no document and both tried to create it; this one was second.
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
        self.delete(&operation, || doc! { "_id": &id }).await.map(drop)
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let operation = self.operation("touch", Idempotency::Repeatable);
        let id = self.id(&operation, sid)?;
        let now_ms = self.now_ms();
        let Expiry::At(expires_ms) = self.options().expiry(session, now_ms) else {
            self.delete(&operation, || doc! { "_id": &id }).await?;
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
        let filter = || and_live(doc! { "_id": &id }, now_ms);
        let there = self.change(&operation, filter, || doc! { "$set": &fields }).await?;
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
