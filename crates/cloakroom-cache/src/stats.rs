//! What a cache tells about itself.

/// Numbers of a [`Cached`](crate::Cached) store, since it was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// The number of reads that were answered from memory.
    pub hits: u64,
    /// The number of reads that went to the store.
    pub misses: u64,
    /// The number of times that a session was not extended, because it had been shortly before.
    pub touches_saved: u64,
    /// The memory in use, in bytes, as `max_bytes` counts it.
    pub bytes: u64,
    /// Whether reads can be answered from memory now. Always true in bounded mode. In coherent mode, false while the
    /// connection for invalidations does not work.
    pub is_active: bool,
    /// Why the connection for invalidations was lost, or could not be made, the last time. `None` in bounded mode, and
    /// while it works.
    pub trouble: Option<String>,
}
