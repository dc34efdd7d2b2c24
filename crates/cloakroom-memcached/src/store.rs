//! The store and its four basic operations.

use std::{borrow::Cow, fmt, sync::Arc};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Operation};
use cloakroom_core::{Atomic, Enumerate, Error, ErrorKind, SessionData, Store, Touched};
use futures::future::try_join_all;
use memcache::exp::{AsyncMetaClient, Delete, Get, GetResult, GetStatus, Meta, Set};

use crate::{
    MemcachedOptions, Ring,
    error::{self, STORE},
    key,
    server::Server,
    target::Target,
    ttl::Expiry,
};

/// Keeps sessions in Memcached, in the format of connect-memcached.
///
/// It supports the whole contract. Clones share the connections, and any number of tasks may use them at once. It needs
/// a tokio runtime with I/O and time enabled; without them, every call returns a [`Config`](ErrorKind::Config) error.
/// It is not tied to one runtime: each runtime that calls it has its own connections.
///
/// - Every operation is one round trip; an update that meets a conflict needs another one to read the current record.
/// - With several servers, each key is on the server where npm's client looks for it. If a server is down, only
///   operations on its keys fail.
/// - Connections are made on first use, so a service can start while Memcached is down, and replaced when they are
///   lost. After a loss, calls share one attempt at a time.
/// - Every operation ends within its deadline, 5 seconds by default, no matter what the servers and the network do.
///
/// ```no_run
/// use cloakroom_core::{SessionData, Store};
/// use cloakroom_memcached::MemcachedStore;
///
/// # async fn example() -> Result<(), cloakroom_core::Error> {
/// let store = MemcachedStore::open("memcached://10.0.0.1,10.0.0.2?prefix=sess:")?;
/// let mut session = SessionData::new();
/// session.insert("user", "ann")?;
/// store.set("an-id", &session).await?;
/// assert_eq!(store.get("an-id").await?, Some(session));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MemcachedStore(Arc<Shared>);

struct Shared {
    options: MemcachedOptions,
    /// Namespace and prefix.
    prefix: String,
    /// The servers without duplicates.
    servers: Vec<Server>,
    /// `None` for a list of one server, for which npm's client does not use a ring.
    ring: Option<Ring>,
    /// The index in `servers` of each entry of the list.
    places: Vec<usize>,
}

/// The place of a session: the index of its server, and the key of its item.
pub(crate) struct Place {
    pub(crate) server: usize,
    pub(crate) key: String,
}

