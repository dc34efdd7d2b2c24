//! An attempt to connect, for which several calls wait.

use std::{fmt, future::Future, sync::Arc};

use futures::{
    FutureExt,
    future::{self, BoxFuture},
};
use tokio::{runtime::Handle, task::AbortHandle};

use super::Connection;

/// What [`Shared::join`](super::Shared::join) returns.
#[derive(Debug)]
pub enum Joined<C: Connection> {
    /// The connection.
    Connected(Arc<C>),
    /// The attempt to make it.
    Connecting(Attempt<C>),
}

/// How a connection is made.
#[derive(Debug)]
pub enum Start<C: Connection, F> {
    /// At once.
    Made(Arc<C>),
    /// By an attempt: what the calls that wait see of it, and the future that makes the connection.
    Attempt(C::Progress, F),
}

/// An attempt to connect, for which all calls on its runtime wait.
pub struct Attempt<C: Connection> {
    pub(super) number: u64,
    task: AbortHandle,
    progress: C::Progress,
    outcome: future::Shared<BoxFuture<'static, Outcome<C>>>,
}

/// `None` is the failure of an attempt that was given up, or ended with its runtime.
type Outcome<C> = Result<Arc<C>, Option<<C as Connection>::Failure>>;

impl<C: Connection> Joined<C> {
    /// Returns the connection, or waits for it.
    ///
    /// # Errors
    ///
    /// As for [`Attempt::outcome`].
    pub async fn outcome(self) -> Result<Arc<C>, Option<C::Failure>> {
        match self {
            Self::Connected(connection) => Ok(connection),
            Self::Connecting(attempt) => attempt.outcome.await,
        }
    }
}

impl<C: Connection> Attempt<C> {
    /// Starts a task, so that the attempt goes on if the call that started it is dropped.
    pub(super) fn start(
        runtime: &Handle,
        number: u64,
        progress: C::Progress,
        connect: impl Future<Output = Outcome<C>> + Send + 'static,
    ) -> Self {
        let task = runtime.spawn(connect);
        let abort = task.abort_handle();
        let outcome = async move { task.await.unwrap_or(Err(None)) }.boxed().shared();
        Self { number, task: abort, progress, outcome }
    }

    /// Returns true if it has ended, in whatever way.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    pub(super) fn abort(&self) {
        self.task.abort();
    }

    /// Returns what `connect` told of the attempt.
    pub fn progress(&self) -> &C::Progress {
        &self.progress
    }

    /// Waits for the connection.
    ///
    /// # Errors
    ///
    /// The failure, or `None` if the attempt was given up or its runtime has ended.
    pub async fn outcome(&self) -> Result<Arc<C>, Option<C::Failure>> {
        self.outcome.clone().await
    }
}

impl<C: Connection> Clone for Attempt<C> {
    fn clone(&self) -> Self {
        let (task, progress) = (self.task.clone(), self.progress.clone());
        Self { number: self.number, task, progress, outcome: self.outcome.clone() }
    }
}

impl<C: Connection> fmt::Debug for Attempt<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}
