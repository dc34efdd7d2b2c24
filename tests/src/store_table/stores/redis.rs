use std::time::Duration;

use cloakroom_conformance::StoreUnderTest;
use cloakroom_core::Error;
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_backends::{Harmed, One, RawRedis};
use cloakroom_test_support::{Redis, RedisServer, unique};
use redis::InfoDict;

use super::{
    super::{
        Result,
        column::{Backend, Column},
        round_trips::round_trips,
    },
    PATIENCE, report, three,
};

const CRATE: &str = "cloakroom-redis";

pub(super) async fn column() -> Result<Column> {
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
        name: "Redis",
        report: report(server, on_redis).await,
        round_trips,
        backend: Some(Backend::new(CRATE, format!("Redis {version}"), "redis")?),
    })
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
            Harmed::<One<Redis>>::start(|addr, deadline| {
                Ok(Box::new(redis_at(addr, "s:", deadline)?))
            })
        })
}
