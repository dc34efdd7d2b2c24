//! The deadline of a call, which only the innermost code that knows it enforces.
//!
//! A call passes through the layer or a handle, a store, and whatever the store waits for. Each has its own limit, but
//! only the store knows whether anything was sent when the time is up. So limits are passed inwards: while the work is
//! polled, its deadline is in a thread-local. [`Operation::start`](crate::Operation::start) and an inner [`within`]
//! adopt it if it is earlier than their own, and report in each poll that they enforce it. If nothing reports this, as
//! in a store without deadlines, the outer code sets a timer itself.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};

use crate::{Idempotency, drivers::has_time};

/// The maximum limit; longer ones are shortened to it. A year keeps the deadline within the range of `Instant`.
const FAR: Duration = Duration::from_secs(86_400 * 365);

thread_local! {
    /// The deadline of the work that is being polled on this thread, and whether inner code enforces it.
    static ENCLOSING: Cell<Option<(Deadline, bool)>> = const { Cell::new(None) };
}

/// The time by which something must end, and the limit from which it was computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    limit: Duration,
}

impl Deadline {
    /// Returns the deadline after `limit`, or that of the enclosing work if it is earlier.
    pub(crate) fn after(limit: Duration) -> Self {
        let own = Self { at: Instant::now() + limit.min(FAR), limit };
        match ENCLOSING.get() {
            Some((enclosing, _)) if enclosing.at < own.at => enclosing,
            _ => own,
        }
    }

    pub(crate) fn message(self) -> String {
        format!("no answer within {:?}", self.limit)
    }

    /// Returns the result of `work`, or `None` if the deadline passes first.
    pub(crate) async fn keep<F: Future + Send>(self, work: F) -> Option<F::Output> {
        let mut work = pin!(timeout_at(self.at, work));
        poll_fn(|cx| kept(work.as_mut().poll(cx))).await.ok()
    }

    /// Polls `work` with this deadline. Also returns whether inner code enforces it.
    fn poll_inside<F: Future>(
        self,
        work: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> (Poll<F::Output>, bool) {
        struct Restore(Option<(Deadline, bool)>);
        impl Drop for Restore {
            fn drop(&mut self) {
                ENCLOSING.set(self.0);
            }
        }
        let _restore = Restore(ENCLOSING.replace(Some((self, false))));
        let polled = work.poll(cx);
        (polled, ENCLOSING.get().is_some_and(|(_, is_kept)| is_kept))
    }
}

/// Reports to the enclosing work whether it waits for code that enforces its deadline.
fn kept<T>(polled: Poll<T>) -> Poll<T> {
    if let Some((enclosing, _)) = ENCLOSING.get() {
        ENCLOSING.set(Some((enclosing, polled.is_pending())));
    }
    polled
}

/// Returns a timer, or `None` outside of a tokio runtime, and on a runtime without timers.
#[must_use]
pub fn timer(duration: Duration) -> Option<Sleep> {
    has_time().then(|| sleep(duration))
}

/// Returns the result of `work`, or an error with the names `store` and `operation` if `limit` passes first. It is for
/// layers and handles, which call stores of any kind.
///
/// The limit applies to all calls in `work` together. Stores that use [`Operation`](crate::Operation), and every
/// `within` inside `work`, enforce it themselves with their own errors, because they know whether anything was sent. A
/// timer is needed only for code without a deadline, and work that is ready at once needs no runtime. The outcome of a
/// [`Read`](Idempotency::Read) is never unknown.
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
    let deadline = Deadline::after(limit);
    let mut work = pin!(work);
    let mut timer = pin!(None::<Sleep>);
    let unanswered = |kind, message: String| {
        idempotency.unanswered(Error::new(kind, store.to_owned(), operation, message))
    };
    let answer = poll_fn(|cx| {
        // The work is polled first: if both are due, its own result is more precise.
        let (polled, is_kept) = deadline.poll_inside(work.as_mut(), cx);
        if let Poll::Ready(answer) = polled {
            return Poll::Ready(answer.map_err(|error| idempotency.answered(error)));
        }
        if is_kept {
            return Poll::Pending;
        }
        if timer.is_none() {
            if !has_time() {
                let message =
                    "the tokio runtime has no time driver: build it with enable_time or enable_all";
                return Poll::Ready(Err(unanswered(ErrorKind::Config, message.to_owned())));
            }
            timer.set(Some(sleep_until(deadline.at)));
        }
        let Some(timer) = timer.as_mut().as_pin_mut() else { return Poll::Pending };
        timer.poll(cx).map(|()| Err(unanswered(ErrorKind::Timeout, deadline.message())))
    });
    let mut answer = pin!(answer);
    poll_fn(|cx| kept(answer.as_mut().poll(cx))).await
}
