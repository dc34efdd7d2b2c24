//! The connections of a store on one runtime.
//!
//! The store keeps them itself. The pool of sqlx 0.8 tries a refused connection again until its time is up, so a server
//! that is down looks like one that is slow; it asks the server a second time when a connection comes back; and it waits
//! for a silent server before it lets go of a connection.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use cloakroom_backend::{Connection as Shared, Operation};
use cloakroom_core::Error;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{
    connection::{Answer, Connection, Source, Want},
    error::{self, Failure},
    statement::{Statement, Values},
};

pub(crate) struct Live {
    source: Source,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    /// Counts how often all connections were given up.
    age: AtomicU64,
}

impl Shared for Live {
    type Failure = ();
    type Progress = ();

    fn is_over(&self) -> bool {
        false
    }
}

impl Live {
    pub(crate) fn new(source: Source, connections: u32) -> Self {
        let most = usize::try_from(connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            source,
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::default(),
            age: AtomicU64::new(0),
        }
    }

    /// Returns a connection that no other call uses. Every error means that nothing was sent.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        operation: &Operation,
        place: &str,
        runtime: &Handle,
    ) -> Result<Lease, Error> {
        let permit = match operation.within(Arc::clone(&self.permits).acquire_owned()).await {
            Some(Ok(permit)) => permit,
            // Nobody closes it.
            Some(Err(_)) | None => return Err(operation.timeout()),
        };
        let age = self.age.load(Ordering::Acquire);
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => match operation.within(self.source.connect()).await {
                Some(Ok(connection)) => connection,
                Some(Err(cause)) => {
                    let failure = Failure { cause, sent: false };
                    return Err(error::of(operation, place, &failure));
                }
                None => return Err(operation.timeout()),
            },
        };
        Ok(Lease {
            connection: Some(connection),
            live: Arc::clone(self),
            age,
            runtime: runtime.clone(),
            is_busy: false,
            is_lost: false,
            _permit: permit,
        })
    }

    /// Gives up all connections: the server was restarted, or is silent.
    fn give_up(&self) {
        self.age.fetch_add(1, Ordering::AcqRel);
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Nothing panics while the lock is held.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that one call uses. Dropped in the middle of a statement, it is closed.
pub(crate) struct Lease {
    connection: Option<Connection>,
    live: Arc<Live>,
    age: u64,
    runtime: Handle,
    is_busy: bool,
    /// Whether the connection is known to have ended.
    is_lost: bool,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Runs a statement. `Err` is an error of the deadline.
    pub(crate) async fn run(
        &mut self,
        operation: &Operation,
        statement: &Statement,
        values: &Values<'_>,
        want: Want,
    ) -> Result<Result<Answer, Failure>, Error> {
        let Some(connection) = &mut self.connection else {
            return Ok(Err(Failure { cause: sqlx::Error::PoolClosed, sent: false }));
        };
        let sent = Instant::now();
        self.is_busy = true;
        match operation.within(connection.run(statement, values, want)).await {
            Some(Ok(answer)) => {
                // What is left of a long answer is read by the next call.
                self.is_busy = false;
                operation.find_answer();
                Ok(Ok(answer))
            }
            Some(Err(cause)) if error::is_lost(&cause) => {
                self.is_lost = true;
                self.live.give_up();
                operation.lose_answer();
                Ok(Err(Failure { cause, sent: true }))
            }
            Some(Err(cause)) => {
                self.is_busy = error::is_to_close(&cause);
                Ok(Err(Failure { cause, sent: true }))
            }
            None => {
                // A caller with less time proves nothing about the other connections.
                if sent.elapsed() >= operation.patience() {
                    self.live.give_up();
                }
                operation.lose_answer();
                Err(operation.timeout())
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let is_usable = !self.is_lost && (!self.is_busy || connection.outlives_a_call());
        // The pool of an application starts a task.
        let _entered = self.runtime.enter();
        if !is_usable {
            connection.close();
        } else if connection.is_own()
            && (self.age == self.live.age.load(Ordering::Acquire) || connection.outlives_a_call())
        {
            self.live.idle().push(connection);
        }
    }
}
