//! The connection that all calls of a store share.

mod attempt;

use std::{
    fmt,
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
};

pub use attempt::{Attempt, Joined, Start};

/// What the calls on a runtime share: a connection, or something else that an attempt makes.
pub trait Connection: Send + Sync + 'static {
    /// The reason why no connection could be made.
    type Failure: Clone + Send + Sync + 'static;

    /// What calls see of an attempt while they wait for it.
    type Progress: Clone + Send + Sync + 'static;

    /// Returns true if no further call may use the connection. [`Shared`] notices by itself when the runtime ends.
    ///
    /// It runs while a lock is held, so it must not wait or run code of an application.
    fn is_over(&self) -> bool;
}

/// The connections of a store, one for each runtime that uses it. Clones share them.
///
/// A connection works only on the runtime that made it, and ends with it. A store in a `static`, for example, is used
/// by the runtime of one test while that of another test shuts down.
///
/// - All calls on a runtime share one attempt to connect. It is a task of its own, so it goes on if the call that
///   started it is dropped.
/// - If the attempt fails, every call that waited for it gets the failure. The next call starts another attempt.
/// - A connection that is over is never returned, and the next call starts an attempt. Calls in progress keep the old
///   connection, and the last of them drops it.
/// - No connection is dropped while the lock is held, because closing one runs code of its client.
///
/// ```
/// use std::{convert::Infallible, sync::Arc};
/// use cloakroom_backend::{Connection, Shared, Start};
/// use tokio::runtime::Handle;
///
/// struct Line;
///
/// impl Connection for Line {
///     type Failure = Infallible;
///     type Progress = ();
///
///     fn is_over(&self) -> bool {
///         false
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let lines = Shared::default();
/// let connect = |_| Start::Attempt((), async { Ok(Arc::new(Line)) });
/// let join = || lines.join(&Handle::current(), connect);
/// let first = join().outcome().await.unwrap();
/// assert!(Arc::ptr_eq(&first, &join().outcome().await.unwrap()));
/// # });
/// ```
pub struct Shared<C: Connection>(Arc<Mutex<State<C>>>);

struct State<C: Connection> {
    attempts: u64,
    /// At most one for each runtime. If a runtime has none, its next call starts an attempt.
    slots: Vec<Slot<C>>,
}

struct Slot<C: Connection> {
    runtime: Id,
    stage: Stage<C>,
}

enum Stage<C: Connection> {
    Connecting(Attempt<C>),
    Connected(Arc<C>, Sentry),
}

/// A task that waits as long as its runtime runs.
struct Sentry(AbortHandle);

impl<C: Connection> Shared<C> {
    /// Returns the connection of a runtime, or the attempt to make it. If there is neither, `connect` makes the
    /// connection or starts an attempt.
    ///
    /// The argument of `connect` is the connection that is over and that the new one replaces. `connect` runs
    /// while a lock is held, so it must not wait or run code of an application.
    pub fn join<F>(
        &self,
        runtime: &Handle,
        connect: impl FnOnce(Option<Arc<C>>) -> Start<C, F>,
    ) -> Joined<C>
    where
        F: Future<Output = Result<Arc<C>, C::Failure>> + Send + 'static,
    {
        // Declared before the lock is taken, so that it is dropped after that is released.
        let over;
        let mut state = self.lock();
        match state.usable(runtime.id()) {
            Some(Stage::Connected(connection, _)) => {
                return Joined::Connected(Arc::clone(connection));
            }
            Some(Stage::Connecting(attempt)) => return Joined::Connecting(attempt.clone()),
            None => over = state.take_over(runtime),
        }
        let lost = over.iter().find_map(|slot| match &slot.stage {
            Stage::Connected(connection, _) if slot.runtime == runtime.id() => Some(connection),
            _ => None,
        });
        let (progress, connection) = match connect(lost.cloned()) {
            Start::Attempt(progress, connection) => (progress, connection),
            Start::Made(connection) => {
                state.put(runtime, &connection);
                return Joined::Connected(connection);
            }
        };
        state.attempts += 1;
        let number = state.attempts;
        let (shared, on) = (self.clone(), runtime.clone());
        let attempt = Attempt::start(runtime, number, progress, async move {
            let outcome = connection.await;
            // Before the calls that wait get the outcome: one that tries again must not find this attempt.
            let counts = shared.settle(&on, number, outcome.as_ref().ok());
            if counts { outcome.map_err(Some) } else { Err(None) }
        });
        let stage = Stage::Connecting(attempt.clone());
        state.slots.push(Slot { runtime: runtime.id(), stage });
        Joined::Connecting(attempt)
    }

