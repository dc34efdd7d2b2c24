//! The connection to the server: the store's own, or one that the application shares with it.

use std::fmt;

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use redis::{Cmd, Value};

use crate::{given::Given, own::Own};

pub(crate) enum Connection {
    Own(Own),
    Given(Given),
}

impl Connection {
    /// Sends one command and returns the server's answer, which may be an error reply.
    pub(crate) async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        match self {
            Self::Own(own) => own.send(operation, command).await,
            // Boxed, because the future of any connection may be large, and each call would reserve room for it.
            Self::Given(given) => Box::pin(given.send(operation, command)).await,
        }
    }

    /// Returns true if the server can compare a value with the one that it replaces, by `SET … IFEQ`.
    pub(crate) async fn has_ifeq(&self, operation: &Operation) -> Result<bool, Error> {
        match self {
            Self::Own(own) => own.has_ifeq(operation).await,
            Self::Given(given) => Ok(given.about(operation).await?.has_ifeq),
        }
    }

    /// Rejects an operation that would reach only a part of the keys.
    pub(crate) async fn needs_all_keys(&self, operation: &Operation) -> Result<(), Error> {
        match self {
            // The login rejects cluster nodes, so this server has all keys.
            Self::Own(_) => Ok(()),
            Self::Given(given) => given.needs_all_keys(operation).await,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(own) => fmt::Debug::fmt(own.target(), f),
            Self::Given(_) => f.write_str("Given(..)"),
        }
    }
}
