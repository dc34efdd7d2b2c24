//! The four stores, each on a server that was started for it.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloakroom_conformance::{Options, Report, StoreUnderTest, run_with};
use cloakroom_core::{Clock, Error, MemoryStore, Store};
use cloakroom_memcached::{MemcachedOptions, MemcachedStore};
use cloakroom_mongodb::{
    AutoRemove, MongoOptions, MongoStore,
    mongodb::{
        Client,
        bson::doc,
        event::{EventHandler, command::CommandEvent},
        options::ClientOptions,
    },
};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_backends::{Harmed, RawMemcached, RawMongo, RawRedis};
use cloakroom_test_support::{
    Memcache, Memcached, MemcachedTap, Mongo, Mongod, Redis, RedisServer, unique,
};
use redis::InfoDict;

use super::{
    Result,
    column::{Backend, Column},
    round_trips::round_trips,
};

pub(super) async fn memory() -> Result<Column> {
    let subject = |(): &()| {
        let store = MemoryStore::new();
        StoreUnderTest::new(store.clone())
            .with_second_handle(store)
            .with_neighbour(MemoryStore::new())
    };
    Ok(Column {
        report: report((), subject).await,
        round_trips: round_trips(&MemoryStore::new(), &mut || Ok(0)).await?,
        backend: None,
    })
}

pub(super) async fn redis() -> Result<Column> {
    let server = RedisServer::start()?;
    let mut connection = redis::Client::open(server.url())?.get_connection()?;
    let mut info =
        |section: &str| redis::cmd("INFO").arg(section).query::<InfoDict>(&mut connection);
    let version: String = info("server")?.get("redis_version").ok_or("Redis tells no version")?;
    let mut before = 0;
    // Not its commands: one that runs a script is counted with all that the script calls.
    let mut reads = || {
        let reads: usize = info("stats")?.get("total_reads_processed").ok_or("no statistics")?;
        // The question itself was read, too.
        let since = reads - before - 1;
        before = reads;
        Ok(since)
    };
    let mut options = RedisOptions::default();
    options.deadline = PATIENCE;
    let store = RedisStore::open_with(&server.url(), options)?;
    let round_trips = round_trips(&store, &mut reads).await?;
    Ok(Column {
        report: report(server, on_redis).await,
        round_trips,
        backend: Some(Backend::new(
            "cloakroom-redis",
            format!("Redis {version}"),
            "redis",
            "connect-redis",
        )?),
    })
}

pub(super) async fn memcached() -> Result<Column> {
    let server = Memcached::start()?;
    let mut stream = BufReader::new(TcpStream::connect(server.addr())?);
    stream.get_mut().write_all(b"version\r\n")?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let version = line.trim_end().strip_prefix("VERSION ").ok_or("Memcached tells no version")?;
    let tap = MemcachedTap::start(&server)?;
    let mut options = MemcachedOptions::default();
    (options.timeout, options.deadline) = (PATIENCE, PATIENCE);
    let store = MemcachedStore::open_with(&format!("memcached://{}", tap.addr()), options)?;
    let round_trips = round_trips(&store, &mut || Ok(tap.commands().len())).await?;
    Ok(Column {
        report: report(server, on_memcached).await,
        round_trips,
        backend: Some(Backend::new(
            "cloakroom-memcached",
            format!("Memcached {version}"),
            "memcache",
            "connect-memcached",
        )?),
    })
}

