//! The deadline of a call, which is kept once, by the innermost code that knows of it.
//!
//! A call of an application passes the layer or a handle, a store, and what the store waits for. Each has a limit of its
//! own, and only the store knows whether anything was sent when the time is up. So a limit is handed inwards: while the
//! work is polled, its deadline lies in a thread-local, [`Operation::start`](crate::Operation::start) and an inner
//! [`within`] take it if it is earlier than their own, and say in each poll that they keep it. Where nobody says so, as in
//! a store that knows no deadlines, the outer one sets a timer itself.

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

/// Longer limits are cut to this.
const FAR: Duration = Duration::from_secs(86_400 * 365);

thread_local! {
    /// The deadline of the work that is being polled on this thread, and whether what it waits for keeps it.
    static ENCLOSING: Cell<Option<(Deadline, bool)>> = const { Cell::new(None) };
}

/// When something has to end, and the limit that this comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    limit: Duration,
}

impl Deadline {
    /// The deadline after `limit`, or that of the enclosing work if it is earlier.
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

    /// What `work` comes to, or `None` when the deadline passes first.
    pub(crate) async fn keep<F: Future + Send>(self, work: F) -> Option<F::Output> {
        let mut work = pin!(timeout_at(self.at, work));
        poll_fn(|cx| kept(work.as_mut().poll(cx))).await.ok()
    }

    /// Polls `work` with this as its deadline. Returns whether what it waits for keeps that, too.
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

/// Tells the enclosing work whether it waits for something that keeps its deadline.
fn kept<T>(polled: Poll<T>) -> Poll<T> {
    if let Some((enclosing, _)) = ENCLOSING.get() {
        ENCLOSING.set(Some((enclosing, polled.is_pending())));
    }
    polled
}

/// Returns a timer, or `None` without a tokio runtime, or where that has no timers.
#[must_use]
pub fn timer(duration: Duration) -> Option<Sleep> {
    has_time().then(|| sleep(duration))
}

/// Returns the answer of `work`, or an error under the names of `store` and `operation` when `limit` passes first. For
/// what calls stores of any kind.
///
/// The limit holds for all calls in `work` together. Stores that are made of [`Operation`](crate::Operation)s, and every
/// `within` in `work`, keep it themselves, with errors of their own: they know whether anything was sent. Only for what
/// has no deadline does it take a timer.
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
/// That of `work`; [`Timeout`](ErrorKind::Timeout) after the limit; [`Config`](ErrorKind::Config) if `work` has to wait
/// where there are no timers. After the last two, the outcome of a write is unknown.
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
        // The work first: where both are due, it knows better what became of it.
        let (polled, is_kept) = deadline.poll_inside(work.as_mut(), cx);
        if let Poll::Ready(answer) = polled {
            return Poll::Ready(answer.map_err(|error| idempotency.answered(error)));
        }
        if is_kept {
            return Poll::Pending;
        }
        if timer.is_none() {
            if !has_time() {
                let message = "a deadline needs a tokio runtime that was built with `enable_time`";
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
