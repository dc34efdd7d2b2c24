//! Whether an answer from another thread comes before or after the first poll is a race, and a call that is not ready at
//! its first poll needs timers. Here the first poll always wins.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use async_trait::async_trait;
use cloakroom_core::{Atomic, Enumerate, Error, SessionData, Store, Touched};

/// Held by each call during its first poll, which sends its request.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<()>>);

impl Gate {
    fn hold(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called between a request and its answer.
    pub(crate) fn wait(&self) {
        drop(self.hold());
    }

    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        let first = poll_fn(|cx| {
            let _held = self.hold();
            Poll::Ready(call.as_mut().poll(cx))
        });
        match first.await {
            Poll::Ready(answer) => answer,
            Poll::Pending => call.await,
        }
    }
}

/// A store whose answers wait at the gate.
pub(crate) struct Late<S>(pub(crate) S, pub(crate) Gate);

#[async_trait]
impl<S: Store> Store for Late<S> {
    fn name(&self) -> &str {
        self.0.name()
    }
    async fn get(&self, sid: &str) -> Result<Option<SessionData>, Error> {
        self.1.around(self.0.get(sid)).await
    }
    async fn set(&self, sid: &str, session: &SessionData) -> Result<(), Error> {
        self.1.around(self.0.set(sid, session)).await
    }
    async fn destroy(&self, sid: &str) -> Result<(), Error> {
        self.1.around(self.0.destroy(sid)).await
    }
    async fn touch(&self, sid: &str, session: &SessionData) -> Result<Touched, Error> {
        self.1.around(self.0.touch(sid, session)).await
    }
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
    fn enumerate(&self) -> Option<&dyn Enumerate> {
        None
    }
}
