//! Random bytes.

use cloakroom_core::{Error, ErrorKind};

use crate::error::STORE;

/// Fills `bytes` from the system's random source.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| {
        Error::new(ErrorKind::Other, STORE, "encrypt", "the system's random source failed")
            .with_source(error)
    })
}
