//! The store and its four basic operations.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation};
use cloakroom_core::{Atomic, Enumerate, Error, SessionData, Store, Touched};
use redis::{Cmd, Value};

use crate::{
    RedisOptions, cluster::Cluster, command::command, connection::Connection, error::STORE,
    given::Given, own::Own, reply, stream::Streams, target::Place, ttl::Expiry,
};

/// Keeps sessions in Redis, in the format of connect-redis.
///
/// It supports the whole contract. Clones share the connections, and any number of tasks may use them at once. It needs
/// a tokio runtime with I/O and time enabled. It is not tied to one runtime: each runtime that calls it has its own
/// connection, and on a Redis Cluster one for each primary.
///
/// - Every operation is one round trip, except an `update` of a large record, and one that meets a conflict on a server
///   that compares by `SET … IFEQ`: those are two.
/// - The connection is made on first use, so a service can start while Redis is down. It is replaced when it is lost,
///   and when it answers nothing for a whole deadline.
/// - Every operation ends within its deadline, 5 seconds by default, no matter what the server and the network do.
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
    /// Whether the server is known to be older than Redis 6.2, which introduced GETEX.
    lacks_getex: AtomicBool,
}

impl RedisStore {
    /// Creates a store for a URL. It does not connect; the first operation does.
    ///
    /// ```text
    /// redis://[[user]:password@]host[:port][/database][?parameters]
    /// rediss://…                                                       TLS, with the feature `tls`
    /// unix:///path[?db=0&user=…&password=…&parameters]                 or redis+unix:
    /// redis+cluster://[[user]:password@]host[:port],…[?parameters]     some nodes of a Redis Cluster
    /// redis+sentinel://[[user]:password@]host[:port],…/name[/database] sentinels, and the name of the master
    /// ```
    ///
    /// The last two use TLS as `rediss+cluster` and `rediss+sentinel`. `valkey` and `valkeys` are other names for `redis`
    /// and `rediss`. A port is 6379 by default, and 26379 for sentinels.
    ///
    /// Percent-encode special characters in a user, a password, a path and a parameter: write `@` as `%40`. The
    /// parameters are the options of connect-redis, under their names there:
    ///
    /// | parameter | value | default |
    /// | --- | --- | --- |
    /// | `prefix` | text | `sess:` |
    /// | `ttl` | seconds | 86400 |
    /// | `disableTTL`, `disableTouch` | `true` or `false` | `false` |
    /// | `scanCount` | keys | 100 |
    /// | `maxRecord` | bytes | 16777216 |
    /// | `deadline` | milliseconds | 5000 |
    /// | `userPath` | where a session has its user, such as `passport.user` | none: no lists by user |
    /// | `protocol` | `resp2` or `resp3` | RESP3 where the server speaks it |
    /// | `caFile` | path of a PEM file with the certificates to trust, for `rediss:` | the public authorities |
    /// | `certFile`, `keyFile` | paths of PEM files: the store's own certificate and its key, for `rediss:` | none |
    /// | `serverName` | the name in the server's certificate, for `rediss:` | the host |
    /// | `insecureSkipVerify` | `true` accepts any certificate, for `rediss:` | `false` |
    /// | `sentinelUsername`, `sentinelPassword` | the login at the sentinels | none |
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for a malformed URL or an unknown parameter. The message names the
    /// part, and suggests the nearest parameter or lists all. It never quotes what may be the password.
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

    /// Creates a store for a URL with options. The URL's parameters take precedence over the options.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and [`Config`](cloakroom_core::ErrorKind::Config) for an invalid option.
    pub fn open_with(url: &str, mut options: RedisOptions) -> Result<Self, Error> {
        let place = Place::parse(url, &mut options)?;
        options.check()?;
        let streams = Streams {
            max_record: options.max_record,
            #[cfg(feature = "tls")]
            tls: place.is_tls().then(|| crate::tls::Tls::new(&options)).transpose()?,
        };
        let connection = match place {
            Place::Server(route) => Connection::Own(Own::new(route, streams)),
            Place::Cluster(login, seeds) => {
                Connection::Cluster(Cluster::new(login, seeds, streams, options.deadline))
            }
        };
        Ok(Self::on(connection, options))
    }

