//! What is known of the TTL index.

use std::sync::Arc;

use cloakroom_core::Error;

/// Whether the TTL index is there, by [`MongoStore::index_status`](crate::MongoStore::index_status).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum IndexStatus {
    /// The option `auto_remove` asks for none.
    Unused,
    /// It has not been asked for yet, or MongoDB could not be reached. The next operation asks for it.
    Pending,
    /// It is there.
    Ready,
    /// It cannot be made, and this says why and how to mend it. Everything but the removal from the disk works.
    Failed(Arc<Error>),
}
