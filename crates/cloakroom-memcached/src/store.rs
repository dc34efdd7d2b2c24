//! The store, and Express's own four operations on it.

use std::{fmt, sync::Arc};

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

/// Sessions in Memcached, as connect-memcached keeps them.
///
/// It offers the whole contract. Clones are handles on the same connections, which any number of tasks may use at once.
/// It needs a tokio runtime with I/O and timers, and belongs to none: each runtime that calls it has connections of its
/// own. A runtime that lacks one of them is a [`Config`](ErrorKind::Config) error.
///
/// - Every operation is one round trip; an update that meets a conflict reads what is there now.
/// - Of several servers, each key is on the one where npm's client looks for it. One that is away is an error for its
///   keys only.
/// - Connections are made on first use, so a service starts while Memcached is down, and made again when they are lost.
///   After a loss, calls share one attempt at a time.
/// - An operation ends by its deadline, 5 seconds unless set, whatever the servers and the network do.
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
    /// Each server once, whatever the list says.
    servers: Vec<Server>,
    /// `None` when the list has one server: npm asks no ring then.
    ring: Option<Ring>,
    /// The server of each place in the list.
    places: Vec<usize>,
}

/// Where a session is: a server by its index, and the key of its item.
pub(crate) struct Place {
    pub(crate) server: usize,
    pub(crate) key: String,
}

impl MemcachedStore {
    /// A store at this URL. Nothing is sent: the first operation connects.
    ///
    /// ```text
    /// memcached://host[:port][;weight=…][;vnodes=…][,host…][/][?parameters]
    /// ```
    ///
    /// The servers stand as connect-memcached's `hosts` have them: which of them has a key depends on how their names
    /// are spelt. `weight` and `vnodes` are those of npm's client. The parameters are the options of connect-memcached
    /// and of npm's client, by their names, percent-encoded:
    ///
    /// | parameter | value | default |
    /// | --- | --- | --- |
    /// | `prefix` | text | none |
    /// | `ttl` | seconds, of every session | as long as its cookie, or a day |
    /// | `secret` | text, with the feature `encryption` | not encrypted |
    /// | `namespace` | text | none |
    /// | `maxExpiration` | seconds | 2592000 |
    /// | `maxValue` | bytes | what the server takes |
    /// | `keyCompression` | `true` or `false` | `true` |
    /// | `algorithm` | `md5`, `sha1`, `sha224`, `sha256`, `sha384` or `sha512` | `md5` |
    /// | `compatibility` | `ketama`, `hash_ring` or nothing | `ketama` |
    /// | `poolSize` | connections of a runtime to each server | 64 |
    /// | `timeout` | milliseconds to connect | 1000 |
    /// | `flags` | 2, or 0 for connect-memcached 0.2 and 1 | 2 |
    /// | `deadline` | milliseconds | 5000 |
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for a malformed URL, naming the part, and for an unknown parameter, suggesting the
    /// nearest one or listing all. It never quotes what can be the secret.
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

    /// A store at this URL with options. What the URL's parameters say goes over the options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Config`](ErrorKind::Config) for an option that has no meaning.
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

    /// A store that sends its commands through the application's own client, and so shares its connections.
    ///
    /// The client decides where the servers are, which of them has a key, and how many connections there are. For
    /// several servers, give it a [`Ring`] as its router, which looks where npm's client does. The exception is keys of
    /// more than 250 characters: the client asks the ring with their digest, and so looks elsewhere.
    /// `pool_size` is how many calls one runtime has under way at once.
    ///
    /// What the client cannot do is not offered:
    ///
    /// - [`enumerate`](Store::enumerate) is `None`, and [`flush_servers`](Self::flush_servers) is
    ///   [`Unsupported`](ErrorKind::Unsupported).
    /// - A record that is too large is refused by the server, unless `max_value` says how large one can be.
    /// - When a write meets its deadline, [`outcome_unknown`](Error::outcome_unknown) is true: the client does not tell
    ///   whether the command was sent.
    ///
    /// The client's connections end with the runtime that made them. Its `io_timeout`, a second unless set, can end an
    /// operation before the deadline.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an option that has no meaning.
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

    /// Asks all servers whether they are there: connects if need be, and waits for one answer of each. For a health
    /// check.
    ///
    /// # Errors
    ///
    /// As any operation, for the first server that is away; the message names it.
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

    pub(crate) fn place(&self, operation: &Operation, sid: &str) -> Result<Place, Error> {
        operation.check_id(sid)?;
        let full = [self.prefix(), sid].concat();
        let key = key::on_wire(&full, self.options().key_compression)
            .map_err(|unusable| operation.error(ErrorKind::InvalidId, unusable.why()))?
            .into_owned();
        Ok(Place { server: self.server_of(&full), key })
    }

    /// The server of a whole key, before a long one is replaced by its digest.
    pub(crate) fn server_of(&self, full: &str) -> usize {
        let shared = &*self.0;
        let place = shared.ring.as_ref().and_then(|ring| ring.server_of(full)).unwrap_or_default();
        shared.places[place]
    }

    /// What `get` finds, or `get_and_touch` when it is given an expiry.
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
        self.session_in(operation, server, server.run(operation, get).await?).await
    }

    pub(crate) async fn session_in(
        &self,
        operation: &Operation,
        server: &Server,
        found: GetResult,
    ) -> Result<Option<SessionData>, Error> {
        let value = match (found.status, found.value) {
            (GetStatus::Hit, Some(value)) => value,
            // The value was asked for: that is the answer to another command, and no reason to log anybody out.
            (GetStatus::Hit, None) => return Err(error::unintelligible(operation, &server.name)),
            // A miss, or a place that another client holds free for a value.
            _ => return Ok(None),
        };
        let flags = found.client_flags.unwrap_or_default();
        let cas = found.item.cas.unwrap_or_default();
        self.options().decode(operation, flags, value, cas).await
    }

    /// The command that stores `session`, when the server takes a value of its size.
    pub(crate) async fn storing(
        &self,
        operation: &Operation,
        place: &Place,
        session: &SessionData,
        expiry: u32,
    ) -> Result<Set, Error> {
        let server = self.server(place);
        let record = self.options().encode(operation, session).await?;
        server.check_size(operation, &place.key, &record.value).await?;
        Ok(Set::new(&place.key, &record.value).client_flags(record.flags).ttl_raw(expiry))
    }

    pub(crate) async fn delete(&self, operation: &Operation, place: &Place) -> Result<(), Error> {
        self.server(place).run(operation, Delete::new(&place.key)).await.map(drop)
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
        let operation = self.operation("set", Idempotency::Once);
        let place = self.place(&operation, sid)?;
        let Expiry::At(expiry) = self.options().expiry(session) else {
            return self.delete(&operation, &place).await;
        };
        let set = self.storing(&operation, &place, session, expiry).await?;
        self.server(&place).run(&operation, set).await.map(drop)
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
        let touch = Get::new(&place.key).without_value().touch_raw(expiry);
        let found = self.server(&place).run(&operation, touch).await?;
        Ok(if found.hit() { Touched::Extended } else { Touched::Missing })
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        // The listing is told on a connection of its own, and a client does not tell where its servers are.
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