    /// Returns the connection of a runtime. If it has no connection, `make` makes it, while a lock is held. This is for
    /// connections that need no attempt, such as an empty pool.
    pub fn get_or_insert(&self, runtime: &Handle, make: impl FnOnce() -> Arc<C>) -> Arc<C> {
        let _over;
        let mut state = self.lock();
        if let Some(Stage::Connected(connection, _)) = state.usable(runtime.id()) {
            return Arc::clone(connection);
        }
        _over = state.take_over(runtime);
        let connection = make();
        state.put(runtime, &connection);
        connection
    }

    /// Returns the connection of a runtime, or `None` if it has none that calls may use.
    #[must_use]
    pub fn connection(&self, runtime: Id) -> Option<Arc<C>> {
        match self.lock().usable(runtime)? {
            Stage::Connected(connection, _) => Some(Arc::clone(connection)),
            Stage::Connecting(_) => None,
        }
    }

    /// Returns the connections of all runtimes.
    #[must_use]
    pub fn connections(&self) -> Vec<Arc<C>> {
        let state = self.lock();
        let connections = state.slots.iter().filter_map(|slot| match &slot.stage {
            Stage::Connected(connection, _) => Some(Arc::clone(connection)),
            Stage::Connecting(_) => None,
        });
        connections.collect()
    }

    /// Removes exactly this connection, so that the next call starts an attempt. Returns false if it was removed
    /// before.
    pub fn forget(&self, connection: &Arc<C>) -> bool {
        self.remove(|stage| matches!(stage, Stage::Connected(it, _) if Arc::ptr_eq(it, connection)))
    }

    /// Ends an attempt, so that the next call starts another one. Calls that wait for it get `Err(None)`. Returns false
    /// if it has ended.
    pub fn give_up(&self, attempt: &Attempt<C>) -> bool {
        let was_removed = self.remove(|stage| stage.is_attempt(attempt.number));
        attempt.abort();
        was_removed
    }

    fn remove(&self, is_it: impl Fn(&Stage<C>) -> bool) -> bool {
        let mut state = self.lock();
        let place = state.slots.iter().position(|slot| is_it(&slot.stage));
        let removed = place.map(|place| state.slots.swap_remove(place));
        drop(state);
        removed.is_some()
    }

    /// Puts the connection that an attempt made in its place, or removes the attempt. Returns false if it was given up.
    fn settle(&self, runtime: &Handle, number: u64, made: Option<&Arc<C>>) -> bool {
        let _attempt;
        let mut state = self.lock();
        let is_it = |slot: &Slot<C>| slot.stage.is_attempt(number);
        let Some(place) = state.slots.iter().position(is_it) else { return false };
        _attempt = state.slots.swap_remove(place);
        if let Some(connection) = made {
            state.put(runtime, connection);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Connection> State<C> {
    fn usable(&self, runtime: Id) -> Option<&Stage<C>> {
        let slot = self.slots.iter().find(|slot| slot.runtime == runtime)?;
        Some(&slot.stage).filter(|stage| !stage.is_over())
    }

    fn put(&mut self, runtime: &Handle, connection: &Arc<C>) {
        let stage = Stage::Connected(Arc::clone(connection), Sentry::on(runtime));
        self.slots.push(Slot { runtime: runtime.id(), stage });
    }

    /// Removes what this runtime has, and what other runtimes left behind when they ended.
    fn take_over(&mut self, runtime: &Handle) -> Vec<Slot<C>> {
        let is_it = |slot: &mut Slot<C>| slot.runtime == runtime.id() || slot.stage.is_over();
        self.slots.extract_if(.., is_it).collect()
    }
}

impl<C: Connection> Stage<C> {
    fn is_over(&self) -> bool {
        match self {
            // An attempt that has ended is settled, unless it panicked or its runtime ended.
            Self::Connecting(attempt) => attempt.is_over(),
            Self::Connected(connection, sentry) => sentry.0.is_finished() || connection.is_over(),
        }
    }

    fn is_attempt(&self, number: u64) -> bool {
        matches!(self, Self::Connecting(attempt) if attempt.number == number)
    }
}

impl Sentry {
    fn on(runtime: &Handle) -> Self {
        Self(runtime.spawn(pending::<()>()).abort_handle())
    }
}

impl Drop for Sentry {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<C: Connection> Clone for Shared<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Connection> Default for Shared<C> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { attempts: 0, slots: Vec::new() })))
    }
}

