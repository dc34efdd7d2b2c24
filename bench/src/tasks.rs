//! Tasks that do the same again and again until the time is over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{spawn, task::JoinHandle};

use crate::{allocations, cpu};

/// What one task does: it asks for the next number until the time is over.
#[derive(Debug)]
pub struct Task {
    number: usize,
    done: u64,
    /// How many operations it does at most.
    most: u64,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_over: AtomicBool,
    done: AtomicU64,
}

impl Task {
    /// Returns the number of this task's next operation, or `None` when the time is over.
    #[allow(
        clippy::should_implement_trait,
        reason = "it is used in `while let`, and an iterator is not needed"
    )]
    pub fn next(&mut self) -> Option<u64> {
        if self.done == self.most || self.state.is_over.load(Relaxed) {
            return None;
        }
        self.done += 1;
        Some(self.done - 1)
    }

    /// Which of the tasks it is.
    pub fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.state.done.fetch_add(self.done, Relaxed);
    }
}

/// What an operation cost, on average.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub operations: f64,
    pub per_second: f64,
    /// CPU time of this process, in microseconds.
    pub cpu: f64,
    /// CPU time of the server, or of all servers together, in microseconds.
    pub server_cpu: f64,
}

/// Runs tasks for some time, and counts the CPU time of these processes as the server's.
pub async fn run<F: Future<Output = ()> + Send + 'static>(
    tasks: usize,
    time: Duration,
    servers: impl IntoIterator<Item = u32> + Clone,
    make: impl Fn(Task) -> F,
) -> Cost {
    let of_servers = || cpu::of_processes(servers.clone());
    let (began, ours, theirs) = (Instant::now(), cpu::of_this_process(), of_servers());
    let done = run_and_count(tasks, time, make).await as f64;
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / done;
    Cost {
        operations: done,
        per_second: done / began.elapsed().as_secs_f64(),
        cpu: micros(cpu::of_this_process() - ours),
        server_cpu: micros(of_servers() - theirs),
    }
}

/// As [`run`], for a short time, and returns how often an operation allocates.
pub async fn allocations<F: Future<Output = ()> + Send + 'static>(
    tasks: usize,
    make: impl Fn(Task) -> F,
) -> f64 {
    allocations::start();
    let done = run_and_count(tasks, Duration::from_millis(50), make).await;
    allocations::stop() as f64 / done as f64
}

async fn run_and_count<F: Future<Output = ()> + Send + 'static>(
    tasks: usize,
    time: Duration,
    make: impl Fn(Task) -> F,
) -> u64 {
    let state = Arc::new(State::default());
    // A thread of its own: tasks that read memory never wait, and the runtime has no time for a timer.
    let clock = {
        let state = Arc::clone(&state);
        thread::spawn(move || {
            thread::sleep(time);
            state.is_over.store(true, Relaxed);
        })
    };
    join(start(tasks, u64::MAX, &state, make)).await;
    clock.join().expect("it only sleeps");
    state.done.load(Relaxed)
}

fn start<F: Future<Output = ()> + Send + 'static>(
    tasks: usize,
    most: u64,
    state: &Arc<State>,
    make: impl Fn(Task) -> F,
) -> Vec<JoinHandle<()>> {
    let task = |number| Task { number, done: 0, most, state: Arc::clone(state) };
    (0..tasks).map(|number| spawn(make(task(number)))).collect()
}

async fn join(running: Vec<JoinHandle<()>>) {
    for task in running {
        task.await.expect("an operation failed");
    }
}
