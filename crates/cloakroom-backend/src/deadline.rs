//! The deadline of a call, which the innermost code that knows it reports.
//!
//! A call passes through the layer or a handle, a store, and whatever the store waits for. Each has its own limit, but
//! only the store knows whether anything was sent when the time is up. So limits are passed inwards: while the work is
//! polled, its deadline is in a thread-local, and [`Operation::start`](crate::Operation::start) and an inner [`within`]
//! adopt it if it is earlier than their own.
//!
//! The outer code has a timer too, because what is inside may be dropped, or never polled again. A timer only wakes the
//! task; the clock decides, and the outer code reads it before the inner code does. So the innermost code reports the
//! timeout, no matter which timer fires first.
//!
//! One timer is enough for all limits that end together and wake one task: the outermost has it. Code in between can
//! poll the work with a waker of its own, as `FuturesUnordered` does; the work then has a timer too.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    ptr,
    task::{Context, Poll, RawWakerVTable, Waker},
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::{Idempotency, drivers::has_time};

/// The maximum limit; longer ones are shortened to it. A year keeps the deadline within the range of `Instant`.
pub(crate) const FAR: Duration = Duration::from_secs(86_400 * 365);

thread_local! {
    /// The limit around the work that is being polled on this thread.
    static ENCLOSING: Cell<Option<Enclosing>> = const { Cell::new(None) };
}

/// A limit around the work that is being polled, and the task that it wakes at its deadline.
#[derive(Clone, Copy)]
struct Enclosing {
    deadline: Deadline,
    task: (*const (), &'static RawWakerVTable),
}

impl Enclosing {
    fn wakes(&self, waker: &Waker) -> bool {
        let (data, vtable) = self.task;
        data == waker.data() && ptr::eq(vtable, waker.vtable())
    }
}

/// The time by which something must end, and the limit from which it was computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    limit: Duration,
}

impl Deadline {
    /// Returns the deadline at `limit` after `now`, or that of the enclosing work if it is earlier.
    pub(crate) fn since(now: Instant, limit: Duration) -> Self {
        let own = Self { at: now + limit.min(FAR), limit };
        let enclosing = ENCLOSING.get().map(|enclosing| enclosing.deadline);
        enclosing.filter(|enclosing| enclosing.at < own.at).unwrap_or(own)
    }

    pub(crate) fn message(self) -> String {
        format!("no answer within {:?}", self.limit)
    }

    /// Returns the result of `work`, or `None` if the deadline passes first.
    pub(crate) fn keep<F: Future>(self, work: F) -> Keep<F> {
        Keep { deadline: self, work, timer: None }
    }

    fn has_passed(self) -> bool {
        self.at <= Instant::now()
    }

    /// Polls `work` with this as its deadline.
    fn poll_inside<F: Future>(self, work: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // A guard, so that a panic in the work does not leave its deadline to the next task on this thread.
        struct Restore(Option<Enclosing>);
        impl Drop for Restore {
            fn drop(&mut self) {
                ENCLOSING.set(self.0);
            }
        }
        let task = (cx.waker().data(), cx.waker().vtable());
        let _restore = Restore(ENCLOSING.replace(Some(Enclosing { deadline: self, task })));
        work.poll(cx)
    }

    /// Returns true if an enclosing limit wakes this task at this deadline or before.
    fn is_kept_outside(self, cx: &Context<'_>) -> bool {
        let enclosing = ENCLOSING.get();
        enclosing.is_some_and(|outer| outer.deadline.at <= self.at && outer.wakes(cx.waker()))
    }

    /// Lets the timer wake the task at the deadline, when the clock is read again.
    fn wait(self, mut timer: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) {
        if timer.is_none() {
            timer.set(Some(sleep_until(self.at)));
        }
        if timer.as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready()) {
            cx.waker().wake_by_ref();
        }
    }
}

