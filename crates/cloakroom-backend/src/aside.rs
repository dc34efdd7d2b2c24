//! Runs work that takes milliseconds of processor time without blocking other tasks.
//!
//! Deriving a key of kruptein takes about 10 ms. On a worker thread of the runtime, all other requests of that thread
//! would wait for it.

use cloakroom_core::{Error, ErrorKind};

use crate::{Needs, Operation};

impl Operation {
    /// Runs `work` on one of the runtime's threads for blocking work, and returns its result. If the deadline passes
    /// first, `work` continues, but its result is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom_backend::{Idempotency, Operation};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let limit = Duration::from_secs(60);
    /// let operation = Operation::start("mongodb", "set", Idempotency::Once, limit);
    /// assert_eq!(operation.aside(|| Ok(6 * 7)).await?, 42);
    /// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The error of `work`, under the name of this operation; [`Timeout`](ErrorKind::Timeout) after the deadline;
    /// [`Other`](ErrorKind::Other) if `work` panics; [`Unavailable`](ErrorKind::Unavailable) if the runtime shuts down
    /// before `work` starts; [`Config`](ErrorKind::Config) outside of a runtime with timers.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let task = Needs::Time.check(self)?.spawn_blocking(work);
        match self.within(task).await {
            Some(Ok(done)) => done.map_err(|error| self.named(error)),
            // The panic's message may contain session data.
            Some(Err(failure)) if failure.is_panic() => {
                Err(self.error(ErrorKind::Other, "the work on another thread panicked"))
            }
            Some(Err(_)) => Err(self.error(ErrorKind::Unavailable, "the runtime has shut down")),
            None => Err(self.timeout()),
        }
    }
}
