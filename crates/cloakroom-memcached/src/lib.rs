#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod atomic;
mod client;
mod connection;
mod dump;
mod enumerate;
mod error;
mod gate;
mod key;
mod lease;
mod limit;
mod loss;
mod options;
mod parameter;
mod plain;
mod pool;
mod record;
mod ring;
mod server;
mod silence;
mod size;
mod store;
mod target;
mod ttl;
mod turn;

pub use memcache;
pub use options::MemcachedOptions;
pub use ring::{Algorithm, Compatibility, Ring, RingServer};
pub use store::MemcachedStore;
