#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod atomic;
mod batch;
#[cfg(feature = "tls")]
mod certificate;
mod cluster;
mod command;
mod connection;
mod dial;
mod enumerate;
mod error;
mod fate;
mod given;
mod invalidations;
mod known;
mod limited;
mod live;
mod login;
mod mode;
mod options;
mod own;
mod parameter;
mod race;
mod record;
mod reply;
mod scan;
mod script;
mod serializer;
mod socket;
mod store;
mod stream;
mod swap;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod ttl;
mod update;
mod url;
mod users;
#[cfg(feature = "tls")]
mod verifier;

pub use options::RedisOptions;
pub use redis;
pub use serializer::Serializer;
pub use store::RedisStore;
pub use ttl::Ttl;
