//! The trait that a store encrypts with.

use std::fmt;

use cloakroom_core::Error;

/// Encrypts and decrypts sessions, so that those who can read the backend cannot read them.
///
/// [`Kruptein`](crate::Kruptein), [`WebCrypto`](crate::WebCrypto) and [`ConnectMongo3`](crate::ConnectMongo3) write
/// what the npm stores write; a [`KeyRing`](crate::KeyRing) reads several formats.
///
/// Both methods can take tens of milliseconds of processor time, because keys are derived slowly on purpose.
/// An async store runs them on a thread for blocking work, as `Operation::aside` of `cloakroom-backend` does.
pub trait Encryption: Send + Sync + fmt::Debug {
    /// Returns the text to store for a session, given as the JSON text of its object. No two calls return the same.
    ///
    /// # Errors
    ///
    /// [`Other`](cloakroom_core::ErrorKind::Other) when the system's random source fails.
    fn encrypt(&self, session_json: &str) -> Result<String, Error>;

    /// Returns the JSON text of the session that was stored as this text.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](cloakroom_core::ErrorKind::Corrupt) when the text has another form, was encrypted with another
    /// secret, or was changed since. The error contains nothing of the text.
    fn decrypt(&self, stored: &str) -> Result<String, Error>;
}
