//! Makes an async store of a callback-style one. What the contract promises beyond Connect's four calls is added here:
//! a deadline, a check of the id, and expiries that do not go stale.

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use cloakroom_backend::{
    Idempotency::{self, Once, Read},
    within,
};
use cloakroom_core::{
    Atomic, Clock, Created, Enumerate, Error, ErrorKind, FindBy, Listed, Revision, SessionData,
    Store, Touched, Updated,
};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::{
    Callback, CallbackAtomic, CallbackEnumerate, CallbackStore,
    callback::{STORE, promisify_as},
};

/// An async [`Store`] over a [`CallbackStore`], returned by [`promisify_store`].
#[derive(Clone)]
pub struct Promisified<S> {
    store: S,
    deadline: Duration,
}

/// Makes an async [`Store`] of a callback-style one. It supports exactly what the store supports.
///
/// Every operation ends within 5 s; [`with_deadline`](Promisified::with_deadline) changes that. Its errors are those
/// that the callback receives, and
///
/// - [`Timeout`](cloakroom_core::ErrorKind::Timeout) if the callback is not answered in time;
/// - [`Unavailable`](cloakroom_core::ErrorKind::Unavailable) as soon as the callback is dropped without an answer;
/// - [`Config`](cloakroom_core::ErrorKind::Config) if the answer does not come inline and the current thread has no
///   tokio runtime with timers, which the deadline needs;
/// - [`Other`](cloakroom_core::ErrorKind::Other) from a listing, with the error as its source, if a record cannot be
///   listed: a callback answers for all sessions or for none.
///
/// By then the callback-style code is running, so a write may still happen. The error has
/// [`outcome_unknown`](Error::outcome_unknown) in that case. Errors of reads never have it.
///
/// See [`CallbackStore`] for an example.
pub fn promisify_store<S: CallbackStore>(store: S) -> Promisified<S> {
    Promisified { store, deadline: Duration::from_secs(5) }
}

impl<S> Promisified<S> {
    /// Sets the deadline of each operation.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Returns the callback-style store.
    pub fn into_inner(self) -> S {
        self.store
    }
}

impl<S: CallbackStore> Promisified<S> {
    async fn call<T: Send>(
        &self,
        operation: &'static str,
        idempotency: Idempotency,
        call: impl FnOnce(Callback<T>) + Send,
    ) -> Result<T, Error> {
        let answer = promisify_as(idempotency, call);
        let answer =
            within(Some(self.deadline), self.store.name(), operation, idempotency, answer).await;
        answer.map_err(|error| self.named(error, operation))
    }

    fn named(&self, error: Error, operation: &'static str) -> Error {
        // An error that the store created itself already carries its name.
        if error.store() == STORE {
            error.with_context(Cow::Owned(self.store.name().to_owned()), operation)
        } else {
            error
        }
    }
}

/// Moves the expiry as express-session does before it calls a store: npm stores compute the time to live from
/// `cookie.expires`.
fn extended(session: &SessionData) -> Cow<'_, SessionData> {
    session.extended(Clock::system().now_ms())
}

/// Marks a session as read from a store, unless the store has done so. A later write then extends it by its max age.
pub(crate) fn read_from_store(session: SessionData) -> SessionData {
    match session.revision() {
        Some(_) => session,
        None => session.with_revision(Revision::of_text()),
    }
}

/// Rejects an empty id, which Connect's contract does not mention.
fn check(sid: &str, store: &str, operation: &'static str) -> Result<(), Error> {
    if sid.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidId,
            store.to_owned(),
            operation,
            "invalid id: must not be empty",
        ));
    }
    Ok(())
}

#[async_trait]
impl<S: CallbackStore> Store for Promisified<S> {
    fn name(&self) -> &str {
        self.store.name()
    }

    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        check(sid, self.store.name(), "get")?;
        // Without a revision, `time_to_live` would take a stale `expires` for the truth.
        let found = self.call("get", Read, |callback| self.store.get(sid, callback)).await?;
        Ok(found.map(read_from_store))
    }

    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        check(sid, self.store.name(), "set")?;
        let session = &*extended(session);
        self.call("set", Once, |callback| self.store.set(sid, session, callback)).await
    }

    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        check(sid, self.store.name(), "destroy")?;
        self.call("destroy", Once, |callback| self.store.destroy(sid, callback)).await
    }

    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        check(sid, self.store.name(), "touch")?;
        let session = &*extended(session);
        self.call("touch", Once, |callback| self.store.touch(sid, session, callback)).await
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        self.store.atomic().map(|_| self as &dyn Atomic)
    }

    fn enumerate(&self) -> Option<&dyn Enumerate> {
        self.store.enumerate().map(|_| self as &dyn Enumerate)
    }
}

