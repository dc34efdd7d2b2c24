//! How large a record a server takes, so that one that is too large is not sent.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use tokio::time::timeout;

use crate::{error, plain, server::Server};

/// What an item needs besides its key and value: a header of 48 bytes, `cas`, flags, and the ends of both. Measured
/// with memcached 1.6.18; where a server needs more, it refuses the record itself.
const OVERHEAD: u64 = 63;

/// The smallest limit that memcached can be given, `-I 1k`.
const SMALLEST: u64 = 1_024;

/// How long after the last answer the server is asked again before a record is refused: it may have been started anew
/// with another limit.
const AGAIN: Duration = Duration::from_secs(10);

pub(crate) struct Limit {
    /// What the option says: the server is not asked then.
    of_option: Option<u64>,
    /// What the server said. The limit is `None` when it does not tell, as a proxy.
    learned: Mutex<Option<Learned>>,
    /// Held while the server is asked, so that those who need the answer ask once.
    asking: tokio::sync::Mutex<()>,
}

/// The limit of an item, and when the server was asked.
type Learned = (Option<u64>, Instant);

impl Limit {
    pub(crate) fn new(of_option: Option<u64>) -> Self {
        Self { of_option, learned: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// Refuses a value that is too large. The server is asked for its limit before the first value of some size.
    pub(crate) async fn check(
        &self,
        operation: &Operation,
        server: &Server,
        key: &str,
        value: &[u8],
    ) -> Result<(), Error> {
        let bytes = value.len() as u64;
        if let Some(most) = self.of_option {
            return within(operation, bytes, most);
        }
        let overhead = key.len() as u64 + OVERHEAD;
        let item = bytes + overhead;
        if item <= SMALLEST {
            return Ok(());
        }
        let limit = match self.known(item) {
            Some(known) => known,
            // The application's client has no words for the question.
            None if server.is_of_client() => return Ok(()),
            None => {
                // tokio panics on a runtime without a time driver.
                server.pool(operation)?;
                // That it cannot be asked is no reason not to store: the answer to that tells more.
                self.ask(operation, server, item).await
            }
        };
        limit.map_or(Ok(()), |limit| within(operation, bytes, limit.saturating_sub(overhead)))
    }

    /// What need not be asked: the limit, as long as the item is within it or the answer is young.
    fn known(&self, item: u64) -> Option<Option<u64>> {
        let learned = *self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let (limit, asked) = learned?;
        (limit.is_some_and(|limit| item <= limit) || asked.elapsed() < AGAIN).then_some(limit)
    }

    async fn ask(&self, operation: &Operation, server: &Server, item: u64) -> Option<u64> {
        let patience = || server.timeout.min(operation.time_left());
        let Ok(_asking) = timeout(patience(), self.asking.lock()).await else { return None };
        // Another call can have asked while this one waited.
        if let Some(known) = self.known(item) {
            return known;
        }
        let operation = operation.reading();
        let limit = match timeout(patience(), plain::largest_item(server, &operation)).await {
            Ok(Ok(limit)) => limit,
            _ => None,
        };
        let learned = Some((limit, Instant::now()));
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = learned;
        limit
    }

    /// The server has refused what should have been within its limit.
    pub(crate) fn forget(&self) {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn within(operation: &Operation, bytes: u64, most: u64) -> Result<(), Error> {
    if bytes <= most { Ok(()) } else { Err(error::too_large(operation, bytes, most)) }
}
