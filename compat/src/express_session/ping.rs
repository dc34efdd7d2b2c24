//! A health check of any store.

use std::time::Duration;

use cloakroom_core::{Error, generate_id};

use super::ExpressSession;
use cloakroom_backend::Idempotency::Read;

/// Most callers count a longer check as failed: Kubernetes gives a probe one second by default.
const DEADLINE: Duration = Duration::from_secs(1);

impl ExpressSession {
    /// Returns `Ok` if the store answers within one second, for the health check of a service. For another limit, call
    /// [`ping_within`](Self::ping_within).
    ///
    /// # Errors
    ///
    /// As [`ping_within`](Self::ping_within).
    pub async fn ping(&self) -> Result<(), Error> {
        self.ping_within(DEADLINE).await
    }

    /// Returns `Ok` if the store answers within this time, or within its own deadline if that is shorter; with `None`,
    /// the deadline is that of other calls by default. The deadline of the options does not count. A check that times
    /// out leaves the connections alone, because other calls may be waiting on them.
    ///
    /// It reads a session under a random id, which does not exist. So it tests what requests need: a connection, the
    /// login, the database. It does not test if the store can be written. Of several Memcached servers it asks one,
    /// chosen by the id.
    ///
    /// # Errors
    ///
    /// [`Timeout`](cloakroom_core::ErrorKind::Timeout) if there is no answer in time, and
    /// [`Unavailable`](cloakroom_core::ErrorKind::Unavailable) if the store cannot be reached. Redis and Memcached
    /// report the latter at once; MongoDB's driver looks for a server for up to two seconds. Otherwise as for
    /// [`get`](Self::get).
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_compat::ExpressSession;
    /// use cloakroom_core::MemoryStore;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let sessions = ExpressSession::new(MemoryStore::new());
    /// let is_healthy = sessions.ping_within(Duration::from_millis(200)).await.is_ok();
    /// assert!(is_healthy);
    /// # });
    /// ```
    pub async fn ping_within(
        &self,
        deadline: impl Into<Option<Duration>> + Send,
    ) -> Result<(), Error> {
        let deadline = deadline.into();
        let sid = generate_id()?;
        let answer = self.run_within(deadline, "ping", Read, self.store.get(&sid)).await;
        answer.map(drop).map_err(|error| {
            // The store names it `get`, an operation that the caller did not ask for.
            let store = error.store().to_owned();
            error.with_context(store, "ping")
        })
    }
}
