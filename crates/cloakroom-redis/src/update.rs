//! Writes a record only if it is still the one that was read.
//!
//! | the server | the commands | its work for 500 bytes, 20 KB, 200 KB |
//! | --- | --- | --- |
//! | Redis 8.4, Valkey 8.1 or later | `SET … IFEQ` | 1, 5, 90 µs |
//! | older, large records | `WATCH`, `MULTI` and `EXEC`, in `own/watch.rs` | 15, 17, 81 µs |
//! | older, other records | the script [`UPDATE`] | 4, 77, 764 µs |
//!
//! The work is the processor time beyond that of `PING`, one command at a time: of Valkey 9.1 in the first row, and of
//! Redis 7.0.15.

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use redis::Value;

use crate::{
    RedisStore,
    command::command,
    error, reply,
    script::UPDATE,
    swap::{Swap, Swapped},
    ttl::Expiry,
};

impl RedisStore {
    pub(crate) async fn swap(
        &self,
        operation: &Operation,
        swap: &Swap<'_>,
    ) -> Result<Swapped, Error> {
        // Redis and Valkey have different commands to delete a value by condition, and the script is the same for both.
        let swapped = if matches!(swap.expiry, Expiry::Passed) {
            None
        } else if self.connection().has_ifeq(operation, swap.key).await? {
            self.swap_by_set(operation, swap).await?
        } else if swap.is_large() {
            self.connection().swap_watched(operation, swap).await?
        } else {
            None
        };
        match swapped {
            Some(swapped) => Ok(swapped),
            None => self.swap_by_script(operation, swap).await,
        }
    }

    /// Returns `None` if the server lacks one of the commands and nothing was written.
    async fn swap_by_set(
        &self,
        operation: &Operation,
        swap: &Swap<'_>,
    ) -> Result<Option<Swapped>, Error> {
        let mut set = command("SET", swap.key, swap.record.len() + swap.read_from.len());
        set.arg(swap.record).arg("IFEQ").arg(swap.read_from);
        if let Expiry::Seconds(seconds) = swap.expiry {
            set.arg("EX").arg(seconds);
        }
        match self.send(operation, &set).await? {
            Value::Okay => return Ok(Some(Swapped::Stored)),
            Value::Nil => {}
            // Another node of a cluster, or another server after a failover, may be older.
            Value::ServerError(refusal) if error::is_syntax_error(&refusal) => return Ok(None),
            answer => return Err(reply::refused_or_unexpected(operation, &answer)),
        }
        // Nothing was written, so from here on it only reads. GETEX counts as a write, which a replica rejects: its data
        // may be old, and "does not exist" would end a live session.
        let operation = &operation.reading();
        match self.send(operation, &command("GETEX", swap.key, 0)).await? {
            Value::ServerError(refusal) if error::is_unknown_command(&refusal) => Ok(None),
            answer => {
                let current = reply::text(operation, answer)?;
                Ok(Some(current.map_or(Swapped::Missing, Swapped::Other)))
            }
        }
    }

    async fn swap_by_script(
        &self,
        operation: &Operation,
        swap: &Swap<'_>,
    ) -> Result<Swapped, Error> {
        let seconds = match swap.expiry {
            Expiry::Seconds(seconds) => &*seconds.to_string(),
            Expiry::Never => "0",
            Expiry::Passed => "-1",
        };
        let arguments = [swap.read_from, seconds.as_bytes(), swap.record];
        match UPDATE.run(self.connection(), operation, swap.key, &arguments).await? {
            Value::Int(1) => Ok(Swapped::Stored),
            Value::Int(_) => Ok(Swapped::Missing),
            answer => Ok(reply::text(operation, answer)?.map_or(Swapped::Missing, Swapped::Other)),
        }
    }
}