pin_project! {
    /// The future of [`Deadline::keep`]. It is a struct because an `async fn` keeps its arguments beside what it makes of
    /// them: each `within` around another would double the size of the future, which is boxed for each call of a store.
    pub(crate) struct Keep<F> {
        deadline: Deadline,
        #[pin]
        work: F,
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<F: Future> Future for Keep<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Read before the work is polled, as in `within`. An answer that is there counts even if it is late.
        let has_passed = this.deadline.has_passed();
        match this.work.poll(cx) {
            Poll::Ready(done) => return Poll::Ready(Some(done)),
            Poll::Pending if has_passed => return Poll::Ready(None),
            Poll::Pending => {}
        }
        if !this.deadline.is_kept_outside(cx) {
            this.deadline.wait(this.timer, cx);
        }
        Poll::Pending
    }
}

/// Returns a timer, or `None` outside of a tokio runtime, and on a runtime without timers.
#[must_use]
pub fn timer(duration: Duration) -> Option<Sleep> {
    has_time().then(|| sleep(duration))
}

/// Returns the result of `work`, or an error with the names `store` and `operation` if `limit` passes first. It is for
/// layers and handles, which call stores of any kind.
///
/// The limit applies to all calls in `work` together. It ends `work` whatever that does, and drops it:
///
/// - An [`Operation`](crate::Operation) that starts in `work`, and a `within` in `work`, end at this limit if their own
///   is later. The innermost one returns its own error, because it knows whether anything was sent.
/// - If `work` waits for anything else, such as a store without deadlines, a fallback, or an operation that started
///   before, this function ends it.
/// - The limit applies in the task that polls `work`, not in tasks that `work` spawns.
///
/// Work that is ready at once needs no runtime. The outcome of a [`Read`](Idempotency::Read) is never unknown.
///
/// ```
/// use std::{future::pending, time::Duration};
/// use cloakroom_backend::{Idempotency, within};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let limit = Duration::from_millis(20);
/// let error = within(limit, "memory", "set", Idempotency::Once, pending::<Result<(), _>>()).await.unwrap_err();
/// assert_eq!(error.to_string(), "memory: set: no answer within 20ms");
/// assert!(error.outcome_unknown());
/// # });
/// ```
///
/// # Errors
///
/// The error of `work`; [`Timeout`](ErrorKind::Timeout) after the limit; [`Config`](ErrorKind::Config) if `work` must
/// wait and no timers are available. In the last two cases, the outcome of a write is unknown.
pub async fn within<T: Send>(
    limit: Duration,
    store: &str,
    operation: &'static str,
    idempotency: Idempotency,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let now = Instant::now();
    let deadline = Deadline::since(now, limit);
    // Reading the clock again for the first poll would cost as much as an answer that is there at once.
    let mut begins = Some(now);
    let mut work = pin!(work);
    let mut timer = pin!(None::<Sleep>);
    let unanswered = |kind, message: String| {
        idempotency.unanswered(Error::new(kind, store.to_owned(), operation, message))
    };
    let answer = poll_fn(|cx| {
        // Read before the work is polled: if both are due, the inner code reads the clock later and reports more
        // precisely.
        let has_passed = deadline.at <= begins.take().unwrap_or_else(Instant::now);
        if let Poll::Ready(answer) = deadline.poll_inside(work.as_mut(), cx) {
            return Poll::Ready(answer.map_err(|error| idempotency.answered(error)));
        }
        if has_passed {
            return Poll::Ready(Err(unanswered(ErrorKind::Timeout, deadline.message())));
        }
        if deadline.is_kept_outside(cx) {
            return Poll::Pending;
        }
        // Made on the first wait: work that is ready at once, as with `MemoryStore`, then needs no runtime and pays for
        // no timer.
        if timer.is_none() && !has_time() {
            let message =
                "the tokio runtime has no time driver: build it with enable_time or enable_all";
            return Poll::Ready(Err(unanswered(ErrorKind::Config, message.to_owned())));
        }
        deadline.wait(timer.as_mut(), cx);
        Poll::Pending
    });
    answer.await
}
