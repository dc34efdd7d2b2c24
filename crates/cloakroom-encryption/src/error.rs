//! The errors of all encryptions.

use cloakroom_core::{Error, ErrorKind};

/// The store that these errors name until a store puts its own name there.
pub(crate) const STORE: &str = "encryption";

/// An option that is not accepted.
pub(crate) fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, STORE, "new", message)
}

pub(crate) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, STORE, "decrypt", message)
}

pub(crate) fn other_form() -> Error {
    corrupt("the stored text has another form")
}

pub(crate) fn not_verified() -> Error {
    corrupt("the stored text was encrypted with another secret, or changed since")
}
