//! Checks whether a record is too large for its server before it is sent.

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use tokio::time::timeout;

use crate::{error, plain, server::Server};

/// The bytes of an item besides its key and value: a header of 48 bytes, `cas`, flags, and the ends of key and value.
/// Measured with memcached 1.6.18; if a server needs more, it rejects the record itself.
const OVERHEAD: u64 = 63;

/// The smallest limit that memcached can be given, `-I 1k`.
const SMALLEST: u64 = 1_024;

impl Server {
    /// Rejects a value that is too large. Before the first value of more than about a kilobyte, it asks the server for
    /// its limit.
    pub(crate) async fn check_size(
        &self,
        operation: &Operation,
        key: &str,
        value: &[u8],
    ) -> Result<(), Error> {
        let bytes = value.len() as u64;
        if let Some(most) = self.limit.of_option {
            return within(operation, bytes, most);
        }
        let overhead = key.len() as u64 + OVERHEAD;
        let item = bytes + overhead;
        if item <= SMALLEST {
            return Ok(());
        }
        let limit = match self.limit.known(item) {
            Some(known) => known,
            // The application's client cannot send this question.
            None if self.is_of_client() => return Ok(()),
            None => {
                // tokio panics on a runtime without a time driver.
                self.pool(operation)?;
                // A failed question does not prevent the write, whose own answer says more.
                self.ask_limit(operation, item).await
            }
        };
        limit.map_or(Ok(()), |limit| within(operation, bytes, limit.saturating_sub(overhead)))
    }

    /// Asks the server for its limit. Returns `None` if it does not say, or not in time: the write itself then shows
    /// whether it fits.
    async fn ask_limit(&self, operation: &Operation, item: u64) -> Option<u64> {
        let patience = || self.timeout.min(operation.time_left());
        let Ok(_asking) = timeout(patience(), self.limit.asking.lock()).await else { return None };
        // Another call may have asked while this one waited.
        if let Some(known) = self.limit.known(item) {
            return known;
        }
        let operation = operation.reading();
        let limit = match timeout(patience(), plain::largest_item(self, &operation)).await {
            Ok(Ok(limit)) => limit,
            _ => None,
        };
        self.limit.learn(limit);
        limit
    }
}

fn within(operation: &Operation, bytes: u64, most: u64) -> Result<(), Error> {
    if bytes <= most { Ok(()) } else { Err(error::too_large(operation, bytes, most)) }
}
