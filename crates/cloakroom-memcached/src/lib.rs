#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod atomic;
mod call;
mod dump;
mod enumerate;
mod error;
mod key;
mod limit;
mod options;
mod parameter;
mod plain;
mod record;
mod ring;
mod server;
mod store;
mod target;
mod ttl;

pub use options::MemcachedOptions;
pub use ring::{Algorithm, Compatibility, Ring, RingServer};
pub use store::MemcachedStore;
