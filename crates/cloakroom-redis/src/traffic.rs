//! When bytes were last sent and received on a connection.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A moment in the life of a connection, in nanoseconds since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// The times that a socket notes. Its users compare them with the moment at which they sent a command.
#[derive(Debug)]
pub(crate) struct Traffic {
    began: Instant,
    // Zero means never.
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), sent: AtomicU64::new(0), received: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> Moment {
        // 64 bits hold 584 years.
        Moment(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1))
    }

    pub(crate) fn note_sent(&self) {
        self.sent.store(self.now().0, Ordering::Release);
    }

    pub(crate) fn note_received(&self) {
        self.received.store(self.now().0, Ordering::Release);
    }

    /// Returns the time since the last byte was received, or `None` before the first byte.
    pub(crate) fn silent_for(&self) -> Option<Duration> {
        match self.received.load(Ordering::Acquire) {
            0 => None,
            received => Some(self.elapsed(Moment(received))),
        }
    }

    pub(crate) fn elapsed(&self, moment: Moment) -> Duration {
        Duration::from_nanos(self.now().0.saturating_sub(moment.0))
    }

    pub(crate) fn has_sent_since(&self, moment: Moment) -> bool {
        self.sent.load(Ordering::Acquire) >= moment.0
    }

    pub(crate) fn has_received_since(&self, moment: Moment) -> bool {
        self.received.load(Ordering::Acquire) >= moment.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_a_moment_does_not_count() {
        let traffic = Traffic::new();
        let first = traffic.now();
        assert!(!traffic.has_sent_since(first) && !traffic.has_received_since(first));
        assert_eq!(traffic.silent_for(), None);
        traffic.note_received();
        assert!(!traffic.has_sent_since(first) && traffic.has_received_since(first));
        std::thread::sleep(Duration::from_millis(1));
        let second = traffic.now();
        assert!(second > first && !traffic.has_received_since(second));
        assert!(traffic.silent_for() >= Some(Duration::from_millis(1)));
    }
}
