//! What `std::task` and `tokio::task` are to the included code.

pub use real::task::{Context, Poll, Waker};
use real::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shuttle::sync::atomic::{AtomicBool, Ordering};

/// The failure of a task that was aborted.
#[derive(Clone, Copy, Debug)]
pub struct JoinError(());

/// As `tokio::task::JoinHandle`: dropping it does not end the task.
pub struct JoinHandle<T>(Arc<State>, Outcome<T>);

/// `None` until the task has ended, and after its handle has taken it.
type Outcome<T> = Arc<Mutex<Option<Result<T, JoinError>>>>;

/// As `tokio::task::AbortHandle`.
#[derive(Clone)]
pub struct AbortHandle(Arc<State>);

struct State {
    is_aborted: AtomicBool,
    is_finished: AtomicBool,
    wakers: Mutex<Wakers>,
}

#[derive(Default)]
struct Wakers {
    task: Option<Waker>,
    joining: Option<Waker>,
}

/// A future that can be aborted between its steps.
pub(crate) struct Task<F: Future> {
    future: Option<Pin<Box<F>>>,
    state: Arc<State>,
    outcome: Outcome<F::Output>,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Shuttle runs all threads on one, and no step ends while it is held.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<F: Future> Task<F> {
    pub(crate) fn new(future: F) -> (Self, JoinHandle<F::Output>) {
        let state = Arc::new(State {
            is_aborted: AtomicBool::new(false),
            is_finished: AtomicBool::new(false),
            wakers: Mutex::default(),
        });
        let outcome = Arc::new(Mutex::new(None));
        let handle = JoinHandle(Arc::clone(&state), Arc::clone(&outcome));
        (Self { future: Some(Box::pin(future)), state, outcome }, handle)
    }

    /// Ends it before its first step, as a runtime that has ended does with what is spawned on it.
    pub(crate) fn refuse(mut self) {
        self.future = None;
        *lock(&self.outcome) = Some(Err(JoinError(())));
        self.state.is_finished.store(true, Ordering::SeqCst);
    }
}

impl<F: Future> Future for Task<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        lock(&this.state.wakers).task = Some(cx.waker().clone());
        let outcome = match &mut this.future {
            Some(future) if !this.state.is_aborted.load(Ordering::SeqCst) => {
                match future.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(output) => Ok(output),
                }
            }
            _ => Err(JoinError(())),
        };
        // What the future holds is dropped before anybody learns that the task has ended.
        this.future = None;
        *lock(&this.outcome) = Some(outcome);
        this.state.is_finished.store(true, Ordering::SeqCst);
        let joining = lock(&this.state.wakers).joining.take();
        if let Some(joining) = joining {
            joining.wake();
        }
        Poll::Ready(())
    }
}

impl<T> JoinHandle<T> {
    /// As `tokio::task::JoinHandle::abort_handle`.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle(Arc::clone(&self.0))
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        lock(&self.0.wakers).joining = Some(cx.waker().clone());
        lock(&self.1).take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl AbortHandle {
    /// Ends the task before its next step.
    pub fn abort(&self) {
        self.0.is_aborted.store(true, Ordering::SeqCst);
        let task = lock(&self.0.wakers).task.clone();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Returns true if the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished.load(Ordering::SeqCst)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").finish_non_exhaustive()
    }
}
