//! The queue in which the writers of this process wait for one session.
//!
//! Without it, n writers that meet need on the order of n² attempts, because each successful update makes all others conflict.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap, hash_map::Entry},
    fmt,
    future::{Future, poll_fn},
    hash::{BuildHasher, Hash, RandomState},
    pin::pin,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// The turn to read, change and write one session, for handles that repeat a write until it succeeds.
///
/// Writers of this process that want the same id at the same place queue, first come, first served. A place identifies the
/// backend: use the store's name, or something narrower.
/// A turn ends when it is dropped. Dropping the future of [`take`](Self::take) leaves the queue.
///
/// A turn saves attempts, but it does not protect the session: [`Atomic::update`](crate::Atomic::update) does. A writer
/// without a turn is only more likely to get a conflict. The queue stores ids as keyed hashes, and only while somebody
/// holds their turn.
///
/// ```
/// use std::{future::{Ready, ready}, time::Duration};
/// use cloakroom_core::Turn;
///
/// # futures::executor::block_on(async {
/// let patience = Duration::from_secs(1);
/// // Use tokio's `sleep` on a runtime. Without a timer, `take` does not wait.
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
    /// Waits for the turn to write the session `sid` at `place`. `sleep` creates a timer.
    ///
    /// If a writer holds the turn for longer than `patience`, the first in the queue takes it over, because a future that
    /// is no longer polled must not block the others. If the first ones in the queue are not polled either, for longer
    /// than twice `patience`, one behind them does. They get no turn then while others wait who are polled, until they are
    /// polled again.
    ///
    /// Returns `None` if it would have to wait but `sleep` returned no timer, and in code that
    /// [`without_turns`](Self::without_turns) runs. The caller then continues without a turn.
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
                Poll::Pending => timer.as_mut().poll(cx).map(|()| turn.overtake(holder, patience)),
            })
            .await;
        }
        Some(turn)
    }

    /// Runs code that may itself write sessions and block on that. On this thread, nothing in `code` waits for a turn:
    /// its caller may hold that very turn, and then both would wait for ever.
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

    /// Joins the queue. Returns the place in it and the ticket of the holder.
    fn join(key: u64) -> (Self, u64) {
        let mut state = LINES.state();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        let holder = match state.lines.entry(key) {
            Entry::Occupied(mut line) => {
                line.get_mut().waiting.insert(ticket, Waiter::new(None));
                line.get().holder
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Line { holder: ticket, waiting: BTreeMap::new() }).holder
            }
        };
        (Self { key, ticket }, holder)
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        // Cloning or dropping a waker runs code of the runtime, so both happen while the lock is free.
        let waiter = Waiter::new(Some(cx.waker().clone()));
        let mut state = LINES.state();
        let place =
            state.lines.get_mut(&self.key).and_then(|line| line.waiting.get_mut(&self.ticket));
        let Some(place) = place else { return Poll::Ready(()) };
        let before = std::mem::replace(place, waiter);
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// Takes the turn from `holder` if it still has it and nobody who is polled is before this one in the queue. Returns
    /// the holder afterwards.
    fn overtake(&self, holder: u64, patience: Duration) -> u64 {
        let mut state = LINES.state();
        let Some(line) = state.lines.get_mut(&self.key) else { return self.ticket };
        // The first one that is polled has taken the turn itself after its patience.
        let unpolled = patience.saturating_mul(2);
        let mut before = line.waiting.range(..self.ticket);
        let is_next = before.all(|(_, waiter)| waiter.polled_at.elapsed() > unpolled);
        let waiter = if is_next && line.holder == holder {
            line.holder = self.ticket;
            for (_, waiter) in line.waiting.range_mut(..self.ticket) {
                waiter.is_passed_over = true;
            }
            line.waiting.remove(&self.ticket)
        } else {
            None
        };
        let holder = line.holder;
        drop(state);
        drop(waiter);
        holder
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = LINES.state();
        let Entry::Occupied(mut line) = state.lines.entry(self.key) else { return };
        if line.get().holder != self.ticket {
            // This one was still waiting, or lost its turn to another.
            let waiter = line.get_mut().waiting.remove(&self.ticket);
            drop(state);
            drop(waiter);
            return;
        }
        let waiting = &mut line.get_mut().waiting;
        // One who is not polled would hold up those behind it once more.
        let polled = waiting.iter().find(|(_, waiter)| !waiter.is_passed_over);
        let next = polled.or(waiting.first_key_value()).map(|(next, _)| *next);
        if let Some((next, waiter)) = next.and_then(|next| waiting.remove_entry(&next)) {
            line.get_mut().holder = next;
            drop(state);
            if let Some(waker) = waiter.waker {
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

/// The writers of one id, by their tickets.
struct Line {
    holder: u64,
    waiting: BTreeMap<u64, Waiter>,
}

struct Waiter {
    waker: Option<Waker>,
    polled_at: Instant,
    /// One behind it has taken the turn since it was polled.
    is_passed_over: bool,
}

impl Waiter {
    fn new(waker: Option<Waker>) -> Self {
        Self { waker, polled_at: Instant::now(), is_passed_over: false }
    }
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
    fn a_stuck_holder_is_overtaken_although_the_first_of_the_line_is_stuck_too() {
        let take = || Box::pin(Turn::take("test", "both stuck", PATIENCE, never));
        let stuck = take().now_or_never().unwrap();
        let mut waiting = [take(), take()];
        assert!(waiting.iter_mut().all(|one| one.as_mut().now_or_never().is_none()));

        let rounds = std::sync::atomic::AtomicUsize::new(0);
        let sleep = |patience: Duration| {
            let (wake, timer) = futures::channel::oneshot::channel::<()>();
            std::thread::spawn(move || {
                std::thread::sleep(patience);
                drop(wake);
            });
            let is_over = rounds.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 99;
            (!is_over).then(|| timer.map(drop))
        };
        let patience = Duration::from_millis(10);
        let third = block_on(Turn::take("test", "both stuck", patience, sleep));
        assert!(third.is_some());
        // The others are still in the line, in their order.
        drop(third);
        let [first, second] = waiting;
        let first = first.now_or_never().unwrap();
        assert!(first.is_some());
        drop((stuck, first));
        assert!(second.now_or_never().unwrap().is_some());
        assert!(!is_known("both stuck"));
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
