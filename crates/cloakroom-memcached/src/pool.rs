//! The connections of one runtime to one server.
//!
//! A connection works on the runtime that made it and ends with it, so each runtime has a pool of its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use cloakroom_core::Error;
use tokio::{runtime::Id, sync::Semaphore};

use crate::{call::Call, connection::Connection, gate::Gate, runtime};

/// A connection that was not used for longer is not used again: routers and load balancers forget it without a word.
const LONGEST_IDLE: Duration = Duration::from_secs(90);

/// The pools of all runtimes.
pub(crate) struct Pools {
    size: usize,
    pools: Mutex<HashMap<Id, Arc<Pool>>>,
}

pub(crate) struct Pool {
    /// One for each connection in use.
    pub(crate) permits: Semaphore,
    pub(crate) gate: Gate,
    /// The connections that nobody uses, the last used at the end.
    idle: Mutex<Vec<Connection>>,
}

impl Pools {
    /// Pools of so many connections at most.
    pub(crate) fn new(size: usize) -> Self {
        Self { size: size.min(Semaphore::MAX_PERMITS), pools: Mutex::default() }
    }

    /// Returns the pool of the runtime that this call is on.
    ///
    /// It is `Config` if there is no runtime, or if it has no timers or no I/O.
    pub(crate) fn of_this_runtime(&self, call: &Call) -> Result<Arc<Pool>, Error> {
        let id = runtime::current(call)?;
        if let Some(pool) = lock(&self.pools).get(&id) {
            return Ok(Arc::clone(pool));
        }
        runtime::check_time(call)?;
        runtime::check_io(call)?;
        let mut pools = lock(&self.pools);
        // Runtimes that have ended left their pools behind.
        pools.retain(|_, pool| Arc::strong_count(pool) > 1 || pool.has_connections());
        let pool = pools.entry(id).or_insert_with(|| {
            Arc::new(Pool {
                permits: Semaphore::new(self.size),
                gate: Gate::default(),
                idle: Mutex::default(),
            })
        });
        Ok(Arc::clone(pool))
    }
}

impl Pool {
    /// Takes a connection that can be used at once; `None` if there is none.
    pub(crate) fn take(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        while let Some(connection) = idle.pop() {
            if connection.heard().elapsed() < LONGEST_IDLE && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    pub(crate) fn put_back(&self, connection: Connection) {
        lock(&self.idle).push(connection);
    }

    /// Gives up the connections that have said nothing since then, when another one was asked that did not answer: one
    /// that is lost without a goodbye is seldom alone.
    pub(crate) fn give_up_older(&self, asked: Instant) {
        lock(&self.idle).retain(|connection| connection.heard() > asked);
    }

    fn has_connections(&self) -> bool {
        let mut idle = lock(&self.idle);
        idle.retain(Connection::is_quiet);
        !idle.is_empty()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while a lock is held.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
