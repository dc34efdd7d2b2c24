//! The errors of all encryptions.

use cloakroom_core::{Error, ErrorKind};

/// The store's name in these errors, until a store replaces it with its own.
pub(crate) const STORE: &str = "encryption";

/// Returns the error for an invalid option.
pub(crate) fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, STORE, "new", message)
}

/// Returns the error for a stored text. None of these messages quotes it: even an encrypted session does not belong in
/// a log.
pub(crate) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, STORE, "decrypt", message)
}

pub(crate) fn other_form() -> Error {
    corrupt("the stored text is not in the format of this encryption")
}

/// A wrong secret and a changed text look the same: in both cases the HMAC or the tag does not match.
pub(crate) fn not_verified() -> Error {
    corrupt("the stored text was encrypted with another secret, or was modified")
}
