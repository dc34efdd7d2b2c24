//! Removes expired rows, in batches, so that no other call waits for long.

use std::{convert::Infallible, time::Duration};

use cloakroom_backend::{Idempotency, in_part, jitter};
use cloakroom_core::Error;

use crate::{
    connection::Want,
    statement::{Statement, Statements},
    store::SqlStore,
};

/// The number of rows per statement.
const BATCH: i64 = 1_000;

impl SqlStore {
    /// Removes the expired rows, and returns how many there were. Expired sessions are never returned, even before they
    /// are removed.
    ///
    /// # Errors
    ///
    /// The store's own errors. Each batch of 1,000 rows has its own deadline; those before the error are removed.
    pub async fn prune_expired(&self) -> Result<u64, Error> {
        self.remove("prune_expired", |statements| &statements.prune).await
    }

    /// Sends a statement that removes a batch, until there is nothing left to remove.
    pub(crate) async fn remove(
        &self,
        name: &'static str,
        statement: fn(&Statements) -> &Statement,
    ) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            let operation = self.operation(name, Idempotency::Repeatable);
            let checked = self.checked(&operation).await?;
            let mut values = self.values(&checked, "", self.now_ms());
            values.limit = BATCH;
            let statement = statement(&checked.statements);
            let answer = self.run(&operation, statement, &values, Want::Affected).await;
            let affected = answer.map_err(in_part(removed > 0))?.affected;
            removed += affected;
            if affected < BATCH.unsigned_abs() {
                return Ok(removed);
            }
        }
    }

    /// Removes the expired rows again and again, until the future is dropped. The pauses are between half of `interval`
    /// and one and a half of it at random, as in connect-pg-simple, so that processes do not prune at the same time.
    ///
    /// `failed` gets each error, after which it goes on.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use cloakroom_sql::SqlStore;
    ///
    /// # async fn example() -> Result<(), cloakroom_core::Error> {
    /// let store = SqlStore::open("postgres://localhost/app")?;
    /// let pruning = store.clone();
    /// let task = tokio::spawn(async move {
    ///     pruning.prune_every(Duration::from_secs(900), |error| eprintln!("{error}")).await
    /// });
    /// // To end it:
    /// task.abort();
    /// # Ok(()) }
    /// ```
    pub async fn prune_every(
        &self,
        interval: Duration,
        mut failed: impl FnMut(Error) + Send,
    ) -> Infallible {
        loop {
            // Not at once: the pause also keeps processes apart that start together.
            let longest = interval.saturating_add(interval / 2);
            tokio::time::sleep(jitter(interval / 2..=longest)).await;
            if let Err(error) = self.prune_expired().await {
                failed(error);
            }
        }
    }
}
