//! A health check of whatever store there is.

use std::time::Duration;

use cloakroom_core::{Error, generate_id};

use super::ExpressSession;
use cloakroom_backend::Idempotency::Read;

/// A check that takes longer is a failed one to most who ask: Kubernetes gives a probe one second.
const DEADLINE: Duration = Duration::from_secs(1);

impl ExpressSession {
    /// Returns `Ok` if the store answers within one second: what a health check of a service asks.
    ///
    /// As [`ping_within`](Self::ping_within).
    ///
    /// # Errors
    ///
    /// As [`ping_within`](Self::ping_within).
    pub async fn ping(&self) -> Result<(), Error> {
        self.ping_within(DEADLINE).await
    }

    /// Returns `Ok` if the store answers within this time, or within its own deadline if that is shorter. The deadline of
    /// the options does not count. A check that ends early leaves the connections as they are: others may wait on them.
    ///
    /// It reads a session that does not exist, under an id that nobody has been given, so it tests what requests need: a
    /// connection, the login, the database. It does not test whether the store can be written, and of several Memcached
    /// servers it asks one, a different one each time.
    ///
    /// # Errors
    ///
    /// [`Timeout`](cloakroom_core::ErrorKind::Timeout) when there is no answer by then, and
    /// [`Unavailable`](cloakroom_core::ErrorKind::Unavailable) when the store cannot be reached. Redis and Memcached tell
    /// the latter at once; MongoDB's driver looks for a server for up to two seconds. Then as [`get`](Self::get).
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
    pub async fn ping_within(&self, deadline: Duration) -> Result<(), Error> {
        let sid = generate_id()?;
        let answer = self.run_within(deadline, "ping", Read, self.store.get(&sid)).await;
        answer.map(drop).map_err(|error| {
            // The store calls it a get, which nobody has asked for.
            let store = error.store().to_owned();
            error.with_context(store, "ping")
        })
    }
}