impl MemcachedStore {
    /// Creates a store for a URL. It does not connect; the first operation does.
    ///
    /// ```text
    /// memcached://host[:port][;weight=…][;vnodes=…][,host…][/][?parameters]
    /// ```
    ///
    /// Write the servers as they are in connect-memcached's `hosts`, because the spelling of their names decides which
    /// server has a key. `weight` and `vnodes` are those of npm's client. The parameters are the options of
    /// connect-memcached and of npm's client, under their names there, percent-encoded:
    ///
    /// | parameter | value | default |
    /// | --- | --- | --- |
    /// | `prefix` | text | none |
    /// | `ttl` | seconds, of every session | as long as its cookie, or a day |
    /// | `secret` | text, with the feature `encryption` | not encrypted |
    /// | `namespace` | text | none |
    /// | `maxExpiration` | seconds | 2592000 |
    /// | `maxValue` | bytes | the server's limit |
    /// | `maxRecord` | bytes | 16777216 |
    /// | `keyCompression` | `true` or `false` | `true` |
    /// | `algorithm` | `md5`, `sha1`, `sha224`, `sha256`, `sha384` or `sha512` | `md5` |
    /// | `compatibility` | `ketama`, `hash_ring` or empty | `ketama` |
    /// | `poolSize` | connections of a runtime to each server | 64 |
    /// | `timeout` | milliseconds to connect | 1000 |
    /// | `flags` | 2, or 0 for connect-memcached 0.2 and 1 | 2 |
    /// | `deadline` | milliseconds | 5000 |
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a malformed URL or an unknown parameter. The message names the part, and
    /// suggests the nearest parameter or lists all. It never quotes what may be the secret.
    ///
    /// ```
    /// let error = cloakroom_memcached::MemcachedStore::open("memcached://localhost:70000").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"memcached: open: invalid port "70000": must be between 1 and 65535"#,
    /// );
    /// ```
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, MemcachedOptions::default())
    }

    /// Creates a store for a URL with options. The URL's parameters take precedence over the options.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and [`Config`](ErrorKind::Config) for an invalid option.
    pub fn open_with(url: &str, mut options: MemcachedOptions) -> Result<Self, Error> {
        let hosts = Target::parse(url, &mut options)?.hosts;
        options.check()?;
        let mut servers: Vec<Server> = Vec::new();
        let places = hosts.iter().map(|host| {
            let known = servers.iter().position(|server| server.name == host.on_ring.name);
            known.unwrap_or_else(|| {
                servers.push(Server::new(host, &options));
                servers.len() - 1
            })
        });
        let places: Vec<usize> = places.collect();
        let ring = (hosts.len() > 1).then(|| {
            let servers: Vec<_> = hosts.into_iter().map(|host| host.on_ring).collect();
            Ring::new(&servers, options.algorithm, options.compatibility)
        });
        let prefix = options.full_prefix();
        Ok(Self(Arc::new(Shared { options, prefix, servers, ring, places })))
    }

    /// Creates a store that sends its commands through the application's client and shares its connections.
    ///
    /// The client determines the addresses of the servers, which server has a key, and the number of connections. For
    /// several servers, give it a [`Ring`] as its router, which chooses the same server as npm's client. Keys of more
    /// than 250 characters are an exception: the client passes their digest to the ring, which may choose another
    /// server. `pool_size` limits the number of concurrent calls of one runtime.
    ///
    /// The client limits what the store can do:
    ///
    /// - [`enumerate`](Store::enumerate) is `None`, and [`flush_servers`](Self::flush_servers) is
    ///   [`Unsupported`](ErrorKind::Unsupported).
    /// - The server rejects a record that is too large, unless `max_value` is set. It then also removes the session's
    ///   old record, so [`outcome_unknown`](Error::outcome_unknown) is true.
    /// - If a write meets its deadline, [`outcome_unknown`](Error::outcome_unknown) is true, because the client does
    ///   not report whether the command was sent.
    ///
    /// The client's connections end with the runtime that made them. Its `io_timeout`, one second by default, can end
    /// an operation before the deadline.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an invalid option.
    ///
    /// ```no_run
    /// use cloakroom_memcached::{MemcachedOptions, MemcachedStore, Ring, RingServer, memcache};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let servers = ["10.0.0.1:11211", "10.0.0.2:11211"];
    /// let ring = Ring::new(&servers.map(RingServer::new), Default::default(), Default::default());
    /// let client = memcache::exp::AsyncMetaClient::builder()
    ///     .max_idle(64)
    ///     .router(ring)
    ///     .connect_multiple_async(servers)
    ///     .await?;
    /// let mut options = MemcachedOptions::default();
    /// options.prefix = "sess:".to_owned();
    /// let store = MemcachedStore::with_client(client.clone(), options)?;
    /// # Ok(()) }
    /// ```
    pub fn with_client(client: AsyncMetaClient, options: MemcachedOptions) -> Result<Self, Error> {
        options.check()?;
        let servers = vec![Server::of_client(client, &options)];
        let prefix = options.full_prefix();
        Ok(Self(Arc::new(Shared { options, prefix, servers, ring: None, places: vec![0] })))
    }

    /// Checks that all servers answer, and connects first if necessary. Use it for a health check.
    ///
    /// # Errors
    ///
    /// The store's own errors, for the first server that does not answer; the message names it.
    pub async fn ping(&self) -> Result<(), Error> {
        let operation = self.operation("ping", Idempotency::Read);
        try_join_all(self.servers().iter().map(|server| server.noop(&operation))).await.map(drop)
    }

    pub(crate) fn options(&self) -> &MemcachedOptions {
        &self.0.options
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    pub(crate) fn servers(&self) -> &[Server] {
        &self.0.servers
    }

    pub(crate) fn server(&self, place: &Place) -> &Server {
        &self.0.servers[place.server]
    }

    pub(crate) fn operation(&self, name: &'static str, idempotency: Idempotency) -> Operation {
        Operation::start(STORE, name, idempotency, self.0.options.deadline)
    }

    /// Returns the key and the server of a session. The ring hashes the full key, even if its digest is what is sent.
    pub(crate) fn place(&self, operation: &Operation, sid: &str) -> Result<Place, Error> {
        operation.check_id(sid)?;
        let full = [self.prefix(), sid].concat();
        let server = self.server_of(&full);
        let digest = match key::on_wire(&full, self.options().key_compression) {
            Ok(Cow::Borrowed(_)) => None,
            Ok(Cow::Owned(digest)) => Some(digest),
            Err(unusable) => return Err(operation.error(ErrorKind::InvalidId, unusable.why())),
        };
        Ok(Place { server, key: digest.unwrap_or(full) })
    }

    /// Returns the server of a full key, before a long key is replaced by its digest.
    pub(crate) fn server_of(&self, full: &str) -> usize {
        let shared = &*self.0;
        let place = shared.ring.as_ref().and_then(|ring| ring.server_of(full)).unwrap_or_default();
        shared.places[place]
    }

    /// Returns what `get` finds. With an expiry, it does what `get_and_touch` does.
    pub(crate) async fn read(
        &self,
        operation: &Operation,
        place: &Place,
        expiry: Option<u32>,
    ) -> Result<Option<SessionData>, Error> {
        let mut get = Get::new(&place.key).meta(Meta::NONE.cas());
        if let Some(expiry) = expiry {
            get = get.touch_raw(expiry);
        }
        let server = self.server(place);
        self.session_in(operation, server, server.run(operation, &get).await?).await
    }

    pub(crate) async fn session_in(
        &self,
        operation: &Operation,
        server: &Server,
        found: GetResult,
    ) -> Result<Option<SessionData>, Error> {
        let value = match (found.status, found.value) {
            (GetStatus::Hit, Some(value)) => value,
            // The value is missing although it was requested, so this is the answer to another command. `None` would
            // log the user out.
            (GetStatus::Hit, None) => return Err(error::unintelligible(operation, &server.name)),
            // A miss, or an item without a value that another client has reserved.
            _ => return Ok(None),
        };
        let flags = found.client_flags.unwrap_or_default();
        let cas = found.item.cas.unwrap_or_default();
        self.options().decode(operation, flags, value, cas).await
    }

    /// Returns the command that stores `session`, after checking that the server accepts a value of its size.
    pub(crate) async fn storing(
        &self,
        operation: &Operation,
        place: &Place,
        session: &SessionData,
        expiry: u32,
    ) -> Result<Set, Error> {
        let server = self.server(place);
        let record = self.options().encode(operation, session).await?;
        operation.check_size(record.value.len(), self.options().max_record)?;
        server.check_size(operation, &place.key, &record.value).await?;
        let mut set = Set::new(&place.key, b"").client_flags(record.flags).ttl_raw(expiry);
        // `new` would copy it.
        set.value = record.value;
        Ok(set)
    }

    pub(crate) async fn delete(&self, operation: &Operation, place: &Place) -> Result<(), Error> {
        self.server(place).run(operation, &Delete::new(&place.key)).await.map(drop)
    }
}

