//! Work that takes processor time, run where it holds up no task.

use cloakroom_core::{Error, ErrorKind};
use tokio::runtime::Handle;

use crate::error::STORE;

/// Runs an encryption's work on a thread that the current tokio runtime keeps for blocking work.
///
/// Returns what the work returns. Once it has begun it runs to its end, also when the future is dropped.
///
/// # Errors
///
/// Those of the work, and besides:
///
/// - [`Config`](ErrorKind::Config) outside of a tokio runtime.
/// - [`Other`](ErrorKind::Other) when the work panicked. The error does not contain the panic's message, which could
///   quote the session.
/// - [`Unavailable`](ErrorKind::Unavailable) when the runtime shut down before the work began.
///
/// ```
/// use std::sync::Arc;
/// use cloakroom_encryption::{Encryption, WebCrypto, WebCryptoOptions, aside};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let mut options = WebCryptoOptions::default();
/// # options.iterations = 1;
/// let encryption: Arc<dyn Encryption> = Arc::new(WebCrypto::new("s3cret", options)?);
///
/// let stored = aside(move || encryption.encrypt(r#"{"cookie":{}}"#)).await?;
/// # assert!(!stored.contains("cookie"));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let failed = |kind, message: &'static str| Error::new(kind, STORE, "aside", message);
    let runtime = Handle::try_current()
        .map_err(|_| failed(ErrorKind::Config, "must be called from within a tokio runtime"))?;
    match runtime.spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => Err(failed(ErrorKind::Other, "the encryption panicked")),
        Err(_) => Err(failed(ErrorKind::Unavailable, "the tokio runtime has shut down")),
    }
}
