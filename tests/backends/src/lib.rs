//! What the suite needs behind a store, for each kind of server: raw records, and faults. Besides, the sessions that the
//! stores' own tests have in common.
//!
//! It knows the servers and no store, so that every store's tests can use it.
//!
//! | type | is |
//! | --- | --- |
//! | [`Harmed`] | [`Faults`](cloakroom_conformance::Faults) of any [`Machines`] |
//! | [`One`] | the machines of a store on one server of `cloakroom-test-support` |
//! | [`Shared`] | machines that cases use one after the other |
//! | [`MongoSet`] | a replica set of three, which loses its primary |
//! | [`MemcachedRing`] | four Memcached servers, of which one fails |
//! | [`RawFiles`] | the records of session-file-store, in a folder |
//! | [`RawRedis`] | the records of connect-redis |
//! | [`RawMemcached`] | the records of connect-memcached, on any number of servers |
//! | `RawSql` (feature `sql`) | the rows of the npm stores in PostgreSQL, MariaDB and SQLite |
//! | [`Instead`] | a store in front of another one, of which a test writes only the calls that it changes |
//! | `RawMongo` (feature `mongodb`) | the records of connect-mongo, as texts |

mod file;
mod harmed;
mod instead;
mod machines;
mod memcached;
mod memcached_ring;
mod mongo_set;
#[cfg(feature = "mongodb")]
mod mongodb;
mod redis;
mod sessions;
#[cfg(feature = "sql")]
mod sql;

pub use file::RawFiles;
pub use harmed::{Harmed, Shared};
pub use instead::{Calls, Instead};
pub use machines::{Machines, One};
pub use memcached::RawMemcached;
pub use memcached_ring::MemcachedRing;
pub use mongo_set::MongoSet;
#[cfg(feature = "mongodb")]
pub use mongodb::RawMongo;
pub use redis::RawRedis;
pub use sessions::{a_thousand_tasks_share, expiring_in, numbered, session};
#[cfg(feature = "sql")]
pub use sql::RawSql;