impl<S: CallbackStore> Promisified<S> {
    async fn call_atomic<T: Send>(
        &self,
        sid: &str,
        operation: &'static str,
        call: impl FnOnce(&dyn CallbackAtomic, Callback<T>) + Send,
    ) -> Result<T, Error> {
        check(sid, self.store.name(), operation)?;
        self.call(operation, Once, |callback| match self.store.atomic() {
            Some(atomic) => call(atomic, callback),
            None => callback.not_offered(),
        })
        .await
    }

    /// Makes the error of one record that of the whole listing, because a callback answers for all sessions at once. It
    /// must not look like the error of a record, after which a listing goes on.
    fn of_the_listing(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Corrupt
            | ErrorKind::TooLarge
            | ErrorKind::InvalidData
            | ErrorKind::InvalidId => {
                let message = "a record cannot be listed, and the store lists all of them or none";
                let store = self.store.name().to_owned();
                Error::new(ErrorKind::Other, store, "all", message).with_source(error)
            }
            _ => error,
        }
    }

    async fn call_enumerate<T: Send>(
        &self,
        operation: &'static str,
        idempotency: Idempotency,
        call: impl FnOnce(&dyn CallbackEnumerate, Callback<T>) + Send,
    ) -> Result<T, Error> {
        self.call(operation, idempotency, |callback| match self.store.enumerate() {
            Some(enumerate) => call(enumerate, callback),
            None => callback.not_offered(),
        })
        .await
    }
}

#[async_trait]
impl<S: CallbackStore> Atomic for Promisified<S> {
    async fn create(&self, sid: &str, session: &SessionData) -> Result<Created, Error> {
        let session = &*extended(session);
        self.call_atomic(sid, "create", |atomic, callback| atomic.create(sid, session, callback))
            .await
    }

    async fn update(&self, sid: &str, session: &SessionData) -> Result<Updated, Error> {
        let session = &*extended(session);
        let updated = self
            .call_atomic(sid, "update", |atomic, callback| atomic.update(sid, session, callback))
            .await?;
        Ok(match updated {
            Updated::Conflict(current) => Updated::Conflict(read_from_store(current)),
            other => other,
        })
    }

    async fn get_and_touch(
        &self,
        sid: &str,
        ttl: Option<Duration>,
    ) -> Result<Option<SessionData>, Error> {
        let found = self
            .call_atomic(sid, "get_and_touch", |atomic, callback| {
                atomic.get_and_touch(sid, ttl, callback)
            })
            .await?;
        Ok(found.map(read_from_store))
    }
}

/// Connect's `all` returns all sessions at once, so these streams hold all of them in memory.
#[async_trait]
impl<S: CallbackStore> Enumerate for Promisified<S> {
    fn ids(&self) -> BoxStream<'_, Result<String, Error>> {
        self.all().map_ok(|listed| listed.id).boxed()
    }

    fn all(&self) -> BoxStream<'_, Result<Listed, Error>> {
        let sessions =
            self.call_enumerate("all", Read, |enumerate, callback| enumerate.all(callback));
        stream::once(sessions)
            .map_err(|error| self.of_the_listing(error))
            .map_ok(|sessions| {
                let since = Instant::now();
                stream::iter(sessions.into_iter().map(move |mut listed| {
                    listed.session = read_from_store(listed.session);
                    // The caller decides when it goes on.
                    Ok(listed.after(since.elapsed()))
                }))
            })
            .try_flatten()
            .boxed()
    }

    async fn length(&self) -> Result<u64, Error> {
        self.call_enumerate("length", Read, |enumerate, callback| enumerate.length(callback)).await
    }

    async fn clear(&self) -> Result<(), Error> {
        self.call_enumerate("clear", Once, |enumerate, callback| enumerate.clear(callback)).await
    }

    fn find_by(&self) -> Option<&dyn FindBy> {
        None
    }
}

impl<S: CallbackStore> fmt::Debug for Promisified<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promisified").field("store", &self.store.name()).finish_non_exhaustive()
    }
}
