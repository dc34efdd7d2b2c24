//! What the driver tells while it works: that a server was heard of, and that an operation got a connection.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use mongodb::{
    error::{Error as MongoError, ErrorKind as MongoKind},
    event::{EventHandler, cmap::CmapEvent, sdam::SdamEvent},
    options::ClientOptions,
};
use tokio::time::Instant;

tokio::task_local! {
    /// Whether the operation of this task has had a connection to send its command on.
    static SENT: Arc<AtomicBool>;
}

/// Runs an operation, and notes in `sent` when it gets a connection that is ready.
pub(crate) async fn noting<T>(sent: Arc<AtomicBool>, operation: impl Future<Output = T>) -> T {
    SENT.scope(sent, operation).await
}

/// When any of a client's servers was last heard of.
#[derive(Debug)]
pub(crate) struct Health(Mutex<Instant>);

impl Health {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Has the driver report to this health, and to the operations that it runs.
    pub(crate) fn watch(self: &Arc<Self>, options: &mut ClientOptions) {
        let health = Arc::clone(self);
        options.sdam_event_handler = Some(EventHandler::callback(move |event| match event {
            SdamEvent::ServerHeartbeatSucceeded(_) => health.hear(),
            SdamEvent::ServerHeartbeatFailed(event) if !is_silence(&event.failure) => health.hear(),
            _ => {}
        }));
        // It comes in the task of the operation, right before the command is written.
        options.cmap_event_handler = Some(EventHandler::callback(|event| {
            if let CmapEvent::ConnectionCheckedOut(_) = event {
                // A connection that the driver takes for itself belongs to no operation.
                let _ = SENT.try_with(|sent| sent.store(true, Ordering::Release));
            }
        }));
    }

    /// Returns true if a server has answered or refused a heartbeat since then.
    pub(crate) fn has_heard_since(&self, then: Instant) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) > then
    }

    fn hear(&self) {
        // Nothing panics while the lock is held.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Whether a heartbeat failed because nothing came.
fn is_silence(failure: &MongoError) -> bool {
    matches!(&*failure.kind, MongoKind::Io(io) if io.kind() == io::ErrorKind::TimedOut)
}
