//! Events of the driver: a server answered, or an operation got a connection.
//!
//! The driver's errors do not say whether a command was sent, on which it depends whether the outcome of a write is
//! unknown. Its events do.

use std::{io, sync::Arc};

use cloakroom_backend::Traffic;
use mongodb::{
    error::{Error as MongoError, ErrorKind as MongoKind},
    event::{EventHandler, cmap::CmapEvent, sdam::SdamEvent},
    options::ClientOptions,
};
use tokio::time::Instant;

use crate::{sending, topology::Topology};

/// What the servers of a client send together, and what is known of them for the operator.
#[derive(Debug)]
pub(crate) struct Health(Traffic, Arc<Topology>);

impl Health {
    pub(crate) fn new(topology: Arc<Topology>) -> Self {
        let traffic = Traffic::new();
        // Nothing speaks against the servers of a new client.
        traffic.note_received();
        Self(traffic, topology)
    }

    /// Tells the operator that the client was given up.
    pub(crate) fn give_up(&self) {
        self.1.give_up();
    }

    /// Registers this value for the driver's events.
    pub(crate) fn watch(self: &Arc<Self>, options: &mut ClientOptions) {
        let health = Arc::clone(self);
        options.sdam_event_handler = Some(EventHandler::callback(move |event| match event {
            SdamEvent::ServerHeartbeatSucceeded(_) => health.0.note_received(),
            SdamEvent::ServerHeartbeatFailed(event) => {
                let is_silent = is_silence(&event.failure);
                if !is_silent {
                    health.0.note_received();
                }
                Topology::failed(&event.server_address, is_silent);
            }
            SdamEvent::ServerDescriptionChanged(event) => health.1.changed(&event),
            _ => {}
        }));
        // The driver calls it in the operation's task, right before it writes the command.
        options.cmap_event_handler = Some(EventHandler::callback(|event| {
            if let CmapEvent::ConnectionCheckedOut(_) = event {
                sending::note();
            }
        }));
    }

    /// Returns true if a server has answered or rejected a heartbeat since then.
    pub(crate) fn has_heard_since(&self, then: Instant) -> bool {
        self.0.has_received_since(then.into_std())
    }
}

/// Returns true if a heartbeat failed because the server was silent.
fn is_silence(failure: &MongoError) -> bool {
    matches!(&*failure.kind, MongoKind::Io(io) if io.kind() == io::ErrorKind::TimedOut)
}
