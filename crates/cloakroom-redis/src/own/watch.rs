//! Updates of large records without a script, on a connection that one call has for itself.
//!
//! Lua inside Redis hashes every byte of a string that enters a script (`luaS_newlstr` in `deps/lua/src/lstring.c` has a
//! `step` of 1). The server needs 1.3 ns for each byte of the stored record, of the one that it is compared with (as much
//! as for a SHA-1 of the stored one), and of the new one: an update of 2 MB blocks it for 8 ms. With `WATCH`, the store
//! compares, no record enters a script, and 2 MB take the server as long as `GET` and `SET`, which is 1 ms.
//!
//! It takes a second round trip. It cannot use the shared connection, because a `WATCH` holds for all that follows on its
//! connection and ends with any `EXEC`. The script does it after all if a server allows no more clients, or
//! a user lacks the permission.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use redis::Value;
use tokio::{runtime::Id, sync::Semaphore, time::Instant};

use super::Own;
use crate::{
    error,
    live::{Asked, Live},
    reply,
    swap::{Swap, Swapped},
    traffic::Traffic,
    ttl::Expiry,
};

/// The largest number of such connections. Further updates wait for one.
const MOST: usize = 8;

/// An idle connection is not used again after this time, because routers drop such connections silently.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// How often an update looks again if the key was written or touched while it compared.
const TRIES: usize = 3;

/// The connections that single calls use.
pub(super) struct Spare {
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    live: Arc<Live>,
    runtime: Id,
    since: Instant,
}

enum Attempt {
    Done(Swapped),
    /// Somebody wrote or touched the key in the meantime.
    Disturbed,
    /// Nothing was written, and the script has to do it.
    Impossible,
}

impl Default for Spare {
    fn default() -> Self {
        Self { permits: Semaphore::new(MOST), idle: Mutex::default() }
    }
}

impl Spare {
    fn take(&self, runtime: Id) -> Option<Arc<Live>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < LONGEST_IDLE && !idle.live.is_over());
        let place = idle.iter().rposition(|idle| idle.runtime == runtime)?;
        Some(idle.swap_remove(place).live)
    }

    fn put(&self, runtime: Id, live: Arc<Live>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Idle { live, runtime, since: Instant::now() });
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
        let Some(_permit) = operation.within(self.0.spare.permits.acquire()).await else {
            return Err(operation.timeout());
        };
        let live = match self.0.spare.take(runtime) {
            Some(live) => live,
            None => match operation.within(self.0.connect(Arc::new(Traffic::new()))).await {
                Some(Ok(live)) => live,
                Some(Err(_)) => return Ok(None),
                None => return Err(operation.timeout()),
            },
        };
        // Whenever this returns early or is dropped, the connection is closed, and its WATCH with it.
        for _ in 0..TRIES {
            match attempt(&live, operation, swap).await? {
                Attempt::Done(swapped) => {
                    self.0.spare.put(runtime, live);
                    return Ok(Some(swapped));
                }
                Attempt::Disturbed => {}
                Attempt::Impossible => return Ok(None),
            }
        }
        self.0.spare.put(runtime, live);
        Ok(None)
    }
}

async fn attempt(live: &Live, operation: &Operation, swap: &Swap<'_>) -> Result<Attempt, Error> {
    let reading = operation.reading();
    let mut look = redis::pipe();
    // UNWATCH ends what an update left behind that found another record. GETEX counts as a write, which a replica
    // rejects: its data may be old, and "does not exist" would end a live session.
    look.cmd("UNWATCH").cmd("WATCH").arg(swap.key).cmd("GETEX").arg(swap.key);
    let answers = match live.ask_all(&reading, &look).await {
        Asked::Answered(answers) => answers,
        Asked::Late => return Err(reading.timeout()),
        _ => return Ok(Attempt::Impossible),
    };
    let current = match <[Value; 3]>::try_from(answers) {
        Ok([Value::Okay, Value::Okay, Value::BulkString(current)]) => current,
        Ok([Value::Okay, Value::Okay, Value::Nil]) => return Ok(Attempt::Done(Swapped::Missing)),
        _ => return Ok(Attempt::Impossible),
    };
    if current != swap.read_from {
        return Ok(Attempt::Done(Swapped::Other(current)));
    }
    drop(current);
    let mut write = redis::pipe();
    // XX: before Redis 6.0.9, EXEC does not notice that a watched key has expired.
    write.cmd("MULTI").cmd("SET").arg(swap.key).arg(swap.record).arg("XX");
    if let Expiry::Seconds(seconds) = swap.expiry {
        write.arg("EX").arg(seconds);
    }
    write.cmd("EXEC");
    match live.ask_all(operation, &write).await {
        Asked::Answered(answers) => judge(operation, &answers),
        Asked::Late => {
            operation.lose_answer();
            Err(operation.timeout())
        }
        Asked::Unsent(_) => Ok(Attempt::Impossible),
        Asked::Lost(cause) => {
            operation.lose_answer();
            Err(error::lost(operation, cause))
        }
        Asked::GivenUp => {
            operation.lose_answer();
            Err(error::silent(operation))
        }
    }
}

/// Reads the answers to `MULTI`, `SET` and `EXEC`.
fn judge(operation: &Operation, answers: &[Value]) -> Result<Attempt, Error> {
    match answers.last() {
        Some(Value::Nil) => return Ok(Attempt::Disturbed),
        Some(Value::Array(answers)) => match &answers[..] {
            [Value::Okay] => return Ok(Attempt::Done(Swapped::Stored)),
            [Value::Nil] => return Ok(Attempt::Done(Swapped::Missing)),
            [answer] => return Err(reply::refused_or_unexpected(operation, answer)),
            _ => {}
        },
        _ => {}
    }
    // The first refusal says why; that of EXEC says only that there was one.
    let refusal = answers.iter().find(|answer| matches!(answer, Value::ServerError(_)));
    Err(reply::refused_or_unexpected(operation, refusal.unwrap_or(&Value::Nil)))
}