pub(super) async fn mongodb() -> Result<Column> {
    let server = Mongod::start()?;
    let commands = Arc::new(AtomicUsize::new(0));
    let mut client = ClientOptions::parse(server.url()).await?;
    let counted = Arc::clone(&commands);
    client.command_event_handler = Some(EventHandler::callback(move |event| {
        if let CommandEvent::Started(_) = event {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    }));
    let client = Client::with_options(client)?;
    let answer = client.database("admin").run_command(doc! { "buildInfo": 1 }).await?;
    let version = answer.get_str("version")?;
    let mut options = MongoOptions::default();
    // Its index would be made at some time during the first operations.
    options.auto_remove = AutoRemove::Disabled;
    options.deadline = PATIENCE;
    let store = MongoStore::with_client(client, options)?;
    let round_trips = round_trips(&store, &mut || Ok(commands.swap(0, Ordering::SeqCst))).await?;
    Ok(Column {
        report: report(server, on_mongod).await,
        round_trips,
        backend: Some(Backend::new(
            "cloakroom-mongodb",
            format!("MongoDB {version}"),
            "mongodb",
            "connect-mongo",
        )?),
    })
}

/// Enough for cases that wait to wait together, and few enough for each to get on.
const AT_ONCE: usize = 16;
/// How long anything may take, so that the table says the same on a machine that is slow or busy.
const PATIENCE: Duration = Duration::from_secs(600);

async fn report<S: Send + Sync + 'static>(server: S, subject: fn(&S) -> StoreUnderTest) -> Report {
    let server = Arc::new(server);
    let mut options = Options::default();
    options.time_limit = PATIENCE;
    options.at_once = AT_ONCE;
    run_with(options, move || {
        let server = Arc::clone(&server);
        async move { subject(&server) }
    })
    .await
}

fn redis_at(
    addr: &str,
    prefix: &str,
    deadline: Duration,
) -> std::result::Result<RedisStore, Error> {
    let mut options = RedisOptions::default();
    (options.prefix, options.deadline) = (prefix.to_owned(), deadline);
    RedisStore::open_with(&format!("redis://{addr}"), options)
}

fn on_redis(server: &RedisServer) -> StoreUnderTest {
    let (name, addr) = (unique("case"), server.addr());
    three(|part| redis_at(&addr, &format!("{name}{part}:"), PATIENCE))
        .with_raw(RawRedis::new(addr, format!("{name}:")))
        .with_faults(|| {
            Harmed::<Redis>::start(|addr, deadline| Ok(Box::new(redis_at(addr, "s:", deadline)?)))
        })
}

fn memcached_at(
    addr: &str,
    prefix: &str,
    deadline: Duration,
) -> std::result::Result<MemcachedStore, Error> {
    let mut options = MemcachedOptions::default();
    options.prefix = prefix.to_owned();
    (options.timeout, options.deadline) = (deadline, deadline);
    MemcachedStore::open_with(&format!("memcached://{addr}"), options)
}

fn on_memcached(server: &Memcached) -> StoreUnderTest {
    let (name, addr) = (unique("case"), server.addr());
    three(|part| memcached_at(&addr, &format!("{name}{part}:"), PATIENCE))
        .with_raw(RawMemcached::new([addr], format!("{name}:")))
        .with_faults(|| {
            Harmed::<Memcache>::start(|addr, deadline| {
                Ok(Box::new(memcached_at(addr, "s:", deadline)?))
            })
        })
}

fn mongo_at(
    addr: &str,
    collection: &str,
    deadline: Duration,
) -> std::result::Result<MongoStore, Error> {
    let mut options = MongoOptions::default();
    (options.collection_name, options.deadline) = (collection.to_owned(), deadline);
    MongoStore::open_with(&format!("mongodb://{addr}/suite"), options)
}

fn on_mongod(server: &Mongod) -> StoreUnderTest {
    let (name, addr) = (unique("case"), server.addr());
    three(|part| mongo_at(&addr, &format!("{name}{part}"), PATIENCE))
        .with_raw(RawMongo::new(server.url(), "suite", name, Clock::system()))
        .with_faults(|| {
            Harmed::<Mongo>::start(|addr, deadline| Ok(Box::new(mongo_at(addr, "s", deadline)?)))
        })
}

/// Two handles on the same sessions, and a neighbour of theirs.
fn three<S: Store + 'static>(
    open: impl Fn(&str) -> std::result::Result<S, Error>,
) -> StoreUnderTest {
    let open = |part| open(part).expect("the URL of a server that was just started");
    StoreUnderTest::new(open("")).with_second_handle(open("")).with_neighbour(open(".neighbour"))
}
