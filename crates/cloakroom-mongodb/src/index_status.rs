//! What is known about the TTL index.

use std::sync::Arc;

use cloakroom_core::Error;

/// The state of the TTL index, as [`MongoStore::index_status`](crate::MongoStore::index_status) returns it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum IndexStatus {
    /// The option `auto_remove` does not use the index.
    Unused,
    /// The index was not created yet, or MongoDB could not be reached. The next operation creates it.
    Pending,
    /// The index exists.
    Ready,
    /// The index cannot be created; the error says why and what to do. Everything except the removal from the disk
    /// works.
    Failed(Arc<Error>),
}
