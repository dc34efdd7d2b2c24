//! The clock that all processes share, and how late the machine is.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// The time in microseconds, by Linux's `CLOCK_MONOTONIC`: the clock of Node.js's `process.hrtime`, too.
#[must_use]
pub fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000
}

/// How often the sleeper looks at the clock.
const NAP: Duration = Duration::from_millis(2);
/// Delays below this are not remembered.
const NOTABLE: Duration = Duration::from_millis(5);
/// How many delays are remembered.
const REMEMBERED: usize = 4_096;

/// Measures how late this machine wakes a thread that sleeps. A frozen process is late, too.
#[derive(Debug)]
pub struct Lateness {
    /// When each delay was over, and how long it was, in microseconds.
    delays: Arc<Mutex<VecDeque<(u64, u64)>>>,
    is_over: Arc<AtomicBool>,
}

impl Lateness {
    /// Begins to measure.
    #[must_use]
    pub fn start() -> Self {
        let lateness = Self { delays: Arc::default(), is_over: Arc::default() };
        let (delays, is_over) = (Arc::clone(&lateness.delays), Arc::clone(&lateness.is_over));
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let slept = Instant::now();
                thread::sleep(NAP);
                let late = slept.elapsed().saturating_sub(NAP);
                if late > NOTABLE {
                    let mut delays = delays.lock().unwrap_or_else(PoisonError::into_inner);
                    delays.truncate(REMEMBERED - 1);
                    delays.push_front((
                        now_us(),
                        u64::try_from(late.as_micros()).unwrap_or(u64::MAX),
                    ));
                }
            }
        });
        lateness
    }

    /// The longest delay that was over at this time or later, in microseconds.
    #[must_use]
    pub fn since(&self, start_us: u64) -> u64 {
        let delays = self.delays.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = delays.iter().take_while(|(over_us, _)| *over_us >= start_us);
        recent.map(|(_, late_us)| *late_us).max().unwrap_or_default()
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
