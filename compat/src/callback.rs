//! Makes a future of one callback-style call. A shared slot carries the answer from the callback to the future.
//!
//! A slot of our own, rather than a oneshot channel, takes an inline answer without waking anything.

use std::{
    cell::Cell,
    error::Error as StdError,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use cloakroom_backend::Idempotency::{self, Once};
use cloakroom_core::{Error, ErrorKind};

/// The store's name in errors of this module, until an adapter replaces it with the real one.
pub(crate) const STORE: &str = "callback";
const OPERATION: &str = "call";

/// Takes the answer of callback-style code, like Node.js's `callback(err, value)`.
///
/// Any thread may answer, because the type is `Send`. Answering consumes it, so a second answer does not compile.
/// Dropping it without an answer resolves the future with an [`Unavailable`](ErrorKind::Unavailable) error at once.
/// If the future was dropped, the answer is discarded.
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

    /// Answers with an error of the application. It becomes the source of an [`Other`](ErrorKind::Other) error.
    pub fn fail(self, source: impl Into<Box<dyn StdError + Send + Sync>>) {
        self.err(
            Error::new(ErrorKind::Other, STORE, OPERATION, "the callback received an error")
                .with_source(source),
        );
    }

    /// Answers with an [`Unsupported`](ErrorKind::Unsupported) error: the store does not have this operation.
    pub fn not_offered(self) {
        self.err(Error::new(
            ErrorKind::Unsupported,
            STORE,
            OPERATION,
            "the store does not support this operation",
        ));
    }

    /// Answers with a value or an error.
    pub fn answer(mut self, result: Result<T, Error>) {
        if let Some(slot) = self.0.take() {
            slot.fill(result);
        }
    }

    /// Sets whether the operation reads or writes.
    pub(crate) fn for_what(mut self, idempotency: Idempotency) -> Self {
        self.1 = idempotency;
        self
    }

    /// Returns a function that answers, for interfaces that require one that can be cloned or called more than once.
    /// The first call is the answer; later calls do nothing.
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
            let message = "the callback was dropped without an answer";
            // The function may have done its work before it dropped the callback.
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

/// Calls a callback-style function and returns its answer, like Node.js's `util.promisify` for one call.
///
/// - The function may answer before it returns, later, or on another thread.
/// - It is called when the future is first polled, and never if the future is not polled.
/// - You may drop the future at any point. The call then continues, and its answer is discarded.
/// - The future works without a runtime and makes one allocation.
///
/// # Errors
///
/// - The error that the callback was called with.
/// - [`Unavailable`](ErrorKind::Unavailable) if the callback was dropped without an answer.
/// - [`Other`](ErrorKind::Other) if the function panicked.
///
/// In the last two cases the function may already have done its work, so the error has
/// [`outcome_unknown`](Error::outcome_unknown).
///
/// If the callback is neither answered nor dropped, the future waits for ever.
/// [`promisify_store`](crate::promisify_store) adds a deadline.
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

/// Like [`promisify`], for an operation that is known to read or write.
pub(crate) async fn promisify_as<T, F>(idempotency: Idempotency, call: F) -> Result<T, Error>
where
    T: Send,
    F: FnOnce(Callback<T>) + Send,
{
    let mut slot = Arc::new(Slot(Mutex::new(State::Waiting(None))));
    let callback = Callback(Some(Arc::clone(&slot)), idempotency);
    // Unwind safe: a panic leaves the slot either empty or filled, and both are valid.
    if catch_unwind(AssertUnwindSafe(|| call(callback))).is_err() {
        // The panic's message may contain session data, so it is not passed on.
        let error =
            Error::new(ErrorKind::Other, STORE, OPERATION, "the callback-style function panicked");
        return Err(idempotency.unanswered(error));
    }
    // After an inline answer this is the only reference to the slot, so no lock is needed.
    if let Some(Slot(state)) = Arc::get_mut(&mut slot)
        && let Some(answer) = state.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    {
        return answer;
    }
    poll_fn(|cx| slot.poll(cx)).await
}

thread_local! {
    static IS_WAKING: Cell<bool> = const { Cell::new(false) };
}

/// Returns true if an answer is waking its future on this thread. A waker may make the next call there and then.
pub(crate) fn is_waking() -> bool {
    IS_WAKING.get()
}

/// A guard, because a waker may panic.
struct Waking {
    before: bool,
}

impl Waking {
    fn begin() -> Self {
        Self { before: IS_WAKING.replace(true) }
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        IS_WAKING.set(self.before);
    }
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
        // `wake` runs code of the runtime, so the lock is released first.
        if let State::Waiting(Some(waker)) = before {
            let _waking = Waking::begin();
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        // Cloning or dropping a waker runs code of the runtime, so both happen while the lock is free.
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
