//! The trait with which a store encrypts.

use std::{fmt, sync::Arc};

use cloakroom_core::Error;

/// Encrypts and decrypts sessions, so that access to the backend does not reveal them.
///
/// [`Kruptein`](crate::Kruptein), [`WebCrypto`](crate::WebCrypto) and [`ConnectMongo3`](crate::ConnectMongo3) use the
/// formats of the npm stores; a [`KeyRing`](crate::KeyRing) reads several formats.
///
/// Both methods can take tens of milliseconds of processor time, because deriving a key is slow on purpose. An async
/// store must run them on a thread for blocking work, for example with `Operation::aside` of `cloakroom-backend`.
pub trait Encryption: Send + Sync + fmt::Debug {
    /// Returns the text to store for the JSON text of a session. Each call returns a different text.
    ///
    /// # Errors
    ///
    /// [`Other`](cloakroom_core::ErrorKind::Other) if the system's random source fails.
    fn encrypt(&self, session_json: &str) -> Result<String, Error>;

    /// Returns the JSON text of the session in a stored text.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](cloakroom_core::ErrorKind::Corrupt) if the text is in another format, was encrypted with another
    /// secret, or was modified. The error does not quote the text.
    fn decrypt(&self, stored: &str) -> Result<String, Error>;
}

/// Several stores can share an encryption, also one that is a trait object.
impl<E: Encryption + ?Sized> Encryption for Arc<E> {
    fn encrypt(&self, session_json: &str) -> Result<String, Error> {
        (**self).encrypt(session_json)
    }

    fn decrypt(&self, stored: &str) -> Result<String, Error> {
        (**self).decrypt(stored)
    }
}
