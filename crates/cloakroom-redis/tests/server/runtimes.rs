//! One store on many runtimes, which come and go.

use std::sync::LazyLock;

use cloakroom_core::{ErrorKind, Store};
use cloakroom_redis::{RedisOptions, RedisStore};
use cloakroom_test_support::RedisServer;
use tokio::runtime::{Builder, Runtime};

use crate::session;

static SERVER: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start().unwrap());
static STORE: LazyLock<RedisStore> = LazyLock::new(|| RedisStore::open(&SERVER.url()).unwrap());

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn a_runtime_that_nobody_drives_holds_up_no_other() {
    let (first, second) = (runtime(), runtime());
    for _ in 0..3 {
        first.block_on(STORE.ping()).unwrap();
        second.block_on(STORE.ping()).unwrap();
    }
    drop(first);
    second.block_on(STORE.ping()).unwrap();
}

#[test]
#[ignore = "needs redis-server"]
fn a_runtime_without_a_driver_is_a_config_error() {
    let server = RedisServer::start().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let elsewhere = runtime();
    let connection = elsewhere.block_on(client.get_multiplexed_async_connection()).unwrap();
    let given = RedisStore::with_connection(connection, RedisOptions::default()).unwrap();
    let own = RedisStore::open(&server.url()).unwrap();
    let bare = || Builder::new_current_thread().build().unwrap();
    let with_io = || Builder::new_current_thread().enable_io().build().unwrap();
    let with_time = || Builder::new_current_thread().enable_time().build().unwrap();
    for (store, runtime, lacks) in [
        (&own, bare(), "enable_time"),
        (&own, with_io(), "enable_time"),
        (&own, with_time(), "enable_io"),
        (&given, bare(), "enable_time"),
        (&given, with_io(), "enable_time"),
    ] {
        for _ in 0..2 {
            let error = runtime.block_on(store.set("a", &session())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().contains(lacks), "{error}");
            assert!(!error.outcome_unknown());
        }
    }
    runtime().block_on(own.set("a", &session())).unwrap();
}
