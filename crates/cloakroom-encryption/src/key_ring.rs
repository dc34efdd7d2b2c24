//! Several encryptions for reading and one for writing.
//!
//! A change of the secret must not log anybody out: sessions that the old one encrypted are read until they expire, and
//! each one that is written again is encrypted with the new one.

use std::sync::Arc;

use cloakroom_core::Error;

use crate::Encryption;

/// Encrypts with one encryption and decrypts with several. Use it to change the secret or the format.
///
/// A reader rejects a text in another format at once. For a text in its own format it tries its secret, which may
/// require deriving a key.
///
/// ```
/// use std::sync::Arc;
/// use cloakroom_encryption::{Counterpart, Encryption, KeyRing, Kruptein, KrupteinOptions, WebCrypto, WebCryptoOptions};
///
/// // Reads what connect-mongo 6 wrote with `crypto`, and writes what it reads with `cryptoAdapter`.
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
    /// Creates a ring that encrypts with this encryption, and tries it first for decrypting.
    #[must_use]
    pub fn new(first: Arc<dyn Encryption>) -> Self {
        Self { first, others: Vec::new() }
    }

    /// Adds an encryption for texts that none of the earlier ones can decrypt. If all of them fail, the error is that
    /// of the first.
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
        // The first error is reported, since the first encryption is the one that new records have.
        self.first.decrypt(stored).or_else(|error| {
            self.others.iter().find_map(|other| other.decrypt(stored).ok()).ok_or(error)
        })
    }
}
