//! Updates of large records without a script, on a connection that one call has for itself.
//!
//! Lua inside Redis hashes every byte of a string that enters a script (`luaS_newlstr` in `deps/lua/src/lstring.c` has a
//! `step` of 1). The server needs 1.3 ns for each byte of the stored record, of the one that it is compared with (as much
//! as for a SHA-1 of the stored one), and of the new one: an update of 2 MB blocks it for 8 ms. With `WATCH`, the store
//! compares, no record enters a script, and 2 MB take the server as long as `GET` and `SET`, which is 1 ms.
//!
//! It takes a second round trip. It cannot use the shared connection, because a `WATCH` holds for all that follows on its
//! connection and ends with any `EXEC`. If the server allows no more clients, or the user lacks the permission, the
//! script does the update.
//!
//! `MULTI` is sent with `WATCH`, a round trip before `SET`: a server that refuses `MULTI` alone, as its user's
//! permissions may have it, would execute the `SET` at once and without the condition.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cloakroom_backend::{Connection, Operation, Traffic};
use cloakroom_core::Error;
use redis::Value;
use tokio::{
    runtime::Id,
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{Inner, Own};
use crate::{
    error::{self, ConnectFailure},
    live::{Asked, Live},
    reply,
    swap::{Swap, Swapped},
    target::{Address, Route},
    ttl::Expiry,
};

/// The largest number of such connections. Further updates wait for one.
const MOST: usize = 8;

/// The part of its time for which an update waits for one, before the script does it. All of them may be held by calls
/// that nobody polls, such as those of a runtime that stands still.
const PATIENCE: u32 = 4;

/// How long the script does everything after the server refused a connection or the permission for a command. Without a
/// pause, each update would connect and be refused again.
const PAUSE: Duration = Duration::from_secs(60);

/// An idle connection is not used again after this time, because routers drop such connections silently.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// How often an update looks again if the key was written or touched while it compared.
const TRIES: usize = 3;

/// The connections that single calls use.
pub(super) struct Spare {
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
    /// How often all connections were left. It changes only while `idle` is locked.
    generation: AtomicU64,
    /// When the server last refused.
    refused: Mutex<Option<Instant>>,
}

struct Idle {
    connection: Watching,
    runtime: Id,
    since: Instant,
}

/// A connection, and the transaction on it.
struct Watching {
    live: Arc<Live>,
    /// The generation of [`Spare`] before it was made: in a later one, its server may not be the master any more.
    generation: u64,
    /// Whether a transaction is open: an update that found another record has not ended it.
    is_open: bool,
}

enum Attempt {
    Done(Swapped),
    /// Somebody wrote or touched the key in the meantime.
    Disturbed,
    /// The server lacks one of the commands, or the user the permission for it. Nothing was written, and the script has
    /// to do it.
    Forbidden,
    /// It failed in another way. Nothing was written, and the script does it, or says why it cannot be done.
    Failed,
}

impl Default for Spare {
    fn default() -> Self {
        Self {
            permits: Semaphore::new(MOST),
            idle: Mutex::default(),
            generation: AtomicU64::new(0),
            refused: Mutex::default(),
        }
    }
}

impl Idle {
    fn is_usable(&self) -> bool {
        self.since.elapsed() < LONGEST_IDLE && !self.connection.live.is_over()
    }
}

impl Spare {
    fn take(&self, runtime: Id) -> Option<Watching> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Idle::is_usable);
        let place = idle.iter().rposition(|idle| idle.runtime == runtime)?;
        Some(idle.remove(place).connection)
    }

    fn put(&self, runtime: Id, connection: Watching) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_current(&connection) {
            return;
        }
        // Other runtimes' connections count as well.
        idle.retain(Idle::is_usable);
        if idle.len() >= MOST {
            idle.remove(0);
        }
        idle.push(Idle { connection, runtime, since: Instant::now() });
    }

    /// Leaves all connections, because another server has become the master: the idle ones now, and those in use when
    /// their updates end.
    pub(super) fn leave_all(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::AcqRel);
        let left = std::mem::take(&mut *idle);
        drop(idle);
        // This closes them, which is done without the lock.
        drop(left);
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns true if no connections were left since this one was made.
    fn is_current(&self, connection: &Watching) -> bool {
        connection.generation == self.generation()
    }

    fn pauses(&self) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.is_some_and(|refused| refused.elapsed() < PAUSE)
    }

    fn pause(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Own {
    /// Returns `None` if nothing was written and the script has to do it.
    pub(crate) async fn swap_watched(
        &self,
        operation: &Operation,
        swap: &Swap<'_>,
    ) -> Result<Option<Swapped>, Error> {
        let runtime = self.0.runtimes.current(operation)?.id();
        let spare = &self.0.spare;
        if spare.pauses() {
            return Ok(None);
        }
        let patience = operation.time_left() / PATIENCE;
        let permit = match operation.within(timeout(patience, spare.permits.acquire())).await {
            Some(Ok(permit)) => permit,
            Some(Err(_)) => return Ok(None),
            None => return Err(operation.timeout()),
        };
        // Before the connection: a failover while it is made may leave it at the old master.
        let generation = spare.generation();
        let mut connection = match spare.take(runtime) {
            Some(connection) => connection,
            None => match operation.within(self.0.connect(Arc::new(Traffic::new()))).await {
                Some(Ok(live)) => Watching { live, generation, is_open: false },
                Some(Err(failure)) => {
                    if is_refusal(&failure) {
                        spare.pause();
                    }
                    return Ok(None);
                }
                None => return Err(operation.timeout()),
            },
        };
        // Whenever this returns early or is dropped, the connection is closed, and its WATCH with it.
        let mut swapped = None;
        for _ in 0..TRIES {
            let server = connection.live.address();
            if !spare.is_current(&connection) || !self.0.is_shared_to(runtime, server) {
                return Ok(None);
            }
            match connection.attempt(operation, swap).await? {
                Attempt::Done(done) => {
                    swapped = Some(done);
                    break;
                }
                Attempt::Disturbed => {}
                Attempt::Forbidden => {
                    spare.pause();
                    return Ok(None);
                }
                Attempt::Failed => return Ok(None),
            }
        }
        spare.put(runtime, connection);
        drop(permit);
        Ok(swapped)
    }
}

impl Inner {
    /// Returns true if the shared connection of this runtime leads to the same server. Only that connection is watched for
    /// failovers: with sentinels, one of which is cut off, another connection may lead to an old master that acknowledges
    /// writes which will be lost.
    fn is_shared_to(&self, runtime: Id, server: &Address) -> bool {
        if matches!(self.route, Route::Fixed(_)) {
            return true;
        }
        self.lives.connection(runtime).is_some_and(|live| live.address() == server)
    }
}

impl Watching {
    async fn attempt(&mut self, operation: &Operation, swap: &Swap<'_>) -> Result<Attempt, Error> {
        let reading = operation.reading();
        let mut look = redis::pipe();
        if self.is_open {
            look.cmd("DISCARD");
        }
        // GETEX counts as a write, which a replica rejects: its data may be old, and "does not exist" would end a live
        // session.
        look.cmd("WATCH").arg(swap.key).cmd("GETEX").arg(swap.key).cmd("MULTI");
        let mut answers = match self.live.ask_all(&reading, &look).await {
            Asked::Answered(answers) => answers,
            Asked::Late => return Err(reading.timeout()),
            _ => return Ok(Attempt::Failed),
        };
        if let Some(failure) = failure(&answers) {
            return Ok(failure);
        }
        if self.is_open {
            answers.remove(0);
        }
        let current = match <[Value; 3]>::try_from(answers) {
            Ok([Value::Okay, current, Value::Okay]) => current,
            _ => return Ok(Attempt::Failed),
        };
        self.is_open = true;
        match current {
            Value::BulkString(current) if current == swap.read_from => {}
            Value::BulkString(current) => return Ok(Attempt::Done(Swapped::Other(current))),
            Value::Nil => return Ok(Attempt::Done(Swapped::Missing)),
            _ => return Ok(Attempt::Failed),
        }
        let mut write = redis::pipe();
        // XX: on a server that does not count the end of a watched key as a change, the session is over too.
        write.cmd("SET").arg(swap.key).arg(swap.record).arg("XX");
        if let Expiry::Seconds(seconds) = swap.expiry {
            write.arg("EX").arg(seconds);
        }
        write.cmd("EXEC");
        let answers = match self.live.ask_all(operation, &write).await {
            Asked::Answered(answers) => answers,
            Asked::Late => {
                operation.lose_answer();
                return Err(operation.timeout());
            }
            Asked::Unsent(_) => return Ok(Attempt::Failed),
            Asked::Lost(cause) => {
                operation.lose_answer();
                return Err(error::lost(operation, cause));
            }
            Asked::GivenUp => {
                operation.lose_answer();
                return Err(error::silent(operation));
            }
        };
        self.is_open = false;
        judge(operation, &answers)
    }
}

/// A server that allows no more clients says so and closes the connection at once. What the client has sent by then is
/// answered with a reset, which discards the refusal if it has not been read.
fn is_refusal(failure: &ConnectFailure) -> bool {
    use ConnectFailure::{HungUp, Refused, Timeout};
    matches!(failure, Refused(..) | HungUp(_) | Timeout)
}

/// Returns what follows if one of the answers is an error reply.
fn failure(answers: &[Value]) -> Option<Attempt> {
    let mut refusals = answers.iter().filter_map(|answer| match answer {
        Value::ServerError(refusal) => Some(refusal),
        _ => None,
    });
    let first = refusals.next()?;
    let is_forbidden = error::is_forbidden(first) || refusals.any(error::is_forbidden);
    Some(if is_forbidden { Attempt::Forbidden } else { Attempt::Failed })
}

/// Reads the answers to `SET` and `EXEC`.
fn judge(operation: &Operation, answers: &[Value]) -> Result<Attempt, Error> {
    match answers.last() {
        Some(Value::Nil) => return Ok(Attempt::Disturbed),
        Some(Value::Array(answers)) => match &answers[..] {
            [Value::Okay] => return Ok(Attempt::Done(Swapped::Stored)),
            [Value::Nil] => return Ok(Attempt::Done(Swapped::Missing)),
            [answer] => return Err(reply::refused_or_unexpected(operation, answer)),
            _ => {}
        },
        // It was queued, but nothing executes it.
        Some(Value::ServerError(refusal)) if error::is_forbidden(refusal) => {
            return Ok(Attempt::Forbidden);
        }
        _ => {}
    }
    // The first refusal says why; that of EXEC says only that there was one.
    let refusal = answers.iter().find(|answer| matches!(answer, Value::ServerError(_)));
    if let Some(Value::ServerError(refusal)) = refusal
        && matches!(error::code_and_detail(refusal).0, "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN")
    {
        // The slot of the key has gone to another node of the cluster in the meantime, which the script finds, or the
        // cluster is down for a moment, for which it waits.
        return Ok(Attempt::Failed);
    }
    Err(reply::refused_or_unexpected(operation, refusal.unwrap_or(&Value::Nil)))
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;

    use super::*;

    async fn connect(spare: &Spare) -> Watching {
        let generation = spare.generation();
        Watching { live: Live::of_test("h").await, generation, is_open: false }
    }

    #[tokio::test]
    async fn a_connection_in_use_during_a_failover_is_not_used_again() {
        let (spare, runtime) = (Spare::default(), Handle::current().id());
        spare.put(runtime, connect(&spare).await);
        let in_use = spare.take(runtime).unwrap();
        spare.put(runtime, connect(&spare).await);
        spare.leave_all();
        assert!(spare.take(runtime).is_none(), "the idle one is left");
        spare.put(runtime, in_use);
        assert!(spare.take(runtime).is_none(), "the one in use is left when it comes back");
        spare.put(runtime, connect(&spare).await);
        assert!(spare.take(runtime).is_some(), "a new one is kept");
    }
}
