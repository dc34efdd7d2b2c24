//! Removes expired rows, in batches, so that no other call waits for long.

use std::{convert::Infallible, future::pending, time::Duration};

use cloakroom_backend::{Idempotency, in_part, jitter};
use cloakroom_core::Error;

use crate::{call::Call, statement::Values, store::SqlStore};

/// The number of rows per statement.
pub(crate) const BATCH: i64 = 1_000;

/// The shortest pause, so that no interval keeps the database busy.
const SHORTEST: Duration = Duration::from_millis(10);

impl SqlStore {
    /// Removes the expired rows, and returns how many there were. Expired sessions are never returned, even before they
    /// are removed.
    ///
    /// # Errors
    ///
    /// The store's own errors. Each batch of 1,000 rows has its own deadline; those before the error are removed.
    pub async fn remove_expired(&self) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            let operation = self.operation("remove_expired", Idempotency::Repeatable);
            let checked = self.checked(&operation).await.map_err(in_part(removed > 0))?;
            let answer = self
                .run(&operation, |now_ms| {
                    let values = self.values(&checked, "", now_ms);
                    Call::write(&checked.statements.prune, Values { limit: BATCH, ..values })
                })
                .await;
            let affected = answer.map_err(in_part(removed > 0))?.affected;
            removed += affected;
            if affected < BATCH.unsigned_abs() {
                return Ok(removed);
            }
        }
    }

    /// Removes the expired rows again and again, until the future is dropped. The pauses are between half of `interval`
    /// and one and a half of it at random, as in connect-pg-simple, so that processes do not prune at the same time; none
    /// is shorter than 10 ms.
    ///
    /// `failed` gets each error, after which it goes on. On a runtime without timers, that is its only error, and it does
    /// nothing else.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use cloakroom_sql::SqlStore;
    ///
    /// # async fn example() -> Result<(), cloakroom_core::Error> {
    /// let store = SqlStore::open("postgres://localhost/app")?;
    /// let pruning = store.clone();
    /// let task = tokio::spawn(async move {
    ///     pruning.remove_expired_every(Duration::from_secs(900), |error| eprintln!("{error}")).await
    /// });
    /// // To end it:
    /// task.abort();
    /// # Ok(()) }
    /// ```
    pub async fn remove_expired_every(
        &self,
        interval: Duration,
        mut failed: impl FnMut(Error) + Send,
    ) -> Infallible {
        if let Err(error) = self.check_runtime("remove_expired_every") {
            failed(error);
            return pending().await;
        }
        let shortest = (interval / 2).max(SHORTEST);
        let longest = interval.saturating_add(interval / 2).max(shortest);
        loop {
            // Not at once: the pause also keeps processes apart that start together.
            tokio::time::sleep(jitter(shortest..=longest)).await;
            if let Err(error) = self.remove_expired().await {
                failed(error);
            }
        }
    }
}
