//! Makes a callback-style store of an async one. A call that has to wait becomes a task, since its caller goes on
//! without waiting; its callback is answered exactly once, even if the runtime shuts down before the task has begun.

use std::{
    fmt,
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use cloakroom_backend::Idempotency::{self, Once, Read};
use cloakroom_core::{
    Created, Enumerate, Error, ErrorKind, Listed, SessionData, Store, Touched, Updated,
};
use futures::stream::TryStreamExt;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{Callback, CallbackAtomic, CallbackEnumerate, CallbackStore, callback::is_waking};

/// A [`CallbackStore`] over an async [`Store`], returned by [`callbackify_store`].
pub struct Callbackified<S> {
    store: Arc<S>,
    runtime: Option<Runtime>,
}

/// Makes a callback-style store of an async one, like Node.js's `util.callbackify` for a whole store.
///
/// Each call runs on the runtime set with [`on`](Callbackified::on), or on the tokio runtime of the calling thread:
///
/// - It begins on the calling thread. The callback receives an answer that is there at once, such as that of a store in
///   memory, before the method returns. So release a lock before the call if the code that the answer wakes takes it.
/// - If it has to wait, the rest runs as a task.
/// - On a thread of another runtime than the one set with `on`, all of it runs as a task. So does a call that a waker
///   makes while an answer wakes it: a chain of such calls takes no more stack than one of them.
///
/// Without a runtime, the callback receives a [`Config`](ErrorKind::Config) error. If the runtime has shut down, or
/// does so before the answer, or if the store panics, it receives an [`Unavailable`](ErrorKind::Unavailable) error.
///
/// The result supports what the store supports, except an index ([`FindBy`](cloakroom_core::FindBy)), and
/// `promisify_store(callbackify_store(x))` keeps every promise that `x` keeps, except those of a listing. A callback has
/// one answer, so all sessions are in memory at once, and one record that cannot be read fails the whole listing.
///
/// ```
/// use cloakroom_compat::{CallbackStore, callbackify_store, promisify};
/// use cloakroom_core::{MemoryStore, SessionData};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let store = callbackify_store(MemoryStore::new());
/// promisify(|callback| store.set("an id", &SessionData::new(), callback)).await?;
/// assert_eq!(promisify(|callback| store.get("an id", callback)).await?, Some(SessionData::new()));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
pub fn callbackify_store<S: Store + 'static>(store: S) -> Callbackified<S> {
    Callbackified { store: Arc::new(store), runtime: None }
}

impl<S> Callbackified<S> {
    /// Sets the runtime that the calls run on. Needed if you call the store from threads outside of a runtime.
    ///
    /// A task that does nothing lives there until the store is dropped: its end tells that the runtime has shut down.
    #[must_use]
    pub fn on(mut self, runtime: Handle) -> Self {
        let lives = runtime.spawn(pending());
        self.runtime = Some(Runtime { handle: runtime, lives });
        self
    }
}

struct Runtime {
    handle: Handle,
    /// Finished only when the runtime has shut down. A handle alone does not say so.
    lives: JoinHandle<()>,
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.lives.abort();
    }
}

impl<S: Store + 'static> Callbackified<S> {
    fn call<T, F>(
        &self,
        operation: &'static str,
        idempotency: Idempotency,
        callback: Callback<T>,
        work: impl FnOnce(Arc<S>) -> F,
    ) where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let new =
            |kind, message| Error::new(kind, self.store.name().to_owned(), operation, message);
        let current = Handle::try_current().ok();
        let own = self.runtime.as_ref();
        let Some(runtime) = own.map(|own| &own.handle).or(current.as_ref()) else {
            let message = "must be called from within a tokio runtime, or with one set by `on`";
            return callback.err(new(ErrorKind::Config, message));
        };
        let has_ended = own.is_some_and(|own| own.lives.is_finished());
        let is_elsewhere = current.as_ref().is_some_and(|current| current.id() != runtime.id());
        let callback = callback.for_what(idempotency);
        let work = work(Arc::clone(&self.store));
        if has_ended || is_elsewhere || is_waking() {
            let message = "the runtime shut down before the call began";
            let error = new(ErrorKind::Unavailable, message);
            let unbegun = Unbegun { callback: Some(callback), error: Some(error) };
            // A runtime that has shut down drops the task at once, and `Unbegun` answers the callback.
            runtime.spawn(async move {
                if let Some(callback) = unbegun.begin() {
                    callback.answer(work.await);
                }
            });
        } else {
            begin(runtime, current.is_some(), async move { callback.answer(work.await) });
        }
    }
}

/// Runs a call on this thread until it has to wait, and the rest of it as a task. A task costs several times as much as
/// an answer from memory.
fn begin(runtime: &Handle, is_inside: bool, call: impl Future<Output = ()> + Send + 'static) {
    let mut call = Box::pin(call);
    // Unwind safe: a call that panicked is not polled again. As in a task, a panic drops the callback.
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let _inside = (!is_inside).then(|| runtime.enter());
        // Nothing is lost without a waker, because a task polls as soon as it is spawned.
        call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }));
    if matches!(polled, Ok(Poll::Pending)) {
        runtime.spawn(call);
    }
}

