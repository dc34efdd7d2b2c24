//! How large a record a server takes, so that one that is too large is not sent.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use cloakroom_core::Error;
use tokio::time::timeout;

use crate::{
    call::Call,
    error, plain,
    server::{Server, check_runtime},
};

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
    /// The limit of an item, and when the server was asked. `None` when it does not tell, as a proxy.
    learned: Mutex<Option<(Option<u64>, Instant)>>,
}

impl Limit {
    pub(crate) fn new(of_option: Option<u64>) -> Self {
        Self { of_option, learned: Mutex::new(None) }
    }

    /// Refuses a value that is too large. The server is asked for its limit before the first value of some size.
    pub(crate) async fn check(
        &self,
        call: &Call,
        server: &Server,
        key: &str,
        value: &[u8],
    ) -> Result<(), Error> {
        let bytes = value.len() as u64;
        if let Some(most) = self.of_option {
            return within(call, bytes, most);
        }
        let overhead = key.len() as u64 + OVERHEAD;
        let item = bytes + overhead;
        if item <= SMALLEST {
            return Ok(());
        }
        let learned = *self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = match learned {
            Some((Some(limit), _)) if item <= limit => return Ok(()),
            Some((limit, asked)) if asked.elapsed() < AGAIN => limit,
            _ => {
                // That it cannot be asked is no reason not to store: the answer to that tells more.
                check_runtime(call)?;
                let asked = plain::stat(server, call, " settings", "item_size_max");
                let limit = match timeout(server.timeout, asked).await {
                    Ok(Ok(limit)) => limit,
                    _ => None,
                };
                *self.learned.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((limit, Instant::now()));
                limit
            }
        };
        limit.map_or(Ok(()), |limit| within(call, bytes, limit.saturating_sub(overhead)))
    }

    /// The server has refused what should have been within its limit.
    pub(crate) fn forget(&self) {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn within(call: &Call, bytes: u64, most: u64) -> Result<(), Error> {
    if bytes <= most { Ok(()) } else { Err(error::too_large(call, bytes, most)) }
}
