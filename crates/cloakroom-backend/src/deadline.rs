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
//! The layer and the handle have a limit even if nobody set one, for stores without deadlines. Such a default gives way:
//! a store whose own limit is longer asks for it in a thread-local, and the limits around it follow. Work that has to wait
//! before it calls the store asks for the limit that earlier calls have set.
//!
//! One timer is enough for all limits that end together and wake one task: the outermost has it. Code in between can
//! poll the work with a waker of its own, as `FuturesUnordered` does; the work then has a timer too.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, RawWakerVTable, Waker},
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::{Idempotency, drivers::has_time};

/// The maximum limit; longer ones are shortened to it. A year keeps the deadline within the range of `Instant`.
pub(crate) const FAR: Duration = Duration::from_secs(86_400 * 365);

/// The limit of [`within`] if its caller sets none and the work inside has no longer one: 5 s.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(5);

thread_local! {
    /// The limit around the work that is being polled on this thread.
    static ENCLOSING: Cell<Option<Enclosing>> = const { Cell::new(None) };

    /// The longest limit that was set in the work that is being polled, which the default limits around it adopt.
    static LONGEST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A limit around the work that is being polled, and the task that it wakes at its deadline.
#[derive(Clone, Copy)]
struct Enclosing {
    limit: Limit,
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
    fn new(now: Instant, limit: Duration) -> Self {
        Self { at: now + limit.min(FAR), limit }
    }

    /// Returns the deadline at `limit` after `now`, or that of the enclosing work if it is earlier.
    pub(crate) fn since(now: Instant, limit: Duration) -> Self {
        let own = Self::new(now, limit);
        let Some(enclosing) = ENCLOSING.get() else { return own };
        LONGEST.set(LONGEST.get().max(limit));
        own.or_earlier(enclosing.limit.extended_to(limit))
    }

    fn or_earlier(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// Returns the deadline that a longer limit would have, counted from the same moment.
    fn extended_to(self, limit: Duration) -> Self {
        if limit > self.limit {
            Self { at: self.at + limit.min(FAR).saturating_sub(self.limit), limit }
        } else {
            self
        }
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

    /// Returns true if an enclosing limit wakes this task at this deadline or before.
    fn is_kept_outside(self, cx: &Context<'_>) -> bool {
        let enclosing = ENCLOSING.get();
        enclosing.is_some_and(|outer| {
            outer.limit.extended_to(LONGEST.get()).at <= self.at && outer.wakes(cx.waker())
        })
    }

    /// Lets the timer wake the task at the deadline, when the clock is read again.
    fn wait(self, mut timer: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) {
        match timer.as_mut().as_pin_mut() {
            None => timer.set(Some(sleep_until(self.at))),
            // The limit has given way to a longer one.
            Some(timer) if timer.deadline() < self.at => timer.reset(self.at),
            Some(_) => {}
        }
        if timer.as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready()) {
            cx.waker().wake_by_ref();
        }
    }
}

/// A limit around work.
#[derive(Clone, Copy)]
struct Limit {
    deadline: Deadline,
    /// The latest deadline to which a default limit gives way; `None` if the limit was set.
    latest: Option<Deadline>,
    /// The outermost default limit around a default limit, which began earlier and gives way to the same limits.
    outermost: Option<Deadline>,
}

impl Limit {
    /// Returns the limit of work that begins now, within the limits around it.
    fn since(now: Instant, limit: Option<Duration>) -> Self {
        if let Some(limit) = limit {
            let deadline = Deadline::since(now, limit);
            return Self { deadline, latest: None, outermost: None };
        }
        let own = Deadline::new(now, DEFAULT_LIMIT);
        let Some(Enclosing { limit: outer, .. }) = ENCLOSING.get() else {
            let latest = Some(Deadline::new(now, FAR));
            return Self { deadline: own, latest, outermost: None };
        };
        Self {
            deadline: own.or_earlier(outer.deadline),
            latest: outer.latest.or(Some(outer.deadline)),
            outermost: outer.outermost_default(),
        }
    }

    /// Returns the outermost of the default limits up to this one.
    fn outermost_default(&self) -> Option<Deadline> {
        self.latest.map(|_| self.outermost.unwrap_or(self.deadline))
    }

    /// Returns the deadline for work that has set itself such a limit.
    fn extended_to(self, limit: Duration) -> Deadline {
        let Some(latest) = self.latest.filter(|_| limit > self.deadline.limit) else {
            return self.deadline;
        };
        let extended = self.deadline.extended_to(limit).or_earlier(latest);
        self.outermost.map_or(extended, |outer| extended.or_earlier(outer.extended_to(limit)))
    }

    /// Polls `work` inside this limit, which gives way to a longer one that was set there.
    fn poll_inside<F: Future>(
        &mut self,
        work: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        // A guard, so that a panic in the work does not leave its deadline to the next task on this thread.
        struct Restore(Option<Enclosing>, Duration);
        impl Drop for Restore {
            fn drop(&mut self) {
                ENCLOSING.set(self.0);
                LONGEST.set(self.1);
            }
        }
        if let (true, Some(outer)) = (self.latest.is_some(), ENCLOSING.get()) {
            // It may have given way in the meantime.
            self.outermost = outer.limit.outermost_default();
        }
        let task = (cx.waker().data(), cx.waker().vtable());
        let enclosing = ENCLOSING.replace(Some(Enclosing { limit: *self, task }));
        let mut restore = Restore(enclosing, LONGEST.replace(Duration::ZERO));
        let answer = work.poll(cx);
        if self.latest.is_some() {
            let longest = LONGEST.get();
            restore.1 = restore.1.max(longest);
            let deadline = self.extended_to(longest);
            if deadline.at != self.deadline.at {
                self.deadline = deadline;
                // Others in the work may have left their timer to this limit, which no longer ends with theirs.
                cx.waker().wake_by_ref();
            }
        }
        answer
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

/// The longest limit that the calls of a store have set so far.
///
/// It is for work that waits for something else before it calls the store, such as its turn: without a limit of its own,
/// [`within`] then gives way to the limit that the store is going to set.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_backend::{Idempotency, LongestLimit, Operation, within};
///
/// # futures::executor::block_on(async {
/// let longest = LongestLimit::default();
/// let call = async {
///     let _operation = Operation::start("far", "get", Idempotency::Read, Duration::from_secs(15));
///     Ok(())
/// };
/// within(None, "handle", "get", Idempotency::Read, longest.learn(call)).await?;
/// assert_eq!(longest.get(), Duration::from_secs(15));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct LongestLimit(AtomicU64);

impl LongestLimit {
    /// Returns the limit, or zero if it is not known.
    #[must_use]
    pub fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// Returns the answer of a call within [`within`], and learns its limit.
    pub fn learn<F: Future>(&self, call: F) -> impl Future<Output = F::Output> {
        Seen { work: call, longest: self, adopts: false }
    }

    /// Returns the result of `work`, for which a default limit around it gives way as for a call of the store.
    pub fn adopt<F: Future>(&self, work: F) -> impl Future<Output = F::Output> {
        Seen { work, longest: self, adopts: true }
    }
}

pin_project! {
    /// Work beside which a `LongestLimit` learns, or is adopted. An `async fn` would keep its work twice.
    struct Seen<'a, F> {
        #[pin]
        work: F,
        longest: &'a LongestLimit,
        adopts: bool,
    }
}

impl<F: Future> Future for Seen<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.adopts && ENCLOSING.get().is_some() {
            LONGEST.set(LONGEST.get().max(this.longest.get()));
        }
        let result = this.work.poll(cx);
        if !*this.adopts {
            let limit = u64::try_from(LONGEST.get().as_millis()).unwrap_or(u64::MAX);
            // Read first: it hardly ever grows, and a write takes the cache line from the other processors.
            if limit > this.longest.0.load(Ordering::Relaxed) {
                this.longest.0.fetch_max(limit, Ordering::Relaxed);
            }
        }
        result
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
/// `None` is the default: [`DEFAULT_LIMIT`], or the longest limit that is set in `work`, which is that of the store.
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
/// let error = within(Some(limit), "memory", "set", Idempotency::Once, pending::<Result<(), _>>()).await.unwrap_err();
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
    limit: Option<Duration>,
    store: &str,
    operation: &'static str,
    idempotency: Idempotency,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let now = Instant::now();
    let mut limit = Limit::since(now, limit);
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
        let polled = begins.take().unwrap_or_else(Instant::now);
        if let Poll::Ready(answer) = limit.poll_inside(work.as_mut(), cx) {
            return Poll::Ready(answer.map_err(|error| idempotency.answered(error)));
        }
        let deadline = limit.deadline;
        if deadline.at <= polled {
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
