//! Notifies the operator of the servers: which ones the driver reaches, and which one is the primary.
//!
//! The driver connects by itself, so its events are all that is known.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cloakroom_backend::observe::{self, Event, note};
use cloakroom_core::ErrorKind;
use mongodb::{
    ServerType, error::ErrorKind as MongoKind, event::sdam::ServerDescriptionChangedEvent,
    options::ServerAddress,
};

use crate::error::STORE;

/// The servers of a store, as all its clients see them.
#[derive(Debug, Default)]
pub(crate) struct Topology(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    reached: HashSet<String>,
    /// Servers that were lost and not reached since.
    lost: HashSet<String>,
    /// The server that accepts writes, or was the last one to do so.
    primary: Option<ServerAddress>,
}

impl Topology {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the operator what a changed description means.
    pub(crate) fn changed(&self, event: &ServerDescriptionChangedEvent) {
        let server = &*event.address.to_string();
        let is_reached = |kind| kind != ServerType::Unknown;
        let (before, now) =
            (event.previous_description.server_type(), event.new_description.server_type());
        match (is_reached(before), is_reached(now)) {
            (false, true) => {
                let was_lost = {
                    let mut known = self.known();
                    known.reached.insert(server.to_owned());
                    known.lost.remove(server)
                };
                note(if was_lost {
                    Event::Reconnected { store: STORE, server }
                } else {
                    Event::Connected { store: STORE, server }
                });
            }
            (true, false) => {
                // The driver forgets a server also when it says that it is not the primary.
                let is_closed = event
                    .new_description
                    .error()
                    .is_none_or(|error| matches!(&*error.kind, MongoKind::Io(_)));
                self.lose(server, if is_closed { "closed" } else { "replica" });
            }
            _ => {}
        }
        let decides = matches!(
            now,
            ServerType::RsPrimary
                | ServerType::Standalone
                | ServerType::Mongos
                | ServerType::LoadBalancer
        );
        if decides {
            let before = self.known().primary.replace(event.address.clone());
            if now == ServerType::RsPrimary && before.is_some_and(|before| before != event.address)
            {
                note(Event::Failover { store: STORE, server });
            }
        }
    }

    /// Returns true if any server has said that it accepts writes.
    pub(crate) fn has_seen_primary(&self) -> bool {
        self.known().primary.is_some()
    }

    /// Tells the operator that a server was asked whether it is there, and did not say so.
    pub(crate) fn failed(server: &ServerAddress, is_silent: bool) {
        let kind = if is_silent { ErrorKind::Timeout } else { ErrorKind::Unavailable };
        note(Event::ConnectFailed { store: STORE, server: &server.to_string(), kind });
    }

    /// Tells the operator that a client was given up, and its connections with it.
    pub(crate) fn give_up(&self) {
        let reached: Vec<String> = self.known().reached.iter().cloned().collect();
        for server in reached {
            self.lose(&server, "silent");
        }
    }

    fn lose(&self, server: &str, reason: &'static str) {
        {
            let mut known = self.known();
            known.reached.remove(server);
            known.lost.insert(server.to_owned());
        }
        note(Event::ConnectionLost { store: STORE, server, reason });
    }

    /// Notes that the operation under way goes to the server that accepts writes, if that is known.
    pub(crate) fn note_server(&self) {
        if !observe::IS_ON {
            return;
        }
        match self.known().primary.clone() {
            Some(ServerAddress::Tcp { host, port }) => {
                observe::server(&host, Some(port.unwrap_or(27_017)));
            }
            Some(ServerAddress::Unix { path }) => {
                observe::server(path.to_str().unwrap_or_default(), None);
            }
            _ => {}
        }
    }
}
