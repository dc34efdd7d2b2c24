//! Writers of this process that meet on one session stand in a line.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap, hash_map::Entry},
    fmt,
    future::{Future, poll_fn},
    hash::{BuildHasher, Hash, RandomState},
    pin::pin,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

/// The turn to read, change and write one session, for handles that repeat a write until it succeeds.
///
/// All writers of this process that meet on one id at one place stand in one line, first come, first served. A place is
/// what the handle takes for one backend: the store's name, or something narrower.
/// A turn ends when it is dropped, and a place in the line is given up with the future that waits for it.
///
/// A turn saves tries and protects nothing: [`Atomic::update`](crate::Atomic::update) does, so a writer without one is
/// only more likely to meet a conflict. Ids are kept as keyed hashes, and only while somebody holds their turn.
///
/// ```
/// use std::{future::{Ready, ready}, time::Duration};
/// use cloakroom_core::Turn;
///
/// # futures::executor::block_on(async {
/// let patience = Duration::from_secs(1);
/// // tokio's `sleep` where there is a runtime. Without a timer nobody waits.
/// let sleep = |_: Duration| None::<Ready<()>>;
/// let turn = Turn::take("redis", "an id", patience, sleep).await;
/// assert!(turn.is_some());
/// assert!(Turn::take("redis", "an id", patience, sleep).await.is_none(), "it is taken");
/// drop(turn);
/// assert!(Turn::take("redis", "an id", patience, sleep).await.is_some());
/// # });
/// ```
pub struct Turn {
    key: u64,
    ticket: u64,
}

impl Turn {
    /// Waits for the turn to write the session `sid` at `place`.
    ///
    /// The first in the line goes on without waiting if one writer holds the turn for longer than `patience`: a future
    /// that nobody polls must not stop the others. `sleep` makes a timer.
    ///
    /// Returns `None`, and the caller goes on without a turn, if there is no timer to wait with, or if it is called by
    /// code that [`without_turns`](Self::without_turns) runs.
    pub async fn take<F>(
        place: impl Hash + Send,
        sid: &str,
        patience: Duration,
        sleep: impl Fn(Duration) -> Option<F> + Send + Sync,
    ) -> Option<Self>
    where
        F: Future<Output = ()> + Send,
    {
        if NESTED.get() {
            return None;
        }
        let (turn, mut holder) = Self::join(LINES.hasher.hash_one((place, sid)));
        while holder != turn.ticket {
            let mut timer = pin!(sleep(patience)?);
            holder = poll_fn(|cx| match turn.poll(cx) {
                Poll::Ready(()) => Poll::Ready(turn.ticket),
                Poll::Pending => timer.as_mut().poll(cx).map(|()| turn.overtake(holder)),
            })
            .await;
        }
        Some(turn)
    }

    /// Runs code that may write sessions itself and block until that is done: on this thread nothing in it waits for a
    /// turn, because the turn that it would wait for may be its caller's.
    pub fn without_turns<R>(code: impl FnOnce() -> R) -> R {
        struct Restore(bool);
        impl Drop for Restore {
            fn drop(&mut self) {
                NESTED.set(self.0);
            }
        }
        let _restore = Restore(NESTED.replace(true));
        code()
    }

