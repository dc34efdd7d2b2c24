//! The task that receives invalidations.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_backend::{InvalidationSink, Invalidations, Pace, timer};
use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
};

use crate::near::Near;

/// The pauses after a lost connection: the first, the longest, and how long a connection lasts that counts as good.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
const CALM: Duration = Duration::from_secs(1);

/// How often the server is asked at most.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(10);

/// How long a runtime has to connect before another one may do it.
const TIME_TO_CONNECT: Duration = Duration::from_secs(3);

/// Starts the task when it is needed, on the runtime that needs it.
pub(crate) struct Listener {
    max_silence: Duration,
    state: Mutex<Option<Listening>>,
    connections: Arc<AtomicU64>,
    trouble: Arc<Mutex<Option<String>>>,
}

struct Listening {
    runtime: Id,
    task: AbortHandle,
    since: Instant,
}

impl Listener {
    pub(crate) fn new(max_silence: Duration) -> Self {
        Self {
            max_silence,
            state: Mutex::default(),
            connections: Arc::default(),
            trouble: Arc::default(),
        }
    }

    /// Starts the task if none is running. A task on another runtime is replaced if that seems to stand still.
    pub(crate) fn ensure(&self, far: &Arc<dyn Invalidations>, near: &Arc<Near>) {
        if near.is_active(Instant::now()) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listening) = &*state {
            let is_ours = listening.runtime == runtime.id();
            let patience = TIME_TO_CONNECT.max(self.max_silence.saturating_mul(2));
            if !listening.task.is_finished() && (is_ours || listening.since.elapsed() < patience) {
                return;
            }
            listening.task.abort();
        }
        let listening = listen(
            Arc::clone(far),
            Arc::clone(near),
            Arc::clone(&self.connections),
            Arc::clone(&self.trouble),
            self.max_silence,
        );
        let task = runtime.spawn(listening).abort_handle();
        *state = Some(Listening { runtime: runtime.id(), task, since: Instant::now() });
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        locked(&self.trouble).clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(listening) = state.take() {
            listening.task.abort();
        }
    }
}

fn locked(trouble: &Mutex<Option<String>>) -> MutexGuard<'_, Option<String>> {
    trouble.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens, and connects again when the connection is lost.
async fn listen(
    far: Arc<dyn Invalidations>,
    near: Arc<Near>,
    connections: Arc<AtomicU64>,
    trouble: Arc<Mutex<Option<String>>>,
    max_silence: Duration,
) {
    let heartbeat = (max_silence / 4).max(SHORTEST_HEARTBEAT);
    let mut pace = Pace::new(0, FIRST, CALM);
    loop {
        let began = Instant::now();
        let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
        let sink =
            Arc::new(Sink { near: Arc::clone(&near), number, trouble: Arc::clone(&trouble) });
        // Also if this task ends with its runtime.
        let loss = Loss { near: &near, number };
        let error = far.report_invalidations(sink, heartbeat, max_silence.max(heartbeat)).await;
        drop(loss);
        *locked(&trouble) = Some(error.to_string());
        if began.elapsed() >= CALM {
            pace.succeed();
        }
        pace.fail(Instant::now(), LONGEST);
        // Without timers, the next call that misses starts the task again.
        let Some(pause) = timer(pace.pause(Instant::now())) else { return };
        pause.await;
    }
}

/// What one connection reports.
struct Sink {
    near: Arc<Near>,
    number: u64,
    trouble: Arc<Mutex<Option<String>>>,
}

impl InvalidationSink for Sink {
    fn changed(&self, sid: &str) {
        self.near.forget(sid);
    }

    fn all_changed(&self) {
        self.near.forget_all();
    }

    fn confirmed(&self, asked: Instant) {
        *locked(&self.trouble) = None;
        self.near.confirm(self.number, asked);
    }
}

/// Ends the lease of a connection on drop.
struct Loss<'a> {
    near: &'a Near,
    number: u64,
}

impl Drop for Loss<'_> {
    fn drop(&mut self) {
        self.near.lose(self.number);
    }
}
