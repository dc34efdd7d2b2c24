//! Opens a store for the programs of `src/bin`.

use std::sync::Arc;

use cloakroom_core::{Error, ErrorKind, Store};
use cloakroom_file::FileStore;
use cloakroom_memcached::MemcachedStore;
use cloakroom_mongodb::MongoStore;
use cloakroom_redis::RedisStore;

/// The store at a URL, by its scheme.
///
/// # Errors
///
/// When there is no such store, or the URL is not one of its.
pub fn open(url: &str) -> Result<Arc<dyn Store>, Error> {
    match url.split(':').next() {
        Some("redis") => Ok(Arc::new(RedisStore::open(url)?)),
        Some("memcached") => Ok(Arc::new(MemcachedStore::open(url)?)),
        Some("mongodb") => Ok(Arc::new(MongoStore::open(url)?)),
        Some("file") => Ok(Arc::new(FileStore::open(url)?)),
        _ => Err(Error::new(ErrorKind::Config, "tests", "open", "no such store")),
    }
}
