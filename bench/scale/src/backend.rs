//! A Redis server with the bare client and our store.

use std::time::Duration;

use cloakroom::{
    ExpressSession, ExpressSessionOptions,
    redis::{RedisOptions, RedisStore},
};
use cloakroom_bench::{Sample, cpu, tasks::Cost};
use cloakroom_test_support::RedisServer;
use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};

pub(crate) const TASKS: usize = 64;

pub(crate) struct Backend {
    pub(crate) server: RedisServer,
    pub(crate) bare: MultiplexedConnection,
    pub(crate) store: RedisStore,
}

impl Backend {
    pub(crate) async fn start() -> Self {
        let server = RedisServer::start().expect("redis-server is installed");
        cpu::pin(server.id().expect("it runs"), cpu::OTHERS);
        let url = server.url();
        Self { bare: bare(&url).await, store: store(&url), server }
    }
}

/// How long a call may take: on a busy machine it is measured, not given up.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn bare(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("it is a URL");
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let bare = client.get_multiplexed_async_connection_with_config(&config).await;
    bare.expect("Redis answers")
}

pub(crate) fn store(url: &str) -> RedisStore {
    let options = RedisOptions::default().with_deadline(PATIENCE);
    RedisStore::open_with(url, options).expect("it is a URL")
}

pub(crate) fn sessions(store: RedisStore) -> ExpressSession {
    let options = ExpressSessionOptions::default().with_deadline(PATIENCE);
    ExpressSession::with_options(store, options)
}

impl Backend {
    /// Removes all sessions.
    pub(crate) async fn clear(&self) {
        let flush = redis::cmd("FLUSHALL");
        flush.exec_async(&mut self.bare.clone()).await.expect("Redis answers");
    }
}

pub(crate) fn with_cost(sample: Sample, cost: Cost) -> Sample {
    sample
        .with("CPU, µs", cost.cpu)
        .with("Redis CPU, µs", cost.server_cpu)
        .with("operations/s", cost.per_second)
}

/// Numbers without order, so that neither a cache nor a hash table sees a pattern.
pub(crate) fn scattered(task: usize, number: u64, limit: usize) -> usize {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(task as u32 % 64);
    (mixed % limit as u64) as usize
}

/// As long as an id of express-session.
pub(crate) fn sid(number: usize) -> String {
    format!("{number:032x}")
}
