//! What the suite needs behind a store, for each kind of server: raw records, and faults.
//!
//! It knows the servers and no store, so that every store's tests can use it.
//!
//! | type | is |
//! | --- | --- |
//! | [`Harmed`] | [`Faults`](cloakroom_conformance::Faults) of any server of `cloakroom-test-support` |
//! | [`RawRedis`] | the records of connect-redis |
//! | [`RawMemcached`] | the records of connect-memcached, on any number of servers |
//! | `RawMongo` (feature `mongodb`) | the records of connect-mongo, as texts |

mod harmed;
mod memcached;
#[cfg(feature = "mongodb")]
mod mongodb;
mod redis;

pub use harmed::Harmed;
pub use memcached::RawMemcached;
#[cfg(feature = "mongodb")]
pub use mongodb::RawMongo;
pub use redis::RawRedis;
