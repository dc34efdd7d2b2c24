//! An update and its outcome.

use crate::ttl::Expiry;

/// The length of both records together from which an update counts as large. Below it, the script takes the server about
/// as long as the second round trip does, and nobody needs another connection.
const LARGE: usize = 32 * 1024;

/// What an update compares and writes.
pub(crate) struct Swap<'a> {
    pub(crate) key: &'a str,
    /// The stored value that the session was read from.
    pub(crate) read_from: &'a [u8],
    pub(crate) record: &'a [u8],
    pub(crate) expiry: Expiry,
}

pub(crate) enum Swapped {
    Stored,
    /// The key does not exist.
    Missing,
    /// The key has this value, which another writer stored.
    Other(Vec<u8>),
}

impl Swap<'_> {
    pub(crate) fn is_large(&self) -> bool {
        self.read_from.len() + self.record.len() >= LARGE
    }
}
