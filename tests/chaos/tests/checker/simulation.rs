//! Many tasks on one store, on a clock that waits for nobody.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cloakroom::{ExpressSession, ExpressSessionOptions, Store};
use cloakroom_chaos::{
    check::{Findings, Limits, check},
    history::{Call, History, Operation, Outcome},
    plan::Plan,
    worker::{Sink, Time, Worker},
};

const TASKS: usize = 12;
/// What the ids of all sessions begin with, but not those of the layer's markers.
pub(crate) const RUN: &str = "simulated-";
/// How many simulations there were.
static RUNS: AtomicU64 = AtomicU64::new(0);
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);

/// tokio's paused clock, of which no two calls get the same time.
struct Paused {
    since: tokio::time::Instant,
    last_us: AtomicU64,
}

impl Time for Paused {
    fn now_us(&self) -> u64 {
        let now_us = u64::try_from(self.since.elapsed().as_micros()).unwrap();
        let later = |last_us: u64| now_us.max(last_us + 1);
        let last_us = self.last_us.load(Ordering::SeqCst);
        self.last_us.store(later(last_us), Ordering::SeqCst);
        later(last_us)
    }

    fn late_us(&self, _since_us: u64) -> u64 {
        0
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Operation>>);

impl Sink for Recorder {
    fn begin(&self, sid: &str, start_us: u64, call: &Call) -> usize {
        let mut operations = self.0.lock().unwrap();
        operations.push(Operation {
            process: "r0".to_owned(),
            sid: sid.to_owned(),
            start_us,
            end_us: None,
            late_us: 0,
            call: call.clone(),
            outcome: Outcome::Unknown("never answered".to_owned()),
        });
        operations.len() - 1
    }

    fn end(&self, number: usize, end_us: u64, _late_us: u64, outcome: Outcome) {
        let operation = &mut self.0.lock().unwrap()[number];
        (operation.end_us, operation.outcome) = (Some(end_us), outcome);
    }
}

/// Makes about so many operations on the store, some of which are dropped if wished, and checks them.
pub(crate) fn simulate(
    store: impl Store + 'static,
    seed: u64,
    wanted: usize,
    drops: bool,
) -> Findings {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let time =
            Arc::new(Paused { since: tokio::time::Instant::now(), last_us: AtomicU64::new(0) });
        let recorder = Arc::new(Recorder::default());
        let plan = Plan {
            // Tasks of this process that write one session queue, even if their stores are different.
            run: format!("{RUN}{}", RUNS.fetch_add(1, Ordering::Relaxed)),
            seed,
            // The tasks of a quick store together make more than three calls in two milliseconds.
            end_us: u64::try_from(wanted).unwrap() * 700,
            hot: 8,
            period_us: 300_000,
            cold: 100,
            pause_us: 2_000,
            deadline_ms: 3_600_000,
        };
        // The limit is the checker's alone.
        let options = ExpressSessionOptions::default().with_deadline(Duration::from_secs(3_600));
        let sessions = ExpressSession::with_options(store, options);
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..TASKS {
            let (sink, time) = (Arc::clone(&recorder) as _, Arc::clone(&time) as _);
            let worker =
                Worker::new(sessions.clone(), plan.clone(), format!("t{number}"), sink, time);
            let worker = worker.unwrap();
            tasks.spawn(if drops { worker } else { worker.without_drops() }.run());
        }
        // What is in progress goes on for some time.
        tokio::time::sleep(Duration::from_micros(plan.end_us) + DEADLINE * 3).await;
        tasks.shutdown().await;
        let operations = std::mem::take(&mut *recorder.0.lock().unwrap());
        assert!(operations.len() >= wanted / 2, "{} calls", operations.len());
        let limits = Limits {
            deadline_us: [("r0".to_owned(), u64::try_from(DEADLINE.as_micros()).unwrap())].into(),
            over_us: time.now_us(),
        };
        check(&History { operations, losses: Vec::new() }, &limits)
    })
}
