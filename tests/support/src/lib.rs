//! Servers and Node.js programs for the tests of cloakroom.
//!
//! Each is started on a free port of 127.0.0.1 with a folder of its own, is known to answer before `start` returns,
//! and is gone when its guard is dropped, also after a panic, and also when the test process itself is killed.
//! Everything blocks and is quick (a Redis server takes about 10 ms), so it serves async tests as well.
//!
//! | type | is | has |
//! | --- | --- | --- |
//! | [`RedisServer`] | `redis-server` | what every [`Server`] has, and `start_tls`, `ca_certificate`, `unix_socket` |
//! | [`ValkeyServer`] | `valkey-server` | what every [`Server`] has |
//! | [`RedisCluster`] | three primaries of a Redis Cluster and their replicas | `start`, `url`, `node`, `owner_of`, `fail_over`, `move_slot`, `ask` |
//! | [`RedisClusterNode`] | a Redis Cluster of one node | what every [`Server`] has, and `announced` |
//! | [`SentinelServer`] | `redis-server --sentinel` | what every [`Server`] has, and `watch` |
//! | [`SentinelSet`] | a master, a replica and three sentinels | `start`, `url`, `master`, `server`, `sentinel`, `fail_over`, `ask` |
//! | [`Memcached`] | `memcached` | what every [`Server`] has |
//! | [`Mongod`] | `mongod` | what every [`Server`] has, and `start_tls`, `ca_certificate` |
//! | [`MongoReplicaSet`] | a primary `mongod` and a secondary that stays behind | `start`, `url`, `primary`, `secondary` |
//! | [`MongoThree`] | three `mongod` that elect a primary | `start`, `url`, `server`, `primary`, `step_down`, `step_up` |
//! | [`Postgres`] | `postgres`, as the user `postgres` if root runs the tests | what every [`Server`] has, and `start_tls`, `ca_certificate` |
//! | [`MariaDb`] | `mariadbd` | what every [`Server`] has, and `start_tls`, `ca_certificate` |
//! | [`Server`] | any of them | `start`, `start_with(options)`, `url`, `addr`, `port`, `id`, `log`, `stop`, `restart`, `restart_empty`, `pause`, `resume` |
//! | [`MemcachedTap`] | a proxy that notes what is said to a `memcached` | `start`, `addr`, `commands`, `connections` |
//! | [`Proxy`] | a TCP proxy before any server, which can go silent, hang up, lose or garble answers, or refuse | `start`, `addr`, `pass`, `silence`, `cut`, `lose_answers`, `garble`, `refuse`, `listen`, `connections`, `open` |
//! | [`NodeProgram`] | a program of `tests/node`, or of another folder | `start`, `start_in`, `ready`, `call`, `line`, `id`, `log` |
//! | [`Example`] | an example of the workspace that serves | `start`, `url` |
//!
//! [`unique`] makes names that no other test uses, [`hushed`] secrets that no test may print, [`free_port`] a port where nothing listens, [`first_bytes`] what a server
//! says first, and [`Stopwatch`] limits that hold on a busy machine too.
//!
//! A test that needs a server says so, and runs under `cargo xtask test`, which installs what is missing:
//!
//! ```no_run
//! use cloakroom_test_support::{RedisServer, unique};
//!
//! #[test]
//! #[ignore = "needs redis-server"]
//! fn an_outage_is_an_error() {
//!     let mut server = RedisServer::start().unwrap();
//!     let (url, sid) = (server.url(), unique("sid"));
//!     // Connect to `url`, store a session under `sid`.
//!     server.stop();
//!     // Each operation is an error now.
//!     server.restart().unwrap();
//!     // And works again, at the same address.
//! }
//! ```
//!
//! A server can also be shared by all tests of a program, in a `static` with a `LazyLock`: what a `static` holds is never
//! dropped, and the server still ends with the process.
//!
//! The real npm packages are driven by lines of JSON; `serde_json::Value` goes in and comes out as it is:
//!
//! ```no_run
//! # use cloakroom_test_support::{Error, NodeProgram, RedisServer};
//! # fn main() -> Result<(), Error> {
//! let server = RedisServer::start()?;
//! let mut node = NodeProgram::start("store.mjs", &["--store", "10", "--url", &server.url()], &[])?;
//! let answer: String = node.call(r#"{"op":"get","sid":"a"}"#)?;
//! assert_eq!(answer, r#"{"value":null}"#);
//! # Ok(())
//! # }
//! ```

mod ask;
mod cluster;
mod error;
mod example;
mod family;
mod folder;
mod leak;
mod lines;
mod mariadb;
mod memcached;
mod memcached_tap;
mod mongo_replica_set;
mod mongo_three;
mod mongo_wire;
mod mongod;
mod node;
mod port;
mod postgres;
mod process;
mod program;
mod proxy;
mod redis;
mod redis_cluster;
mod resp;
mod sentinel;
mod server;
mod stopwatch;
mod tls;
mod unique;
mod valkey;
mod wait;

pub use ask::first_bytes;
pub use error::Error;
pub use example::Example;
pub use leak::leak_in;
pub use mariadb::{Maria, MariaDb};
pub use memcached::{Memcache, Memcached};
pub use memcached_tap::MemcachedTap;
pub use mongo_replica_set::MongoReplicaSet;
pub use mongo_three::MongoThree;
pub use mongod::{Mongo, Mongod};
pub use node::NodeProgram;
pub use port::free_port;
pub use postgres::{Pg, Postgres};
pub use program::{
    MONGOD_VERSION, VALKEY_VERSION, find_mongod, find_program, find_valkey, mongod_in_cache,
    next_folder, node_folder, valkey_in_cache,
};
pub use proxy::Proxy;
pub use redis::{Redis, RedisServer};
pub use redis_cluster::{ClusterNode, RedisCluster, RedisClusterNode};
pub use sentinel::{Sentinel, SentinelServer, SentinelSet};
pub use server::{Kind, Server};
pub use stopwatch::Stopwatch;
pub use unique::{hushed, unique};
pub use valkey::{Valkey, ValkeyServer};
pub use wait::Wait;