impl<C: Connection> fmt::Debug for Shared<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        sync::atomic::{AtomicBool, Ordering},
    };

    use tokio::runtime::Builder;

    use super::*;

    #[derive(Debug, Default)]
    struct Line(AtomicBool);

    impl Connection for Line {
        type Failure = &'static str;
        type Progress = u32;

        fn is_over(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
        Builder::new_current_thread().build().unwrap().block_on(work)
    }

    /// Joins, and returns the attempt that must be under way.
    fn attempt<F>(shared: &Shared<Line>, progress: u32, connect: F) -> Attempt<Line>
    where
        F: Future<Output = Result<Arc<Line>, &'static str>> + Send + 'static,
    {
        match shared.join(&Handle::current(), |_| Start::Attempt(progress, connect)) {
            Joined::Connecting(attempt) => attempt,
            Joined::Connected(line) => panic!("{line:?} is not over"),
        }
    }

    #[test]
    fn calls_share_an_attempt_and_its_failure_and_the_next_call_tries_again() {
        on_a_runtime(async {
            let shared = Shared::default();
            let first = attempt(&shared, 1, ready(Err("refused")));
            let second = attempt(&shared, 2, ready(Ok(Arc::default())));
            assert_eq!((first.progress(), second.progress()), (&1, &1));
            for call in [first, second] {
                assert_eq!(call.outcome().await.unwrap_err(), Some("refused"));
            }
            let third = attempt(&shared, 3, ready(Ok(Arc::default())));
            let line = third.outcome().await.unwrap();
            assert!(Arc::ptr_eq(&line, &shared.connections()[0]));
        });
    }

    #[test]
    fn a_connection_that_is_over_is_handed_to_whoever_replaces_it() {
        let shared = Shared::<Line>::default();
        on_a_runtime(async {
            let old = shared.get_or_insert(&Handle::current(), Arc::default);
            old.0.store(true, Ordering::Relaxed);
            let mut lost = None;
            let joined = shared.join(&Handle::current(), |over| {
                lost = over;
                Start::Attempt(1, ready(Ok(Arc::default())))
            });
            assert!(lost.is_some_and(|lost| Arc::ptr_eq(&lost, &old)));
            let new = joined.outcome().await.unwrap();
            assert!(!shared.forget(&old), "only exactly this one");
            assert!(shared.forget(&new) && !shared.forget(&new));
        });
    }

    #[test]
    fn an_attempt_that_was_given_up_or_panicked_is_followed_by_another() {
        let shared = Shared::default();
        on_a_runtime(async {
            let silent = attempt(&shared, 1, pending());
            assert!(shared.give_up(&silent) && !shared.give_up(&silent));
            let broken = attempt(&shared, 2, async { std::panic::resume_unwind(Box::new(())) });
            for ended in [silent, broken] {
                assert_eq!(ended.outcome().await.unwrap_err(), None);
            }
            let good = attempt(&shared, 3, ready(Ok(Arc::default())));
            assert!(good.outcome().await.is_ok());
        });
    }

    #[test]
    fn runtimes_that_end_leave_nothing_that_stays() {
        let shared = Shared::default();
        for number in 0..20 {
            on_a_runtime(async {
                match number % 4 {
                    0 => drop(shared.get_or_insert(&Handle::current(), Arc::default)),
                    1 => drop(attempt(&shared, 0, pending())),
                    2 => drop(attempt(&shared, 0, ready(Err("refused"))).outcome().await),
                    _ => drop(attempt(&shared, 0, ready(Ok(Arc::default()))).outcome().await),
                }
                // Its own, or what the one before left.
                assert!(shared.lock().slots.len() <= 1);
            });
        }
        let attempt = on_a_runtime(async { attempt(&shared, 0, pending()) });
        assert_eq!(on_a_runtime(attempt.outcome()).unwrap_err(), None);
    }
}
