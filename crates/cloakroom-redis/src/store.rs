//! The store, and Express's own four operations on it.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation};
use cloakroom_core::{Atomic, Enumerate, Error, SessionData, Store, Touched};
use redis::{Cmd, Value};

use crate::{
    RedisOptions, connection::Connection, error::STORE, lent::Lent, own::Own, reply,
    stream::Streams, target::Target,
};

/// Sessions in Redis, as connect-redis keeps them.
///
/// It offers the whole contract. Clones are handles on the same connections, which any number of tasks may use at once.
/// It needs a tokio runtime with its I/O and time drivers, and nothing more: any web framework on tokio has one. It
/// belongs to none: each runtime that calls it has a connection of its own.
///
/// - Every operation is one round trip.
/// - The connection is made on first use, so a service starts while Redis is down. It is made again when it is lost, and
///   left when it answers nothing for a whole deadline.
/// - An operation ends by its deadline, 5 seconds unless set, whatever the server and the network do.
///
/// ```no_run
/// use cloakroom_core::{SessionData, Store};
/// use cloakroom_redis::RedisStore;
///
/// # async fn example() -> Result<(), cloakroom_core::Error> {
/// let store = RedisStore::open("redis://127.0.0.1/0?prefix=sess:&ttl=86400")?;
/// let mut session = SessionData::new();
/// session.insert("user", "ann")?;
/// store.set("an id", &session).await?;
/// assert_eq!(store.get("an id").await?, Some(session));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisStore(Arc<Shared>);

struct Shared {
    options: RedisOptions,
    connection: Connection,
    /// Whether the server has turned out to be older than Redis 6.2.
    lacks_getex: AtomicBool,
}

/// What a write does to the key.
pub(crate) enum Expiry {
    /// It lives this many seconds.
    Seconds(u64),
    /// It lives until it is destroyed, by the option `disable_ttl`.
    Never,
    /// Its time has passed: it goes.
    Passed,
}

