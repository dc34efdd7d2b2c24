//! One call: a callback on one side, a future on the other, and a slot between them.

use std::{
    error::Error as StdError,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use cloakroom_backend::Idempotency::{self, Once};
use cloakroom_core::{Error, ErrorKind};

/// The store in errors of this module, until an adapter puts the real name there.
pub(crate) const STORE: &str = "callback";
const OPERATION: &str = "call";

/// Where the legacy code leaves its answer: Node.js's `callback(err, value)`.
///
/// It is `Send`, so any thread may answer, and answering takes it, so a second answer does not compile.
/// A callback that is dropped without an answer is an [`Unavailable`](ErrorKind::Unavailable) error at once.
/// An answer that nobody waits for any more goes nowhere.
pub struct Callback<T>(Option<Arc<Slot<T>>>, Idempotency);

impl<T> Callback<T> {
    /// Answers with a value: `callback(null, value)`.
    pub fn ok(self, value: T) {
        self.answer(Ok(value));
    }

    /// Answers with an error: `callback(err)`.
    pub fn err(self, error: Error) {
        self.answer(Err(error));
    }

    /// Answers with any error of the legacy code's; it becomes the source of an [`Other`](ErrorKind::Other) error.
    pub fn fail(self, source: impl Into<Box<dyn StdError + Send + Sync>>) {
        self.err(
            Error::new(ErrorKind::Other, STORE, OPERATION, "the callback was given an error")
                .with_source(source),
        );
    }

    /// Answers that this store does not have the operation: an [`Unsupported`](ErrorKind::Unsupported) error.
    pub fn not_offered(self) {
        self.err(Error::new(
            ErrorKind::Unsupported,
            STORE,
            OPERATION,
            "this store does not offer it",
        ));
    }

    /// Answers with a result.
    pub fn answer(mut self, result: Result<T, Error>) {
        if let Some(slot) = self.0.take() {
            slot.fill(result);
        }
    }

    /// The same callback for an operation that reads or writes.
    pub(crate) fn for_what(mut self, idempotency: Idempotency) -> Self {
        self.1 = idempotency;
        self
    }

    /// The same callback as a function that can be cloned and called again, for an interface that asks for one.
    /// The first call is the answer; the others change nothing.
    ///
    /// ```
    /// use cloakroom_compat::promisify;
    ///
    /// fn legacy(done: impl Fn(u32)) {
    ///     done(1);
    ///     done(2);
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let first = promisify(|callback| {
    ///     let done = callback.into_fn();
    ///     legacy(move |number| done(Ok(number)));
    /// });
    /// assert_eq!(first.await.unwrap(), 1);
    /// # });
    /// ```
    pub fn into_fn(self) -> impl Fn(Result<T, Error>) + Clone + Send + Sync + 'static
    where
        T: Send + 'static,
    {
        let once = Arc::new(Mutex::new(Some(self)));
        move |result| {
            let callback = once.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(callback) = callback {
                callback.answer(result);
            }
        }
    }
}

impl<T> Drop for Callback<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            let message = "the callback was dropped unanswered";
            // What was called may have done its work before it let go.
            let error = Error::new(ErrorKind::Unavailable, STORE, OPERATION, message);
            slot.fill(Err(self.1.unanswered(error)));
        }
    }
}

impl<T> fmt::Debug for Callback<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

/// Calls a callback-style function and returns its answer: Node.js's `util.promisify` for one call.
///
/// - The callback may be answered inline, later, or on another thread.
/// - The function is called when the future is first polled, and never if it is not.
/// - Dropping the future is fine at any point; the call goes on and its answer is thrown away.
/// - It needs no runtime, and one allocation.
///
/// # Errors
///
/// The error that the callback was given; [`Unavailable`](ErrorKind::Unavailable) at once when it was dropped
/// unanswered; [`Other`](ErrorKind::Other) when the function panicked. The last two may come after the work was done
/// ([`outcome_unknown`](Error::outcome_unknown)).
///
/// A callback that is neither answered nor dropped leaves the future waiting: [`promisify_store`](crate::promisify_store)
/// adds a deadline.
///
/// ```
/// use cloakroom_compat::{Callback, promisify};
///
/// fn legacy_add(a: u32, b: u32, callback: Callback<u32>) {
///     std::thread::spawn(move || callback.ok(a + b));
/// }
///
/// # futures::executor::block_on(async {
/// assert_eq!(promisify(|callback| legacy_add(2, 3, callback)).await.unwrap(), 5);
/// # });
/// ```
pub async fn promisify<T, F>(call: F) -> Result<T, Error>
where
    T: Send,
    F: FnOnce(Callback<T>) + Send,
{
    promisify_as(Once, call).await
}

/// [`promisify`] for an operation that reads or writes.
pub(crate) async fn promisify_as<T, F>(idempotency: Idempotency, call: F) -> Result<T, Error>
where
    T: Send,
    F: FnOnce(Callback<T>) + Send,
{
    let mut slot = Arc::new(Slot(Mutex::new(State::Waiting(None))));
    let callback = Callback(Some(Arc::clone(&slot)), idempotency);
    // Nothing of ours is broken by a panic half way: the slot is left as it was, or filled.
    if catch_unwind(AssertUnwindSafe(|| call(callback))).is_err() {
        // The panic's own message may hold session data.
        let error =
            Error::new(ErrorKind::Other, STORE, OPERATION, "the callback-style code panicked");
        return Err(idempotency.unanswered(error));
    }
    // An inline answer has let go of the slot already, and is taken out without the lock.
    if let Some(Slot(state)) = Arc::get_mut(&mut slot)
        && let Some(answer) = state.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    {
        return answer;
    }
    poll_fn(|cx| slot.poll(cx)).await
}

struct Slot<T>(Mutex<State<T>>);

enum State<T> {
    Waiting(Option<Waker>),
    Answered(Result<T, Error>),
    Taken,
}

impl<T> State<T> {
    fn take(&mut self) -> Option<Result<T, Error>> {
        match std::mem::replace(self, Self::Taken) {
            Self::Answered(answer) => Some(answer),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, answer: Result<T, Error>) {
        let before = std::mem::replace(&mut *self.lock(), State::Answered(answer));
        // Foreign code: not under the lock.
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        // Wakers are foreign code, too: they are cloned and dropped while the lock is free.
        let waker = cx.waker().clone();
        let mut state = self.lock();
        if let Some(answer) = state.take() {
            return Poll::Ready(answer);
        }
        let before = std::mem::replace(&mut *state, State::Waiting(Some(waker)));
        drop(state);
        drop(before);
        Poll::Pending
    }
}
