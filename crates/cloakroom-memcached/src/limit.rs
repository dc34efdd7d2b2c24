//! How large an item a server takes, by an option or by what it said.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long after the last answer the server is asked again before a record is refused: it may have been started anew
/// with another limit.
const AGAIN: Duration = Duration::from_secs(10);

pub(crate) struct Limit {
    /// What the option says: the server is not asked then.
    pub(crate) of_option: Option<u64>,
    /// What the server said. The limit is `None` when it does not tell, as a proxy.
    learned: Mutex<Option<Learned>>,
    /// Held while the server is asked, so that those who need the answer ask once.
    pub(crate) asking: tokio::sync::Mutex<()>,
}

/// The limit of an item, and when the server was asked.
type Learned = (Option<u64>, Instant);

impl Limit {
    pub(crate) fn new(of_option: Option<u64>) -> Self {
        Self { of_option, learned: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// What need not be asked: the limit, as long as the item is within it or the answer is young.
    pub(crate) fn known(&self, item: u64) -> Option<Option<u64>> {
        let learned = *self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let (limit, asked) = learned?;
        (limit.is_some_and(|limit| item <= limit) || asked.elapsed() < AGAIN).then_some(limit)
    }

    /// The server has said what it takes.
    pub(crate) fn learn(&self, limit: Option<u64>) {
        let learned = Some((limit, Instant::now()));
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = learned;
    }

    /// The server has refused what should have been within its limit.
    pub(crate) fn forget(&self) {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