#[async_trait]
impl Store for MemcachedStore {
    fn name(&self) -> &str {
        STORE
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        let operation = self.operation("get", Idempotency::Read);
        let place = self.place(&operation, sid)?;
        self.read(&operation, &place, None).await
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        // Not repeatable: a second write could overwrite what another writer stored in between.
        let operation = self.operation("set", Idempotency::Once);
        let place = self.place(&operation, sid)?;
        let Expiry::At(expiry) = self.options().expiry(session) else {
            return self.delete(&operation, &place).await;
        };
        let set = self.storing(&operation, &place, session, expiry).await?;
        self.server(&place).run(&operation, &set).await.map(drop)
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        let operation = self.operation("destroy", Idempotency::Repeatable);
        let place = self.place(&operation, sid)?;
        self.delete(&operation, &place).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        let operation = self.operation("touch", Idempotency::Repeatable);
        let place = self.place(&operation, sid)?;
        let Expiry::At(expiry) = self.options().expiry(session) else {
            return self.delete(&operation, &place).await.map(|()| Touched::Missing);
        };
        // The meta protocol has no command that only touches; `mg` with the flag T does it.
        let touch = Get::new(&place.key).without_value().touch_raw(expiry);
        let found = self.server(&place).run(&operation, &touch).await?;
        Ok(if found.hit() { Touched::Extended } else { Touched::Missing })
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        // The listing needs a separate connection, and a client does not expose the addresses of its servers.
        let listed = self.servers().iter().all(|server| !server.is_of_client());
        listed.then_some(self as &dyn Enumerate)
    }
}

impl fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<&str> = self.servers().iter().map(|server| &*server.name).collect();
        f.debug_struct("MemcachedStore")
            .field("servers", &servers)
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}
