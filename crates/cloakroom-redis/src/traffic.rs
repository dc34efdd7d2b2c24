//! When bytes last went over a connection.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A moment in the life of a connection: nanoseconds since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// What a socket notes and its users compare with the moment at which they sent something.
#[derive(Debug)]
pub(crate) struct Traffic {
    began: Instant,
    // Zero is never.
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), sent: AtomicU64::new(0), received: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> Moment {
        // 584 years fit.
        Moment(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1))
    }

    pub(crate) fn note_sent(&self) {
        self.sent.store(self.now().0, Ordering::Release);
    }

    pub(crate) fn note_received(&self) {
        self.received.store(self.now().0, Ordering::Release);
    }

    /// How long nothing has been received. `None` before the first byte.
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
