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

use crate::{moment::Moment, near::Near};

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
    trouble: Arc<Trouble>,
}

/// Why a connection was lost or could not be made, and the number of the connection.
#[derive(Default)]
struct Trouble(Mutex<(u64, Option<String>)>);

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
        if near.is_active() {
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
        self.trouble.lock().1.clone()
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

impl Trouble {
    fn lock(&self) -> MutexGuard<'_, (u64, Option<String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the trouble of this connection, or that it has none, unless a later one has been noted.
    fn note(&self, connection: u64, trouble: Option<String>) {
        let mut noted = self.lock();
        if connection >= noted.0 {
            *noted = (connection, trouble);
        }
    }
}

/// Listens, and connects again when the connection is lost.
async fn listen(
    far: Arc<dyn Invalidations>,
    near: Arc<Near>,
    connections: Arc<AtomicU64>,
    trouble: Arc<Trouble>,
    max_silence: Duration,
) {
    let heartbeat = (max_silence / 4).max(SHORTEST_HEARTBEAT);
    let mut pace = Pace::new(0, FIRST, CALM);
    loop {
        let began = Instant::now();
        let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
        let sink = Arc::new(Sink::new(&near, number, &trouble));
        // Also if this task ends with its runtime.
        let loss = Loss { near: &near, number };
        let error = far.report_invalidations(sink, heartbeat, max_silence.max(heartbeat)).await;
        drop(loss);
        trouble.note(number, Some(error.to_string()));
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
    /// When the last question was sent.
    asked: Mutex<Moment>,
    trouble: Arc<Trouble>,
}

impl Sink {
    fn new(near: &Arc<Near>, number: u64, trouble: &Arc<Trouble>) -> Self {
        let asked = Mutex::new(near.now());
        Self { near: Arc::clone(near), number, asked, trouble: Arc::clone(trouble) }
    }

    fn asked(&self) -> MutexGuard<'_, Moment> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InvalidationSink for Sink {
    fn changed(&self, sid: &str) {
        self.near.forget(sid);
    }

    fn all_changed(&self) {
        self.near.forget_all();
    }

    fn asking(&self) {
        *self.asked() = self.near.now();
    }

    fn confirmed(&self) {
        let asked = *self.asked();
        self.trouble.note(self.number, None);
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

#[cfg(test)]
mod tests {
    use cloakroom_core::Clock;

    use super::*;

    #[test]
    fn a_connection_that_was_replaced_says_nothing_about_the_trouble_of_the_next_one() {
        let near = Arc::new(Near::coherent(1 << 20, Duration::from_secs(3_600), Clock::fixed(0)));
        let trouble = Arc::<Trouble>::default();
        let [old, new] = [1, 2].map(|number| Sink::new(&near, number, &trouble));
        for sink in [&old, &new] {
            trouble.note(sink.number, Some("it was refused".to_owned()));
            sink.asking();
            sink.confirmed();
            assert_eq!(trouble.lock().1, None);
        }
        near.lose(new.number);
        trouble.note(new.number, Some("it was lost".to_owned()));
        old.asking();
        old.confirmed();
        trouble.note(old.number, Some("it ended".to_owned()));
        assert_eq!(trouble.lock().1.as_deref(), Some("it was lost"));
        assert!(!near.is_active());
    }
}
