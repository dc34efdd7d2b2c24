//! The way to the server: the store's own connection, or one that the application lends.

use std::fmt;

use cloakroom_backend::Operation;
use cloakroom_core::Error;
use redis::{Cmd, Value};

use crate::{lent::Lent, own::Own};

pub(crate) enum Connection {
    Own(Own),
    Lent(Lent),
}

impl Connection {
    /// Sends one command and returns the server's answer, a refusal included.
    pub(crate) async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        match self {
            Self::Own(own) => own.send(operation, command).await,
            Self::Lent(lent) => lent.send(operation, command).await,
        }
    }

    /// Refuses what would be done for a part of the keys.
    pub(crate) async fn needs_all_keys(&self, operation: &Operation) -> Result<(), Error> {
        match self {
            // It is not made to a part of the keys.
            Self::Own(_) => Ok(()),
            Self::Lent(lent) => lent.needs_all_keys(operation).await,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(own) => fmt::Debug::fmt(own.target(), f),
            Self::Lent(_) => f.write_str("Lent(..)"),
        }
    }
}