    /// A place in the line, and who holds the turn.
    fn join(key: u64) -> (Self, u64) {
        let mut state = LINES.state();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        let holder = match state.lines.entry(key) {
            Entry::Occupied(mut line) => {
                line.get_mut().waiting.insert(ticket, None);
                line.get().holder
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Line { holder: ticket, waiting: BTreeMap::new() }).holder
            }
        };
        (Self { key, ticket }, holder)
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        // Wakers are code of the runtime's: they are cloned and dropped while the lock is free.
        let waker = Some(cx.waker().clone());
        let mut state = LINES.state();
        let place =
            state.lines.get_mut(&self.key).and_then(|line| line.waiting.get_mut(&self.ticket));
        let Some(place) = place else { return Poll::Ready(()) };
        let before = std::mem::replace(place, waker);
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// Takes the turn from `holder` if that still has it and this place is the first of the line. Returns who holds the
    /// turn now.
    fn overtake(&self, holder: u64) -> u64 {
        let mut state = LINES.state();
        let Some(line) = state.lines.get_mut(&self.key) else { return self.ticket };
        let is_first =
            line.waiting.first_key_value().is_some_and(|(first, _)| *first == self.ticket);
        let waker = if is_first && line.holder == holder {
            line.holder = self.ticket;
            line.waiting.remove(&self.ticket)
        } else {
            None
        };
        let holder = line.holder;
        drop(state);
        drop(waker);
        holder
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = LINES.state();
        let Entry::Occupied(mut line) = state.lines.entry(self.key) else { return };
        if line.get().holder != self.ticket {
            // It was still waiting, or the turn was taken from it.
            let waker = line.get_mut().waiting.remove(&self.ticket);
            drop(state);
            drop(waker);
            return;
        }
        if let Some((next, waker)) = line.get_mut().waiting.pop_first() {
            line.get_mut().holder = next;
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        } else {
            line.remove();
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}

thread_local! {
    static NESTED: Cell<bool> = const { Cell::new(false) };
}

static LINES: LazyLock<Lines> =
    LazyLock::new(|| Lines { hasher: RandomState::new(), state: Mutex::default() });

struct Lines {
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_ticket: u64,
    lines: HashMap<u64, Line>,
}

/// The writers that meet on one id, by their tickets.
struct Line {
    holder: u64,
    waiting: BTreeMap<u64, Option<Waker>>,
}

impl Lines {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Pending, Ready, pending, ready};

    use futures::{FutureExt, executor::block_on, future::join_all};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    /// A timer that never fires.
    fn never(_: Duration) -> Option<Pending<()>> {
        Some(pending())
    }

    /// A timer that has ended already: whoever waits has lost its patience.
    fn at_once(_: Duration) -> Option<Ready<()>> {
        Some(ready(()))
    }

    fn is_known(sid: &str) -> bool {
        LINES.state().lines.contains_key(&LINES.hasher.hash_one(("test", sid)))
    }

    #[test]
    fn turns_are_taken_in_the_order_of_their_coming_and_leave_nothing_behind() {
        let order = Mutex::new(Vec::new());
        block_on(join_all((0..50).map(|number| {
            let order = &order;
            async move {
                let _turn = Turn::take("test", "order", PATIENCE, never).await.unwrap();
                order.lock().unwrap().push(number);
                // The others run while it has the turn.
                yield_once().await;
            }
        })));
        assert_eq!(*order.lock().unwrap(), (0..50).collect::<Vec<_>>());
        assert!(!is_known("order"));
    }

    async fn yield_once() {
        let mut is_first = true;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    #[test]
    fn a_dropped_waiter_leaves_the_line_and_a_dropped_holder_frees_it() {
        let take = || Box::pin(Turn::take("test", "dropped", PATIENCE, never));
        let first = take().now_or_never().unwrap();
        let (mut second, mut third) = (take(), take());
        assert!(
            second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none()
        );
        drop(second);
        assert!(third.as_mut().now_or_never().is_none(), "the first still has it");
        drop(first);
        let third = third.now_or_never().unwrap();
        assert!(third.is_some());
        let (mut granted, mut last) = (take(), take());
        assert!(
            granted.as_mut().now_or_never().is_none() && last.as_mut().now_or_never().is_none()
        );
        drop(third);
        // It was given the turn and never polled again.
        drop(granted);
        assert!(last.now_or_never().unwrap().is_some());
        assert!(!is_known("dropped"));
    }

    #[test]
    fn a_stuck_holder_is_overtaken_by_the_first_of_the_line_alone() {
        let stuck = Turn::take("test", "stuck", PATIENCE, never).now_or_never().unwrap();
        let mut patient = Box::pin(Turn::take("test", "stuck", PATIENCE, never));
        assert!(patient.as_mut().now_or_never().is_none());
        let mut hasty = Box::pin(async {
            // Not more than a few rounds of a timer that has always ended.
            let rounds = std::sync::atomic::AtomicUsize::new(0);
            let sleep = |_: Duration| {
                let is_over = rounds.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 9;
                (!is_over).then(|| ready(()))
            };
            Turn::take("test", "stuck", PATIENCE, sleep).await
        });
        assert!(hasty.as_mut().now_or_never().unwrap().is_none(), "it is the second of the line");
        drop(patient);
        let first = Turn::take("test", "stuck", PATIENCE, at_once).now_or_never().unwrap();
        assert!(first.is_some());
        // The turn is not the stuck one's any more to end.
        drop(stuck);
        assert!(is_known("stuck"));
        drop(first);
        assert!(!is_known("stuck"));
    }

    #[test]
    fn places_and_ids_have_lines_of_their_own() {
        let take = |place, sid| Turn::take(place, sid, PATIENCE, never).now_or_never();
        let turns = [take("test", "one"), take("test", "two"), take("other", "one")];
        assert!(turns.iter().all(Option::is_some));
        assert!(take("test", "one").is_none());
    }

    #[test]
    fn what_runs_without_turns_does_not_wait() {
        let turn = Turn::take("test", "nested", PATIENCE, never).now_or_never().unwrap();
        let nested = || Turn::take("test", "nested", PATIENCE, never).now_or_never();
        assert!(Turn::without_turns(nested).unwrap().is_none());
        let panics = || std::panic::resume_unwind(Box::new(()));
        assert!(std::panic::catch_unwind(|| Turn::without_turns(panics)).is_err());
        assert!(nested().is_none(), "it waits again");
        drop(turn);
    }

    #[test]
    fn many_threads_have_the_turn_one_after_the_other() {
        let (inside, count) = (&Mutex::new(()), &std::sync::atomic::AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(move || {
                    for _ in 0..500 {
                        let turn = block_on(Turn::take("test", "threads", PATIENCE, never));
                        drop(inside.try_lock().expect("two have the turn"));
                        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        drop(turn);
                    }
                });
            }
        });
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 4_000);
        assert!(!is_known("threads"));
    }
}