    /// Creates a store on a connection that it shares with the application: any connection of the crate `redis` that
    /// can send commands, such as `MultiplexedConnection`, `ConnectionManager` or `ClusterConnection`.
    ///
    /// The application chooses the server, the database, the login and TLS, and the connection alone decides whether it
    /// reconnects. Its own response timeout, such as the 500 ms of a `MultiplexedConnection`, applies in addition to
    /// the store's deadline. If it reads from replicas, `get` and `all` do too.
    ///
    /// The store cannot see when such a connection reconnects by itself, as `ConnectionManager` does. If the server
    /// restarts or another one takes over during a listing, the listing goes on with a cursor that the new server's
    /// process does not know, and can miss sessions without an error. A store that is [opened](Self::open) with a URL
    /// begins such a listing again.
    ///
    /// On a connection to a Redis Cluster, the operations on all keys (`ids`, `all`, `length`, `clear` and `clear_database`) return
    /// [`Unsupported`](cloakroom_core::ErrorKind::Unsupported); everything else works. A store that is
    /// [opened](Self::open) with a URL offers them on a cluster too.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for an invalid option. Nothing is sent; the first operation asks
    /// the server for its kind.
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
        Ok(Self::on(Connection::Given(Given::new(connection)), options))
    }

    fn on(connection: Connection, options: RedisOptions) -> Self {
        Self(Arc::new(Shared { options, connection, lacks_getex: AtomicBool::new(false) }))
    }

    /// Checks that the server answers, in a cluster each primary, and connects first if necessary. Use it for a health check, or to notice a wrong
    /// password before the first request.
    ///
    /// # Errors
    ///
    /// The store's own errors.
    pub async fn ping(&self) -> Result<(), Error> {
        let operation = self.operation("ping", Idempotency::Read);
        self.connection().ping(&operation).await
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

    /// Returns the key of a session: the prefix and the id, as in connect-redis. An empty id is an error, since its key
    /// would be the prefix.
    pub(crate) fn key(&self, operation: &Operation, sid: &str) -> Result<String, Error> {
        operation.check_id(sid)?;
        Ok([&self.0.options.prefix, sid].concat())
    }

    /// Sets or removes the expiry of a key. It never creates a key: both commands ignore a missing one.
    pub(crate) async fn move_expiry(
        &self,
        operation: &Operation,
        key: String,
        expiry: Expiry,
    ) -> Result<Touched, Error> {
        // connect-redis sends `EXPIRE` with a negative number for an expiry that has passed, which deletes the key,
        // too.
        if let Expiry::Seconds(seconds) = expiry {
            let mut expire = command("EXPIRE", &key, 0);
            let answer = self.send(operation, expire.arg(seconds)).await?;
            let there = reply::number(operation, answer)? == 1;
            return Ok(if there { Touched::Extended } else { Touched::Missing });
        }
        let answer = self.send(operation, redis::cmd("DEL").arg(key)).await?;
        reply::number(operation, answer).map(|_| Touched::Missing)
    }

    /// Returns the expiry of a write. An expiry that has passed counts even with `disable_ttl`, as in connect-redis 7
    /// and later.
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
        let answer = self.send(&operation, &command("GET", &key, 0)).await?;
        match reply::text(&operation, answer)? {
            Some(record) => self.options().parse(&operation, record),
            None => Ok(None),
        }
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        // Not repeatable: a second write could overwrite what another writer stored in between.
        let operation = self.operation("set", Idempotency::Once);
        let key = self.key(&operation, sid)?;
        let expiry = self.expiry(session);
        // As connect-redis 10. Redis rejects `EX 0`, after which connect-redis 4 left the old record there.
        if matches!(expiry, Expiry::Passed) {
            let answer = self.send(&operation, redis::cmd("DEL").arg(key)).await?;
            return reply::number(&operation, answer).map(drop);
        }
        let record = self.options().stringify(&operation, session)?;
        let mut set = command("SET", &key, record.len());
        set.arg(&*record);
        // `SET` without `EX` also removes the expiry that the key had.
        if let Expiry::Seconds(seconds) = expiry {
            set.arg("EX").arg(seconds);
        }
        let write = async {
            let answer = self.send(&operation, &set).await?;
            reply::done(&operation, answer).map(drop)
        };
        self.noting(&operation, sid, session, expiry, write).await
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
        let expiry = self.expiry(session);
        let touch = self.move_expiry(&operation, key, expiry);
        self.noting(&operation, sid, session, expiry, touch).await
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
