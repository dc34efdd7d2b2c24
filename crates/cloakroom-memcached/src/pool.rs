//! The connections of one runtime to one server.
//!
//! A connection works only on the runtime that made it, and ends with it. So each runtime has its own pool.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use cloakroom_backend::{Needs, Operation, Runtimes, Shared};
use cloakroom_core::Error;
use tokio::sync::Semaphore;

use crate::{connection::Connection, gate::Gate};

/// A connection that was idle for longer is not used again, because routers and load balancers drop such connections
/// silently.
const LONGEST_IDLE: Duration = Duration::from_secs(90);

/// The pools of all runtimes.
pub(crate) struct Pools {
    size: usize,
    runtimes: Runtimes,
    pools: Shared<Pool>,
}

/// The connections of one runtime to one server.
pub(crate) struct Pool {
    /// One permit per connection in use.
    pub(crate) permits: Semaphore,
    pub(crate) gate: Gate,
    /// The idle connections, the most recently used last.
    idle: Mutex<Vec<Connection>>,
}

impl Pools {
    /// Creates pools that have at most `size` connections each.
    pub(crate) fn new(size: usize) -> Self {
        let runtimes = Runtimes::new(Needs::TimeAndIo);
        Self { size: size.min(Semaphore::MAX_PERMITS), runtimes, pools: Shared::default() }
    }

    /// Returns the pool of the runtime that this call is on.
    ///
    /// The error is `Config` outside of a runtime, and on a runtime without timers or I/O.
    pub(crate) fn of_this_runtime(&self, operation: &Operation) -> Result<Arc<Pool>, Error> {
        let runtime = self.runtimes.current(operation)?;
        Ok(self.pools.get_or_insert(&runtime, || Arc::new(Pool::new(self.size))))
    }
}

impl cloakroom_backend::Connection for Pool {
    // A pool is empty at first, so it needs no attempt. Its connections come and go, and it ends with its runtime
    // alone.
    type Failure = Infallible;
    type Progress = ();

    fn is_over(&self) -> bool {
        false
    }
}

impl Pool {
    fn new(size: usize) -> Self {
        Self { permits: Semaphore::new(size), gate: Gate::default(), idle: Mutex::default() }
    }

    /// Takes an idle connection, or returns `None` if no connection is idle.
    pub(crate) fn take(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        while let Some(connection) = idle.pop() {
            if !is_old(&connection, Instant::now()) && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Puts a connection back, and closes those that have been idle for too long.
    pub(crate) fn put_back(&self, connection: Connection) {
        self.put_back_at(Instant::now(), connection);
    }

    fn put_back_at(&self, now: Instant, connection: Connection) {
        let mut idle = lock(&self.idle);
        // The most recently used connection is taken first, so the surplus of a busy time is at the front.
        let old = idle.iter().take_while(|connection| is_old(connection, now)).count();
        idle.drain(..old);
        idle.push(connection);
    }

    /// Gives up the idle connections that have received nothing since another connection was asked and did not answer.
    /// If one connection is lost silently, the others usually are too.
    pub(crate) fn give_up_older(&self, asked: Instant) {
        lock(&self.idle).retain(|connection| connection.heard() > asked);
    }
}

/// Returns true for a connection that has not been used for too long.
fn is_old(connection: &Connection, now: Instant) -> bool {
    now.saturating_duration_since(connection.heard()) >= LONGEST_IDLE
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while a lock is held.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn connections_that_lie_idle_too_long_are_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = || async {
            let patience = Duration::from_secs(60);
            Connection::open("127.0.0.1", port, patience).await.unwrap()
        };
        let pool = Pool::new(64);
        for _ in 0..20 {
            pool.put_back(open().await);
        }
        assert_eq!(lock(&pool.idle).len(), 20);
        pool.put_back_at(Instant::now() + LONGEST_IDLE, open().await);
        assert_eq!(lock(&pool.idle).len(), 1, "the one that was just used");
        assert!(pool.take().is_some());
    }
}
