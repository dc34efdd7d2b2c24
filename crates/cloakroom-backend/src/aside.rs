//! Work that takes milliseconds of processor time, where it holds up no other task.

use cloakroom_core::{Error, ErrorKind};

use crate::{Needs, Operation};

impl Operation {
    /// Runs `work` on a thread of the runtime's for blocking work, and returns its answer. After the deadline nobody
    /// waits for it any more; it goes on to its end.
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
    /// That of `work` under the name of this operation; [`Timeout`](ErrorKind::Timeout) after the deadline;
    /// [`Other`](ErrorKind::Other) if `work` panics; [`Unavailable`](ErrorKind::Unavailable) if the runtime ends before
    /// it begins; [`Config`](ErrorKind::Config) outside of a runtime with timers.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let task = Needs::Time.check(self)?.spawn_blocking(work);
        match self.within(task).await {
            Some(Ok(done)) => done.map_err(|error| self.named(error)),
            // The panic's own message may hold session data.
            Some(Err(failure)) if failure.is_panic() => {
                Err(self.error(ErrorKind::Other, "the work on another thread panicked"))
            }
            Some(Err(_)) => Err(self.error(ErrorKind::Unavailable, "the runtime has ended")),
            None => Err(self.timeout()),
        }
    }
}
