//! Several ways to read and one to write.

use std::sync::Arc;

use super::Encryption;
use crate::Error;

/// Encrypts with the first and decrypts with any: for a new secret, or for a new format.
///
/// A reader that knows its form refuses others at once; one of the same form tries its own secret, which costs a key.
///
/// ```
/// use std::sync::Arc;
/// use cloakroom_core::{Counterpart, Encryption, KeyRing, Kruptein, KrupteinOptions, WebCrypto, WebCryptoOptions};
///
/// // What connect-mongo 6 wrote with `crypto` stays readable; from now on its `cryptoAdapter` is at home.
/// let mut options = WebCryptoOptions::default();
/// # options.iterations = 1;
/// let new = WebCrypto::new("s3cret", options)?;
/// let old = Arc::new(Kruptein::new("squirrel", KrupteinOptions::of(Counterpart::ConnectMongo6))?);
/// let ring = KeyRing::new(Arc::new(new)).add_reader(old.clone());
///
/// let stored = old.encrypt(r#"{"cookie":{}}"#)?;
/// assert_eq!(ring.decrypt(&stored)?, r#"{"cookie":{}}"#);
/// assert!(old.decrypt(&ring.encrypt(r#"{"cookie":{}}"#)?).is_err());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyRing {
    first: Arc<dyn Encryption>,
    others: Vec<Arc<dyn Encryption>>,
}

impl KeyRing {
    /// Encrypts with this one, and decrypts with it before all others.
    #[must_use]
    pub fn new(first: Arc<dyn Encryption>) -> Self {
        Self { first, others: Vec::new() }
    }

    /// Decrypts with this one too, where none before it can.
    #[must_use]
    pub fn add_reader(mut self, other: Arc<dyn Encryption>) -> Self {
        self.others.push(other);
        self
    }
}

impl Encryption for KeyRing {
    fn encrypt(&self, session_json: &str) -> Result<String, Error> {
        self.first.encrypt(session_json)
    }

    fn decrypt(&self, stored: &str) -> Result<String, Error> {
        self.first.decrypt(stored).or_else(|error| {
            self.others.iter().find_map(|other| other.decrypt(stored).ok()).ok_or(error)
        })
    }
}
