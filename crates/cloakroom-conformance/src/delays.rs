//! The delays of the machine that the suite runs on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often the measuring thread looks at the clock.
const NAP: Duration = Duration::from_millis(1);
/// How many times in a row a call may have to wait for a processor, because tasks, threads and the server take turns.
const TURNS: u32 = 20;

/// Measures how late this machine wakes a thread, so that a limit in a case holds on a busy machine too.
///
/// A fixed limit would be either too short for a busy machine or too long to notice a store that ignores its deadline.
pub(crate) struct Delays {
    latest_us: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Delays {
    /// Begins to measure, on a thread of its own: a task would be late together with the tasks of the case.
    pub(crate) fn measure() -> Self {
        let delays = Self { latest_us: Arc::default(), is_over: Arc::default() };
        let (latest_us, is_over) = (Arc::clone(&delays.latest_us), Arc::clone(&delays.is_over));
        // The thread ends when this value is dropped.
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let slept = Instant::now();
                thread::sleep(NAP);
                let late = slept.elapsed().saturating_sub(NAP).as_micros();
                latest_us.fetch_max(late.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        delays
    }

    /// Returns the time that a call may have lost to other programs since the measurement began.
    pub(crate) fn lost(&self) -> Duration {
        Duration::from_micros(self.latest_us.load(Ordering::Relaxed)) * TURNS
    }
}

impl Drop for Delays {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
