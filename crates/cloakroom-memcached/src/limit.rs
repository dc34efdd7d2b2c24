//! The largest item that a server accepts, by the option or by the server's own settings.
//!
//! With npm's `memcached` 2.2.2, a record that the server rejects is not an error, and the server counts as dead for 30
//! seconds. Here the error comes before anything is sent.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The time after which the server is asked again before a record is rejected: it may have been restarted with another
/// limit.
const AGAIN: Duration = Duration::from_secs(10);

/// The limit of one server.
pub(crate) struct Limit {
    /// The option `max_value`. If it is set, the server is not asked.
    pub(crate) of_option: Option<u64>,
    /// The server's answer. The limit is `None` if the server does not report it, for example because it is a proxy.
    learned: Mutex<Option<Learned>>,
    /// Held while the server is asked, so that concurrent calls ask only once.
    pub(crate) asking: tokio::sync::Mutex<()>,
}

/// The limit of an item, and when the server was asked.
type Learned = (Option<u64>, Instant);

impl Limit {
    pub(crate) fn new(of_option: Option<u64>) -> Self {
        Self { of_option, learned: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// Returns the known limit if the server need not be asked: the item is within the limit, or the answer is recent.
    pub(crate) fn known(&self, item: u64) -> Option<Option<u64>> {
        let learned = *self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let (limit, asked) = learned?;
        (limit.is_some_and(|limit| item <= limit) || asked.elapsed() < AGAIN).then_some(limit)
    }

    pub(crate) fn learn(&self, limit: Option<u64>) {
        let learned = Some((limit, Instant::now()));
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = learned;
    }

    /// Forgets the limit, after the server rejected an item within it.
    pub(crate) fn forget(&self) {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
