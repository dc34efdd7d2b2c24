//! The way to the server: the store's own connection, or one that the application lends.

use std::fmt;

use cloakroom_core::Error;
use redis::{Cmd, Value};

use crate::{
    call::{Call, Effect},
    lent::Lent,
    own::Own,
};

pub(crate) enum Connection {
    Own(Own),
    Lent(Lent),
}

impl Connection {
    /// Sends one command and returns the server's answer, a refusal included.
    pub(crate) async fn send(
        &self,
        call: &Call,
        effect: Effect,
        command: &Cmd,
    ) -> Result<Value, Error> {
        match self {
            Self::Own(own) => own.send(call, effect, command).await,
            Self::Lent(lent) => lent.send(call, effect, command).await,
        }
    }

    /// Refuses what would be done for a part of the keys.
    pub(crate) async fn needs_all_keys(&self, call: &Call) -> Result<(), Error> {
        match self {
            // It is not made to a part of the keys.
            Self::Own(_) => Ok(()),
            Self::Lent(lent) => lent.needs_all_keys(call).await,
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
