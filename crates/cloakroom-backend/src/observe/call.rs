//! One operation of a store while it is under way.
//!
//! While its future is polled, the operation is in a thread-local, as its deadline is. So the code that sends commands
//! can say to which server and how often, without a parameter for it in every function.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    mem,
    pin::pin,
    task::Poll,
    time::Instant,
};

use cloakroom_core::Error;
use futures::stream::{BoxStream, StreamExt, poll_fn as stream_of};

use super::{
    counts,
    event::Event,
    outcome::Outcome,
    spans::{self, StoreSpan},
};

thread_local! {
    /// The operation that is being polled on this thread.
    static CURRENT: RefCell<Option<Progress>> = const { RefCell::new(None) };
}

/// What the code inside of an operation has said about it.
struct Progress {
    span: StoreSpan,
    tries: u32,
    has_server: bool,
}

/// An operation.
struct Call<'a> {
    store: &'a str,
    operation: &'static str,
    began: Instant,
    span: StoreSpan,
    /// What is in the thread-local instead while this is polled.
    progress: Option<Progress>,
    /// The outcome if it is dropped before it ends.
    outcome: Outcome,
    has_ended: bool,
}

/// Whoever is inside of it is polled. On drop, also after a panic, the thread-local gets back what it had.
struct Inside<'c>(&'c mut Option<Progress>);

impl Inside<'_> {
    fn swap(&mut self) {
        CURRENT.with_borrow_mut(|current| mem::swap(current, self.0));
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.swap();
    }
}

impl<'a> Call<'a> {
    fn start(store: &'a str, operation: &'static str, sid: Option<&str>) -> Self {
        let span = StoreSpan::new(store, operation, sid);
        let progress = Progress { span: span.clone(), tries: 1, has_server: false };
        let (began, progress) = (Instant::now(), Some(progress));
        let outcome = Outcome::Dropped;
        Self { store, operation, began, span, progress, outcome, has_ended: false }
    }

    fn poll<T>(&mut self, poll: impl FnOnce() -> T) -> T {
        let mut inside = Inside(&mut self.progress);
        inside.swap();
        self.span.in_scope(poll)
    }

    fn end(&mut self, outcome: Outcome) {
        if mem::replace(&mut self.has_ended, true) {
            return;
        }
        let duration = self.began.elapsed();
        let tries = self.progress.as_ref().map_or(1, |progress| progress.tries);
        self.span.end(tries, outcome, duration);
        counts::operation(self.store, self.operation, outcome, duration);
        if outcome == Outcome::Conflict {
            let event = Event::Conflict { store: self.store, operation: self.operation };
            self.span.in_scope(|| spans::event(&event));
            counts::event(&event);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.end(self.outcome);
    }
}

/// Returns true inside of an operation that is observed.
pub(super) fn is_inside() -> bool {
    CURRENT.with_borrow(Option::is_some)
}

pub(super) fn tried_again() {
    CURRENT.with_borrow_mut(|current| {
        if let Some(progress) = current {
            progress.tries += 1;
        }
    });
}

pub(super) fn server(address: &str, port: Option<u16>) {
    let span = CURRENT.with_borrow_mut(|current| {
        let progress = current.as_mut()?;
        // A span that is told a field twice shows it twice.
        (!mem::replace(&mut progress.has_server, true)).then(|| progress.span.clone())
    });
    // Outside of the borrow: the subscriber is the application's, and may ask a store itself.
    if let Some(span) = span {
        span.server(address, port);
    }
}

/// Returns what `work` returns, and observes it. `outcome` says what the result means.
pub(super) async fn watch<T: Send>(
    store: &str,
    operation: &'static str,
    sid: Option<&str>,
    work: impl Future<Output = Result<T, Error>> + Send,
    outcome: fn(&T) -> Outcome,
) -> Result<T, Error> {
    if is_inside() {
        return work.await;
    }
    let mut work = pin!(work);
    let mut call = Call::start(store, operation, sid);
    let result = poll_fn(|cx| call.poll(|| work.as_mut().poll(cx))).await;
    call.end(match &result {
        Ok(done) => outcome(done),
        Err(error) => Outcome::Failed(error.kind()),
    });
    result
}

/// Returns the same items, and observes the listing as one operation, which ends with its last item. One that is dropped
/// after an error has failed.
pub(super) fn watch_stream<'a, T: Send + 'a>(
    store: &'a str,
    operation: &'static str,
    mut items: BoxStream<'a, Result<T, Error>>,
) -> BoxStream<'a, Result<T, Error>> {
    let (mut call, mut outcome) = (None, Outcome::Ok);
    stream_of(move |cx| {
        if call.is_none() && is_inside() {
            return items.poll_next_unpin(cx);
        }
        let call = call.get_or_insert_with(|| Call::start(store, operation, None));
        let polled = call.poll(|| items.poll_next_unpin(cx));
        match &polled {
            Poll::Ready(None) => call.end(outcome),
            Poll::Ready(Some(Err(error))) => {
                outcome = Outcome::Failed(error.kind());
                // Most callers drop the listing now, and it has failed.
                call.outcome = outcome;
            }
            Poll::Ready(Some(Ok(_))) => call.outcome = Outcome::Dropped,
            Poll::Pending => {}
        }
        polled
    })
    .boxed()
}