/// The callback of a task that has not run yet. A runtime that shuts down drops such a task, and since nothing was
/// sent, the error says that the outcome is known.
struct Unbegun<T> {
    callback: Option<Callback<T>>,
    error: Option<Error>,
}

impl<T> Unbegun<T> {
    fn begin(mut self) -> Option<Callback<T>> {
        self.callback.take()
    }
}

impl<T> Drop for Unbegun<T> {
    fn drop(&mut self) {
        if let (Some(callback), Some(error)) = (self.callback.take(), self.error.take()) {
            callback.err(error);
        }
    }
}

/// The error if a store that had offered an operation no longer does when the task runs.
fn lost<T>(store: &dyn Store, operation: &'static str) -> Result<T, Error> {
    Err(Error::new(
        ErrorKind::Unsupported,
        store.name().to_owned(),
        operation,
        "the store does not support this operation",
    ))
}

impl<S: Store + 'static> CallbackStore for Callbackified<S> {
    fn name(&self) -> &str {
        self.store.name()
    }

    fn get(&self, sid: &str, callback: Callback<Option<SessionData>>) {
        let sid = sid.to_owned();
        self.call("get", Read, callback, |store| async move { (*store).get(&sid).await });
    }

    fn set(&self, sid: &str, session: &SessionData, callback: Callback<()>) {
        let (sid, session) = (sid.to_owned(), session.clone());
        self.call("set", Once, callback, |store| async move { (*store).set(&sid, &session).await });
    }

    fn destroy(&self, sid: &str, callback: Callback<()>) {
        let sid = sid.to_owned();
        self.call("destroy", Once, callback, |store| async move { (*store).destroy(&sid).await });
    }

    fn touch(&self, sid: &str, session: &SessionData, callback: Callback<Touched>) {
        let (sid, session) = (sid.to_owned(), session.clone());
        self.call(
            "touch",
            Once,
            callback,
            |store| async move { (*store).touch(&sid, &session).await },
        );
    }

    fn atomic(&self) -> Option<&dyn CallbackAtomic> {
        self.store.atomic().map(|_| self as &dyn CallbackAtomic)
    }

    fn enumerate(&self) -> Option<&dyn CallbackEnumerate> {
        self.store.enumerate().map(|_| self as &dyn CallbackEnumerate)
    }
}

impl<S: Store + 'static> CallbackAtomic for Callbackified<S> {
    fn create(&self, sid: &str, session: &SessionData, callback: Callback<Created>) {
        let (sid, session) = (sid.to_owned(), session.clone());
        self.call("create", Once, callback, |store| async move {
            match store.atomic() {
                Some(atomic) => atomic.create(&sid, &session).await,
                None => lost(&store, "create"),
            }
        });
    }

    fn update(&self, sid: &str, session: &SessionData, callback: Callback<Updated>) {
        let (sid, session) = (sid.to_owned(), session.clone());
        self.call("update", Once, callback, |store| async move {
            match store.atomic() {
                Some(atomic) => atomic.update(&sid, &session).await,
                None => lost(&store, "update"),
            }
        });
    }

    fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
        callback: Callback<Option<SessionData>>,
    ) {
        let sid = sid.to_owned();
        // It counts as a write, because it moves the expiry.
        self.call("get_and_touch", Once, callback, |store| async move {
            match store.atomic() {
                Some(atomic) => atomic.get_and_touch(&sid, ttl).await,
                None => lost(&store, "get_and_touch"),
            }
        });
    }
}

impl<S: Store + 'static> CallbackEnumerate for Callbackified<S> {
    fn all(&self, callback: Callback<Vec<Listed>>) {
        self.call("all", Read, callback, |store| async move {
            match store.enumerate() {
                Some(enumerate) => {
                    let all = Enumerate::all(enumerate).map_ok(|listed| (Instant::now(), listed));
                    let all: Vec<_> = all.try_collect().await?;
                    // The first ones have waited for the last.
                    Ok(all.into_iter().map(|(at, listed)| listed.after(at.elapsed())).collect())
                }
                None => lost(&store, "all"),
            }
        });
    }

    fn length(&self, callback: Callback<u64>) {
        self.call("length", Read, callback, |store| async move {
            match store.enumerate() {
                Some(enumerate) => enumerate.length().await,
                None => lost(&store, "length"),
            }
        });
    }

    fn clear(&self, callback: Callback<()>) {
        self.call("clear", Once, callback, |store| async move {
            match store.enumerate() {
                Some(enumerate) => enumerate.clear().await,
                None => lost(&store, "clear"),
            }
        });
    }
}

impl<S: Store> fmt::Debug for Callbackified<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbackified").field("store", &self.store.name()).finish_non_exhaustive()
    }
}
