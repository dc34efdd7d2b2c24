//! The connections of a store on one runtime.
//!
//! The store keeps them itself. The pool of sqlx 0.8 tries a refused connection again until its time is up, so a server
//! that is down looks like one that is slow; it asks the server a second time when a connection comes back; and it waits
//! for a silent server before it lets go of a connection.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cloakroom_backend::{Connection as Shared, Idempotency, Operation, jitter};
use cloakroom_core::Error;
use tokio::{
    runtime::Handle,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::{
    call::Want,
    connection::{Answer, Connection, Source, caught},
    error::{self, Failure, Verdict},
    options::longest_wait,
    statement::{Statement, Values},
    turns::{Turn, Turns},
};

/// An idle connection is not used again after this time: a firewall can have forgotten it, or the name of the server can
/// stand for another one by now.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// After this time, a connection is asked for an answer before a write that cannot be sent twice: the server may have ended
/// it, and then nobody could tell whether the write was carried out. The drivers of Node.js hear of that by themselves.
const QUIET: Duration = Duration::from_secs(5);

pub(crate) struct Live {
    source: Source,
    permits: Arc<Semaphore>,
    /// The line of those who write to the file.
    turns: Option<Arc<Turns>>,
    /// Tells those who wait for a database in memory that its connection is free.
    freed: Notify,
    /// Each with the time since when it is idle: the one that waits longest is the first.
    idle: Mutex<Vec<(Connection, Instant)>>,
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
    pub(crate) fn new(source: Source, connections: u32, turns: Option<Arc<Turns>>) -> Self {
        let most = if source.is_a_pool() { u32::MAX } else { connections };
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            source,
            permits: Arc::new(Semaphore::new(most)),
            turns,
            freed: Notify::new(),
            idle: Mutex::default(),
            age: AtomicU64::new(0),
        }
    }

    /// Returns a connection that no other call uses. Every error means that nothing was sent.
    ///
    /// A call that `writes` waits for its turn first, so that it keeps no reader from a connection.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        operation: &Operation,
        place: &str,
        runtime: &Handle,
        writes: bool,
    ) -> Result<Lease, Error> {
        let Some(turns) = self.turns.as_ref().filter(|_| writes) else {
            return self.connection(operation, place, runtime).await;
        };
        let Some(turn) = operation.within(Arc::clone(turns).take()).await else {
            return Err(operation.timeout());
        };
        let mut lease = turn.during(self.connection(operation, place, runtime)).await?;
        lease.turn = Some(turn);
        Ok(lease)
    }

    async fn connection(
        self: &Arc<Self>,
        operation: &Operation,
        place: &str,
        runtime: &Handle,
    ) -> Result<Lease, Error> {
        let Some(permit) = operation.within(Permit::of(Arc::clone(self))).await else {
            return Err(operation.timeout());
        };
        let (connection, age) = loop {
            let age = self.age.load(Ordering::Acquire);
            let Some((mut idle, since)) = self.take_idle() else {
                break (self.connect(operation, place).await?, age);
            };
            let is_asked = operation.idempotency() == Idempotency::Once && since.elapsed() >= QUIET;
            if !is_asked {
                break (idle, age);
            }
            let limit = operation.time_left() / 4;
            match timeout(limit, idle.answers()).await {
                Ok(true) => break (idle, age),
                // A caller with less time proves nothing about the other connections.
                Err(_) if limit < operation.patience() / 4 => {
                    drop(idle);
                    break (self.connect(operation, place).await?, age);
                }
                _ => self.give_up(),
            }
        };
        Ok(Lease {
            connection: Some(connection),
            live: Arc::clone(self),
            age,
            runtime: runtime.clone(),
            is_busy: false,
            is_lost: false,
            turn: None,
            _permit: permit,
        })
    }

    async fn connect(&self, operation: &Operation, place: &str) -> Result<Connection, Error> {
        loop {
            let cause = match operation.within(caught(self.source.connect())).await {
                Some(Ok(connection)) => return Ok(connection),
                Some(Err(cause)) => cause,
                None => return Err(operation.timeout()),
            };
            let pause = jitter(Duration::from_millis(2)..=Duration::from_millis(50));
            if !error::is_locked(&cause) || pause >= operation.time_left() {
                let failure = Failure { cause, sent: false };
                return Err(error::of(operation, place, &failure));
            }
            // SQLite waits for every lock but the one under which a file gets its log (sqlite.org/wal.html).
            tokio::time::sleep(pause).await;
        }
    }

    /// Returns the connection that was used last, with the time since when it is idle, and drops those that have been idle
    /// for too long.
    fn take_idle(&self) -> Option<(Connection, Instant)> {
        // Dropped after the lock is released.
        let mut old = Vec::new();
        let mut idle = self.idle();
        let is_old = |(_, since): &&(Connection, Instant)| since.elapsed() > LONGEST_IDLE;
        // A database in memory ends with its connection.
        let number =
            if self.source.is_in_memory() { 0 } else { idle.iter().take_while(is_old).count() };
        old.extend(idle.drain(..number));
        idle.pop()
    }

    /// Gives up all connections: the server was restarted, or is silent.
    fn give_up(&self) {
        self.age.fetch_add(1, Ordering::AcqRel);
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        // Nothing panics while the lock is held.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to use a connection.
struct Permit {
    held: Option<OwnedSemaphorePermit>,
    live: Arc<Live>,
}

impl Permit {
    async fn of(live: Arc<Live>) -> Self {
        let permits = || Arc::clone(&live.permits);
        let held = if live.source.is_in_memory() {
            // All runtimes share the connection. In a queue, one that stands still would get it and keep it.
            loop {
                let mut freed = pin!(live.freed.notified());
                freed.as_mut().enable();
                match permits().try_acquire_owned() {
                    Ok(held) => break Some(held),
                    Err(_) => freed.await,
                }
            }
        } else {
            // Nobody closes it.
            permits().acquire_owned().await.ok()
        };
        Self { held, live }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        drop(self.held.take());
        self.live.freed.notify_waiters();
    }
}

/// A connection that one call uses. Dropped in the middle of a statement, it is closed, and a turn ends with the statement.
pub(crate) struct Lease {
    connection: Option<Connection>,
    live: Arc<Live>,
    age: u64,
    runtime: Handle,
    is_busy: bool,
    /// Whether the connection is known to have ended.
    is_lost: bool,
    turn: Option<Turn>,
    _permit: Permit,
}

impl Lease {
    /// Returns true if the connection is known to have ended.
    pub(crate) const fn is_lost(&self) -> bool {
        self.is_lost
    }

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
        // Less time than a connection is made with, if the call has waited for its turn.
        let left = longest_wait(operation.time_left());
        let turn = self.turn.as_ref();
        let work = caught(async {
            let Some(turn) = turn else { return connection.run(statement, values, want).await };
            let work = async {
                connection.wait_at_most(left).await?;
                connection.run(statement, values, want).await
            };
            turn.during(work).await
        });
        match operation.within(work).await {
            Some(Ok(answer)) => {
                // The next call would have to read what is left of a long answer.
                self.is_busy = !answer.whole;
                operation.find_answer();
                Ok(Ok(answer))
            }
            Some(Err(cause)) => {
                match error::verdict(&cause) {
                    Verdict::Refused | Verdict::Overtaken => self.is_busy = false,
                    verdict => {
                        // The others were made by the same server, or in the same minutes.
                        self.is_lost = true;
                        self.live.give_up();
                        if verdict == Verdict::Lost {
                            operation.lose_answer();
                        }
                    }
                }
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
        let Some(mut connection) = self.connection.take() else { return };
        let is_current = self.age == self.live.age.load(Ordering::Acquire);
        // The thread of SQLite ends what it has begun, and then takes the next statement.
        let is_kept = self.live.source.is_in_memory() && !self.is_lost;
        // The pool of an application starts a task.
        let _entered = self.runtime.enter();
        if is_kept || (!self.is_lost && !self.is_busy && is_current && connection.is_own()) {
            self.live.idle().push((connection, Instant::now()));
        } else if let Some(turn) = self.turn.take().filter(|_| self.is_busy && !self.is_lost) {
            // The thread of SQLite goes on with the statement, and keeps the lock of the file for as long.
            self.runtime.spawn(async move {
                turn.during(connection.end()).await;
                connection.close();
            });
        } else if self.is_lost || self.is_busy {
            connection.close();
        }
    }
}
