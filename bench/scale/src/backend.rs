//! A Redis server with the bare client and our store.

use cloakroom::redis::RedisStore;
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
        let client = redis::Client::open(server.url()).expect("it is a URL");
        // A pipeline of many long records takes longer than a command may.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let bare = client.get_multiplexed_async_connection_with_config(&config).await;
        let store = RedisStore::open(&server.url()).expect("it is a URL");
        Self { bare: bare.expect("Redis answers"), store, server }
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
