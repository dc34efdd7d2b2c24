//! Sessions encrypted at rest, in the formats of connect-memcached and connect-mongo.

mod cbc;
mod connect_mongo_3;
mod der;
mod encode_as;
mod gcm;
mod hashing;
mod key_ring;
mod kruptein;
mod webcrypto;

use std::fmt;

use zeroize::Zeroizing;

pub use connect_mongo_3::{ConnectMongo3, ConnectMongo3Options};
pub use encode_as::EncodeAs;
pub use hashing::Hashing;
pub use key_ring::KeyRing;
pub use kruptein::{
    Counterpart, Kruptein, KrupteinAlgorithm, KrupteinOptions, KrupteinPlaintext, KrupteinVersion,
};
pub use webcrypto::{WebCrypto, WebCryptoAlgorithm, WebCryptoOptions};

use crate::{Error, ErrorKind, js};

/// How a store keeps a session from those who can read its backend.
///
/// [`Kruptein`], [`WebCrypto`] and [`ConnectMongo3`] write what the npm stores write; a [`KeyRing`] reads several.
///
/// Both ways can take tens of milliseconds of processor time, since keys are derived slowly on purpose.
/// An async store calls them where that holds nobody up, such as in `tokio::task::spawn_blocking`.
pub trait Encryption: Send + Sync + fmt::Debug {
    /// The text to store for a session, given as the JSON text of its object. No two calls give the same.
    ///
    /// # Errors
    ///
    /// [`Other`](ErrorKind::Other) when the system has no randomness to give.
    fn encrypt(&self, session_json: &str) -> Result<String, Error>;

    /// The JSON text of the session that was stored as this text.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) when the text has another form, was made with another secret or was changed
    /// since. Nothing of the text is in the error.
    fn decrypt(&self, stored: &str) -> Result<String, Error>;
}

/// A key for AES-256, wiped when it is dropped.
type Key = Zeroizing<[u8; 32]>;

/// What every error of this module names as its store, until a store puts its own name there.
const STORE: &str = "encryption";

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, STORE, "new", message)
}

fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, STORE, "decrypt", message)
}

fn other_form() -> Error {
    corrupt("the stored text has another form")
}

fn not_verified() -> Error {
    corrupt("the stored text was made with another secret, or changed since")
}

/// What was authenticated as text, but is none: kruptein 2.0 cuts characters to bytes before it encrypts them.
fn text(plaintext: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(plaintext).map_err(|_| corrupt("what was encrypted is no text"))
}

/// The text as `JSON.stringify` prints it.
fn quote(text: &str) -> String {
    js::stringify(text).expect("a string is always JSON")
}

fn unquote(json: &str) -> Result<String, Error> {
    serde_json::from_str(json).map_err(|_| corrupt("what was encrypted is no JSON"))
}

fn system_random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| {
        Error::new(ErrorKind::Other, STORE, "encrypt", "the system's random source failed")
            .with_source(error)
    })
}
