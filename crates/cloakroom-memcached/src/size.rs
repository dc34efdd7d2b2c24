//! Whether a record is too large for its server, so that it is not sent.

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use tokio::time::timeout;

use crate::{error, plain, server::Server};

/// What an item needs besides its key and value: a header of 48 bytes, `cas`, flags, and the ends of both. Measured
/// with memcached 1.6.18; where a server needs more, it refuses the record itself.
const OVERHEAD: u64 = 63;

/// The smallest limit that memcached can be given, `-I 1k`.
const SMALLEST: u64 = 1_024;

impl Server {
    /// Refuses a value that is too large. The server is asked for its limit before the first value of some size.
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
            // The application's client has no words for the question.
            None if self.is_of_client() => return Ok(()),
            None => {
                // tokio panics on a runtime without a time driver.
                self.pool(operation)?;
                // That it cannot be asked is no reason not to store: the answer to that tells more.
                self.ask_limit(operation, item).await
            }
        };
        limit.map_or(Ok(()), |limit| within(operation, bytes, limit.saturating_sub(overhead)))
    }

    async fn ask_limit(&self, operation: &Operation, item: u64) -> Option<u64> {
        let patience = || self.timeout.min(operation.time_left());
        let Ok(_asking) = timeout(patience(), self.limit.asking.lock()).await else { return None };
        // Another call can have asked while this one waited.
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
