//! What an operator sees of sessions and stores: spans and events with the feature `tracing`, metrics with the feature
//! `metrics`.
//!
//! Everything that is observed goes through this module, so no other code asks for the features. Without them, its
//! functions do nothing. `docs/observability.md` lists all names.
//!
//! No name, field or label contains a session id, a secret or session data. A span has a keyed hash of the id, by which
//! the spans of one session can be found; see [`set_hash_key`].

#[cfg(any(feature = "metrics", feature = "tracing"))]
mod call;
#[cfg(feature = "metrics")]
mod counts;
mod event;
#[cfg(feature = "tracing")]
mod hash;
#[cfg(not(feature = "metrics"))]
mod no_counts;
#[cfg(not(feature = "tracing"))]
mod no_spans;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod outcome;
#[cfg(feature = "tracing")]
mod spans;
#[cfg(any(feature = "metrics", feature = "tracing"))]
mod store;
#[cfg(feature = "tracing")]
mod verb;

use cloakroom_core::{Error, Store};
#[cfg(not(feature = "metrics"))]
use no_counts as counts;
#[cfg(not(feature = "tracing"))]
use no_spans as spans;

#[cfg(feature = "metrics")]
pub use counts::{DURATION_BUCKETS, METRICS, Metric, describe_metrics};
pub use event::Event;
#[cfg(feature = "tracing")]
pub use hash::set_hash_key;

/// Whether anything is observed: whether one of the features is on. Use it to leave out what only prepares an event.
pub const IS_ON: bool = cfg!(any(feature = "metrics", feature = "tracing"));

/// Returns a store that does the same and observes each operation: a span with the feature `tracing`, and metrics with
/// the feature `metrics`. Without either, it is the store itself.
///
/// The handle `ExpressSession` and the layer observe their store by this. Call it for a store that the application asks
/// without either of them. An operation is observed once, no matter how many observed stores it passes through.
///
/// ```
/// use cloakroom_backend::observe::observed;
/// use cloakroom_core::{MemoryStore, Store};
///
/// assert_eq!(observed(MemoryStore::new()).name(), "memory");
/// ```
#[must_use]
pub fn observed(store: impl Store + 'static) -> Box<dyn Store> {
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    let store = store::Observed::new(store);
    Box::new(store)
}

/// Returns a future that does `work` in a span. `by` is who works, such as `layer`, and `operation` what it does, such
/// as `commit`. Without the feature `tracing`, it is `work` itself.
///
/// ```
/// use cloakroom_backend::observe::verb;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!(verb("layer", "commit", async { Ok(7) }).await?, 7);
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
pub fn verb<T: Send>(
    by: &'static str,
    operation: &'static str,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> impl Future<Output = Result<T, Error>> + Send {
    #[cfg(feature = "tracing")]
    let work = verb::verb(by, operation, work);
    #[cfg(not(feature = "tracing"))]
    let _ = (by, operation);
    work
}

/// Reports an event: to `tracing` and to `metrics`, if their features are on.
///
/// ```
/// use cloakroom_backend::observe::{Event, note};
///
/// note(Event::Reconnected { store: "redis", server: "localhost:6379" });
/// ```
#[inline]
pub fn note(event: Event<'_>) {
    // A handle below a layer leaves it to the layer to say what becomes of sessions.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    if event.is_of_outermost() && call::is_inside() {
        return;
    }
    spans::event(&event);
    counts::event(&event);
}

/// Notes that the operation under way is sent again. Its span says how often it was sent.
#[inline]
pub fn tried_again() {
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    call::tried_again();
}

/// Notes which server the operation under way goes to, for its span. `port` is `None` for a socket of the file system.
#[inline]
pub fn server(address: &str, port: Option<u16>) {
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    call::server(address, port);
    #[cfg(not(any(feature = "metrics", feature = "tracing")))]
    let _ = (address, port);
}
