//! Time that is measured beside the machine's own delays.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often the sleeper looks at the clock.
const NAP: Duration = Duration::from_millis(1);
/// How many times in a row what is timed may have to wait for a processor: tasks, threads and the server take turns.
const TURNS: u32 = 20;

/// Measures how long something takes, and meanwhile how late this machine wakes a thread that sleeps.
///
/// A limit that is true on an idle machine is true on a busy one if the delays that every thread there has are added to
/// it. On an idle machine they are a fraction of a millisecond.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_test_support::Stopwatch;
///
/// let watch = Stopwatch::start();
/// // A call that answers at once.
/// watch.check(watch.elapsed(), Duration::from_millis(100));
/// ```
#[derive(Debug)]
pub struct Stopwatch {
    since: Instant,
    latest_us: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Stopwatch {
    /// Begins to measure.
    #[must_use]
    pub fn start() -> Self {
        let watch =
            Self { since: Instant::now(), latest_us: Arc::default(), is_over: Arc::default() };
        let (latest_us, is_over) = (Arc::clone(&watch.latest_us), Arc::clone(&watch.is_over));
        // Ends with the stopwatch.
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let slept = Instant::now();
                thread::sleep(NAP);
                let late = slept.elapsed().saturating_sub(NAP).as_micros();
                latest_us.fetch_max(late.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        watch
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Checks that something took less than `limit`, and the delays of this machine since the start.
    ///
    /// # Panics
    ///
    /// If it took longer.
    #[track_caller]
    pub fn check(&self, took: Duration, limit: Duration) {
        let late = Duration::from_micros(self.latest_us.load(Ordering::Relaxed));
        assert!(
            took < limit + late * TURNS,
            "took {took:?}, more than {limit:?}, on a machine that is {late:?} late"
        );
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_its_time_is_noticed() {
        let watch = Stopwatch::start();
        watch.check(Duration::from_millis(9), Duration::from_millis(10));
        let hour = Duration::from_secs(3_600);
        std::panic::catch_unwind(|| watch.check(hour, Duration::from_secs(1))).unwrap_err();
    }
}
