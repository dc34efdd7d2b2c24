//! Threads that call again and again, each for a session at random.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use cloakroom_bench::cpu;

/// Numbers without order, the same in each run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (seed * 7_919 + 1))
    }

    /// A number below the limit.
    pub(crate) fn next(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// What a call costs, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) cpu: f64,
    /// How much time goes by, for all threads together.
    pub(crate) wall: f64,
}

/// Calls for some time.
pub(crate) fn run(number: u64, millis: u64, limit: usize, call: impl Fn(usize) + Sync) -> Cost {
    let (is_over, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let (began, before) = (Instant::now(), cpu::of_this_process());
    thread::scope(|scope| {
        for seed in 0..number {
            let (is_over, calls, call) = (&is_over, &calls, &call);
            scope.spawn(move || {
                let mut numbers = Numbers::new(seed);
                let mut done = 0;
                while !is_over.load(Relaxed) {
                    (0..64).for_each(|_| call(numbers.next(limit)));
                    done += 64;
                }
                calls.fetch_add(done, Relaxed);
            });
        }
        thread::sleep(Duration::from_millis(millis));
        is_over.store(true, Relaxed);
    });
    let per_call = |time: Duration| time.as_nanos() as f64 / calls.load(Relaxed) as f64;
    Cost { cpu: per_call(cpu::of_this_process() - before), wall: per_call(began.elapsed()) }
}
