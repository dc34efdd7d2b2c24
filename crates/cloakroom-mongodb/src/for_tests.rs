//! For the tests of this workspace only, which decode documents without a server. Any release may change or remove it.

use std::time::Duration;

use cloakroom_backend::{Idempotency, Operation};
use cloakroom_core::{Error, SessionData};

use crate::{MongoOptions, document, error};

fn operation() -> Operation {
    Operation::start(error::STORE, "get", Idempotency::Read, Duration::from_secs(5))
}

/// Returns the live session in a document, which is not encrypted.
///
/// # Errors
///
/// [`Corrupt`](cloakroom_core::ErrorKind::Corrupt), as the store's.
pub fn decode(options: &MongoOptions, document: &[u8]) -> Result<Option<SessionData>, Error> {
    options.decode(&operation(), document)
}

/// Returns the JSON text of a session that is stored as a document.
///
/// # Errors
///
/// [`Corrupt`](cloakroom_core::ErrorKind::Corrupt) if the bytes are not a document.
pub fn to_json(document: &[u8]) -> Result<String, Error> {
    document::to_json(document)
        .map_err(|_| error::corrupt(&operation(), "the document is not well-formed"))
}

/// Returns the document that stores the JSON text of a session; unchanged members are copied from `base`.
///
/// # Errors
///
/// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if a document cannot hold the session.
pub fn from_json(text: &str, base: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    document::from_json(text, base).map_err(|why| error::unfit(&operation(), why))
}