impl RedisStore {
    /// A store at this URL. Nothing is sent: the first operation connects.
    ///
    /// ```text
    /// redis://[[user]:password@]host[:port][/database][?parameters]
    /// rediss://…                                                       TLS, with the feature `tls`
    /// unix:///path[?db=0&user=…&password=…&parameters]                 or redis+unix:
    /// ```
    ///
    /// What has a meaning in a URL is percent-encoded in a user, a password, a path and a parameter: `@` is `%40`.
    /// The parameters are the options of connect-redis, by its names:
    ///
    /// | parameter | value | default |
    /// | --- | --- | --- |
    /// | `prefix` | text | `sess:` |
    /// | `ttl` | seconds | 86400 |
    /// | `disableTTL`, `disableTouch` | `true` or `false` | `false` |
    /// | `scanCount` | keys | 100 |
    /// | `deadline` | milliseconds | 5000 |
    /// | `protocol` | `resp2` or `resp3` | RESP3 where the server speaks it |
    /// | `caFile` | path of a PEM file with the certificates to trust, for `rediss:` | the public authorities |
    /// | `certFile`, `keyFile` | paths of PEM files: the store's own certificate and its key, for `rediss:` | none |
    /// | `serverName` | the name in the server's certificate, for `rediss:` | the host |
    /// | `insecureSkipVerify` | `true` accepts any certificate, for `rediss:` | `false` |
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for a malformed URL, naming the part, and for an unknown parameter, suggesting the
    /// nearest one or listing all. It never quotes what can be the password.
    ///
    /// ```
    /// let error = cloakroom_redis::RedisStore::open("redis://localhost:70000").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"redis: open: invalid port "70000": must be between 1 and 65535"#,
    /// );
    /// ```
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, RedisOptions::default())
    }

    /// A store at this URL with options. What the URL's parameters say goes over the options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Config`](cloakroom_core::ErrorKind::Config) for an option that has no meaning.
    pub fn open_with(url: &str, mut options: RedisOptions) -> Result<Self, Error> {
        let target = Target::parse(url, &mut options)?;
        options.check()?;
        #[cfg(not(feature = "tls"))]
        let streams = Streams::default();
        #[cfg(feature = "tls")]
        let streams = Streams {
            tls: matches!(target.address, crate::target::Address::Tcp { tls: true, .. })
                .then(|| crate::tls::Tls::new(&options))
                .transpose()?,
        };
        Ok(Self::on(Connection::Own(Own::new(target, streams)), options))
    }

    /// A store on a connection of the application's own, which both then use: any connection of the crate `redis` that
    /// can send commands, such as `MultiplexedConnection`, `ConnectionManager` and `ClusterConnection`.
    ///
    /// It is made again, or not, as its own kind does; its server, database and login are not the store's affair, and
    /// the options of TLS are not used. A limit of its own, such as the 500 ms that a `MultiplexedConnection` waits for
    /// an answer, holds beside the store's deadline. Where it reads from replicas, so do `get` and `all`.
    ///
    /// On a Redis Cluster sessions are stored and conditional writes work; what is about all keys (`ids`, `all`,
    /// `length`, `clear` and `clear_database`) is [`Unsupported`](cloakroom_core::ErrorKind::Unsupported).
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for an option that has no meaning. Nothing is sent; the first operation asks the
    /// server what it is.
    ///
    /// ```no_run
    /// use cloakroom_redis::{RedisOptions, RedisStore};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = redis::Client::open("redis://127.0.0.1")?;
    /// let connection = client.get_multiplexed_async_connection().await?;
    /// let store = RedisStore::with_connection(connection.clone(), RedisOptions::default())?;
    /// # Ok(()) }
    /// ```
    pub fn with_connection<C>(connection: C, options: RedisOptions) -> Result<Self, Error>
    where
        C: redis::aio::ConnectionLike + Clone + Send + Sync + 'static,
    {
        options.check()?;
        Ok(Self::on(Connection::Lent(Lent::new(connection)), options))
    }

    fn on(connection: Connection, options: RedisOptions) -> Self {
        Self(Arc::new(Shared { options, connection, lacks_getex: AtomicBool::new(false) }))
    }

    /// Asks the server whether it is there: connects if need be, and waits for one answer. For a health check, or to
    /// learn of a wrong password before the first request.
    ///
    /// # Errors
    ///
    /// As any operation.
    pub async fn ping(&self) -> Result<(), Error> {
        let operation = self.operation("ping", Idempotency::Read);
        reply::text(&operation, self.send(&operation, &redis::cmd("PING")).await?).map(drop)
    }

    pub(crate) fn options(&self) -> &RedisOptions {
        &self.0.options
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    pub(crate) fn lacks_getex(&self) -> &AtomicBool {
        &self.0.lacks_getex
    }

    pub(crate) fn operation(&self, name: &'static str, idempotency: Idempotency) -> Operation {
        Operation::start(STORE, name, idempotency, self.0.options.deadline)
    }

    pub(crate) async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        self.0.connection.send(operation, command).await
    }

    pub(crate) fn key(&self, operation: &Operation, sid: &str) -> Result<String, Error> {
        operation.check_id(sid)?;
        Ok([&self.0.options.prefix, sid].concat())
    }

    /// Never creates: both commands leave a missing key missing.
    pub(crate) async fn move_expiry(
        &self,
        operation: &Operation,
        key: String,
        expiry: Expiry,
    ) -> Result<Touched, Error> {
        if let Expiry::Seconds(seconds) = expiry {
            let mut command = redis::cmd("EXPIRE");
            command.arg(key).arg(seconds);
            let answer = self.send(operation, &command).await?;
            let there = reply::number(operation, answer)? == 1;
            return Ok(if there { Touched::Extended } else { Touched::Missing });
        }
        let answer = self.send(operation, redis::cmd("DEL").arg(key)).await?;
        reply::number(operation, answer).map(|_| Touched::Missing)
    }

    pub(crate) fn expiry(&self, session: &SessionData) -> Expiry {
        let options = self.options();
        match options.ttl.seconds(session, options.clock.now_ms()) {
            0 => Expiry::Passed,
            _ if options.disable_ttl => Expiry::Never,
            seconds => Expiry::Seconds(seconds),
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    fn name(&self) -> &str {
        STORE
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let operation = self.operation("get", Idempotency::Read);
        let key = self.key(&operation, sid)?;
        let answer = self.send(&operation, redis::cmd("GET").arg(key)).await?;
        match reply::text(&operation, answer)? {
            Some(record) => self.options().parse(&operation, record),
            None => Ok(None),
        }
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        let operation = self.operation("set", Idempotency::Once);
        let key = self.key(&operation, sid)?;
        let mut command = redis::cmd("SET");
        match self.expiry(session) {
            Expiry::Seconds(seconds) => {
                let record = self.options().stringify(&operation, session)?;
                command.arg(key).arg(record).arg("EX").arg(seconds);
            }
            Expiry::Never => {
                command.arg(key).arg(self.options().stringify(&operation, session)?);
            }
            Expiry::Passed => {
                let answer = self.send(&operation, redis::cmd("DEL").arg(key)).await?;
                return reply::number(&operation, answer).map(drop);
            }
        }
        let answer = self.send(&operation, &command).await?;
        reply::done(&operation, answer).map(drop)
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let operation = self.operation("destroy", Idempotency::Repeatable);
        let key = self.key(&operation, sid)?;
        let answer = self.send(&operation, redis::cmd("DEL").arg(key)).await?;
        reply::number(&operation, answer).map(drop)
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let operation = self.operation("touch", Idempotency::Repeatable);
        let key = self.key(&operation, sid)?;
        if self.options().disable_touch || self.options().disable_ttl {
            return Ok(Touched::NotOffered);
        }
        self.move_expiry(&operation, key, self.expiry(session)).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        Some(self)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("target", &self.0.connection)
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}
