//! When bytes were last sent and received on a connection, and whether its server has been silent for too long.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The traffic of a connection that several calls share, and what its server owes to all of them together.
///
/// One call alone proves nothing about a connection: its caller may have been in a hurry. So the silence begins with
/// the first command after which nothing was received, whichever calls have waited since, and ends with the next byte:
/// a server that answers late is slow, not dead.
///
/// ```
/// use std::time::{Duration, Instant};
/// use cloakroom_backend::Traffic;
///
/// let (traffic, patience) = (Traffic::new(), Duration::from_millis(5));
/// traffic.note_asked(Instant::now());
/// assert!(!traffic.suspect(patience));
/// std::thread::sleep(patience);
/// // Another call has been sent now, but the first one is still unanswered.
/// traffic.note_asked(Instant::now());
/// assert!(traffic.suspect(patience) && traffic.is_silent());
/// traffic.note_received();
/// assert!(!traffic.is_silent());
/// ```
#[derive(Debug)]
pub struct Traffic {
    began: Instant,
    // In nanoseconds since it began. Zero means never.
    sent: AtomicU64,
    received: AtomicU64,
    silence: Mutex<Silence>,
}

#[derive(Debug, Default)]
struct Silence {
    /// When the first command was sent after which nothing was received.
    since: Option<Instant>,
    /// Whether it has lasted for so long that the connection is left.
    is_too_long: bool,
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new()
    }
}

impl Traffic {
    /// Creates the traffic of a connection on which nothing was sent or received.
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            silence: Mutex::default(),
        }
    }

    fn moment(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.began).as_nanos();
        // 64 bits hold 584 years.
        u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
    }

    /// Notes that bytes are sent now.
    pub fn note_sent(&self) {
        self.sent.store(self.moment(Instant::now()), Ordering::Release);
    }

    /// Notes that bytes are received now.
    pub fn note_received(&self) {
        self.received.store(self.moment(Instant::now()), Ordering::Release);
    }

    /// Returns true if bytes were sent at this time or later.
    #[must_use]
    pub fn has_sent_since(&self, then: Instant) -> bool {
        self.sent.load(Ordering::Acquire) >= self.moment(then)
    }

    /// Returns true if bytes were received at this time or later.
    #[must_use]
    pub fn has_received_since(&self, then: Instant) -> bool {
        self.received.load(Ordering::Acquire) >= self.moment(then)
    }

    /// Returns the time since bytes were last received, or `None` if none were.
    #[must_use]
    pub fn silent_for(&self) -> Option<Duration> {
        match self.received.load(Ordering::Acquire) {
            0 => None,
            received => Some(self.began.elapsed().saturating_sub(Duration::from_nanos(received))),
        }
    }

    /// Notes that a command that has an answer was sent at this time.
    pub fn note_asked(&self, sent: Instant) {
        let mut silence = self.silence();
        if silence.since.is_none_or(|since| self.has_received_since(since)) {
            *silence = Silence { since: Some(sent), is_too_long: false };
        }
    }

    /// Leaves the connection if nothing was received for `patience` after a command was sent. Returns true if so.
    pub fn suspect(&self, patience: Duration) -> bool {
        let mut silence = self.silence();
        let Some(since) = silence.since else { return false };
        if self.has_received_since(since) || since.elapsed() < patience {
            return false;
        }
        silence.is_too_long = true;
        true
    }

    /// Returns true if the connection was left and nothing was received since.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let silence = self.silence();
        silence.is_too_long && silence.since.is_some_and(|since| !self.has_received_since(since))
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        // Nothing panics while the lock is held.
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_a_moment_does_not_count() {
        let traffic = Traffic::new();
        let first = Instant::now();
        assert!(!traffic.has_sent_since(first) && !traffic.has_received_since(first));
        assert_eq!(traffic.silent_for(), None);
        traffic.note_received();
        assert!(!traffic.has_sent_since(first) && traffic.has_received_since(first));
        std::thread::sleep(Duration::from_millis(1));
        let second = Instant::now();
        assert!(second > first && !traffic.has_received_since(second));
        assert!(traffic.silent_for() >= Some(Duration::from_millis(1)));
    }

    #[test]
    fn a_silence_begins_with_the_first_command_and_ends_with_a_byte() {
        let (traffic, patience) = (Traffic::new(), Duration::from_millis(2));
        assert!(!traffic.suspect(Duration::ZERO), "nobody has asked");
        traffic.note_asked(Instant::now());
        traffic.note_received();
        std::thread::sleep(patience);
        assert!(!traffic.suspect(patience), "it was answered");
        let asked = Instant::now();
        for _ in 0..3 {
            traffic.note_asked(Instant::now());
            std::thread::sleep(patience);
        }
        assert!(!traffic.suspect(Duration::from_secs(3_600)) && !traffic.is_silent());
        assert!(traffic.suspect(patience * 3) && traffic.is_silent(), "{:?}", asked.elapsed());
        traffic.note_received();
        assert!(!traffic.is_silent() && !traffic.suspect(Duration::ZERO));
    }
}
