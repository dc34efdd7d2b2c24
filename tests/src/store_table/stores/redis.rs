use std::time::Duration;

use cloakroom_conformance::{AccessError, StoreUnderTest};
use cloakroom_core::Error;
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_backends::{Harmed, One, RawRedis};
use cloakroom_test_support::{
    ClusterNode, Redis, RedisCluster, RedisServer, SentinelServer, SentinelSet, unique,
};
use redis::InfoDict;

use super::{
    super::{
        Result,
        column::{Backend, Column, Several},
        outcomes::Outcomes,
        round_trips::round_trips,
    },
    PATIENCE, SUITE, run, three,
};

const CRATE: &str = "cloakroom-redis";

pub(super) async fn column() -> Result<Column> {
    let server = RedisServer::start()?;
    let mut reads = Reads::of(&[server.addr()])?;
    let version = reads.version()?;
    let store = redis_at(&server.url(), "sess:", PATIENCE)?;
    let round_trips = round_trips(&store, &mut || reads.since_the_last_time()).await?;
    Ok(Column {
        name: "Redis",
        outcomes: Outcomes::declared(&store, CRATE, SUITE, None).await?,
        round_trips,
        backend: Some(Backend::new(CRATE, format!("Redis {version}"), "redis")?),
    })
}

/// A cluster of three primaries, each with a third of the keys.
pub(super) async fn cluster() -> Result<Several> {
    let cluster = RedisCluster::start_with(0)?;
    let addrs: Vec<_> = (0..cluster.nodes()).map(|node| cluster.addr(node)).collect();
    let mut reads = Reads::of(&addrs)?;
    let version = reads.version()?;
    let store = redis_at(&cluster.url(), "sess:", PATIENCE)?;
    Ok(Several {
        name: "Redis Cluster, 3 primaries",
        package: CRATE,
        round_trips: round_trips(&store, &mut || reads.since_the_last_time()).await?,
        outcomes: run(cluster, on_cluster).await,
        servers: format!("3 × Redis {version}"),
    })
}

/// A master and a replica, watched by three sentinels.
pub(super) async fn sentinels() -> Result<Several> {
    // Counted where nobody else asks the server: it has no replica, and its sentinel stands still.
    let (server, mut sentinel) = (RedisServer::start()?, SentinelServer::start()?);
    sentinel.watch(server.addr().rsplit(':').next().ok_or("no port")?.parse()?)?;
    let store =
        redis_at(&format!("redis+sentinel://{}/mymaster", sentinel.addr()), "sess:", PATIENCE)?;
    store.ping().await?;
    sentinel.pause()?;
    let mut reads = Reads::of(&[server.addr()])?;
    let version = reads.version()?;
    let round_trips = round_trips(&store, &mut || reads.since_the_last_time()).await?;
    Ok(Several {
        name: "Redis Sentinel",
        package: CRATE,
        round_trips,
        outcomes: run(SentinelSet::start()?, on_sentinels).await,
        servers: format!("2 × Redis {version} and 3 sentinels"),
    })
}

/// Counts what servers read from their clients. Commands would not do: one that runs a script is counted with all that
/// the script calls.
struct Reads {
    servers: Vec<redis::Connection>,
    before: usize,
}

impl Reads {
    fn of(addrs: &[String]) -> Result<Self> {
        let connect =
            |addr: &String| redis::Client::open(format!("redis://{addr}"))?.get_connection();
        let servers = addrs.iter().map(connect).collect::<std::result::Result<_, _>>()?;
        Ok(Self { servers, before: 0 })
    }

    fn version(&mut self) -> Result<String> {
        let info: InfoDict = redis::cmd("INFO").arg("server").query(&mut self.servers[0])?;
        Ok(info.get("redis_version").ok_or("Redis tells no version")?)
    }

    fn since_the_last_time(&mut self) -> Result<usize> {
        let mut reads = 0;
        for server in &mut self.servers {
            let info: InfoDict = redis::cmd("INFO").arg("stats").query(server)?;
            reads += info.get::<usize>("total_reads_processed").ok_or("no statistics")?;
        }
        // The questions themselves were read, too.
        let since = reads - self.before - self.servers.len();
        self.before = reads;
        Ok(since)
    }
}

fn redis_at(url: &str, prefix: &str, deadline: Duration) -> std::result::Result<RedisStore, Error> {
    let mut options = RedisOptions::default();
    (options.prefix, options.deadline) = (prefix.to_owned(), deadline);
    RedisStore::open_with(url, options)
}

/// Stores at a URL, whose raw records are reached at this server.
fn on(url: &str, raw: String) -> StoreUnderTest {
    let name = unique("case");
    three(|part| redis_at(url, &format!("{name}{part}:"), PATIENCE))
        .with_raw(RawRedis::new(raw, format!("{name}:")))
}

/// The one that is harmed is a cluster of its own, with one node.
fn on_cluster(cluster: &RedisCluster) -> StoreUnderTest {
    on(&cluster.url(), cluster.addr(0)).with_faults(|| {
        Harmed::<One<ClusterNode>>::start(|addr, deadline| {
            Ok(Box::new(redis_at(&format!("redis+cluster://{addr}"), "s:", deadline)?))
        })
    })
}

/// The one that is harmed has no replica, so no failover ends the outage.
fn on_sentinels(set: &SentinelSet) -> StoreUnderTest {
    let master = set.master_addr().expect("sentinels that were just started know the master");
    on(&set.url(), master).with_faults(harmed_behind_a_sentinel)
}

async fn harmed_behind_a_sentinel() -> std::result::Result<Harmed<One<Redis>>, AccessError> {
    let sentinel = tokio::task::spawn_blocking(SentinelServer::start).await??;
    let url = format!("redis+sentinel://{}/mymaster", sentinel.addr());
    Harmed::start(move |addr, deadline| {
        let port = addr.rsplit(':').next().ok_or("no port")?.parse()?;
        // From the second time on, it is refused, because the sentinel knows the name.
        let _ = sentinel.watch(port);
        Ok(Box::new(redis_at(&url, "s:", deadline)?))
    })
    .await
}
