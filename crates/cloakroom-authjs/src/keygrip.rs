//! Signatures of npm's keygrip 1, and the signed cookies that npm's cookies 0.9 makes with them.
//!
//! A signed cookie is two: `name=value`, and `name.sig` with the signature over the text `name=value`.

mod cookies;

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::{Error, ErrorKind};
use hmac::Hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

pub use self::cookies::{SignedCookies, SignedValue};
use crate::sealed::mac::{mac, same};

/// The digest of the HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeygripAlgorithm {
    /// `sha1`, keygrip's default. As a part of an HMAC it is still unbroken.
    #[default]
    Sha1,
    /// `sha256`.
    Sha256,
    /// `sha512`.
    Sha512,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeygripEncoding {
    /// `base64`, keygrip's default: base64url without padding.
    #[default]
    Base64,
    /// `hex`.
    Hex,
}

/// The keys of the option `keys`. The first one signs; all of them verify.
///
/// To rotate keys, put the new one first and keep the old ones for as long as their cookies live. Clones share the keys,
/// which the last one erases. `Debug` shows how many there are and no key.
///
/// ```
/// use cloakroom_authjs::keygrip::Keygrip;
///
/// let keygrip = Keygrip::new(["new key", "made-up-key-1"])?;
/// let signature = "JTJb7k2EvSKhJr9vkz4KjLclQjQ";
/// assert_eq!(keygrip.index("session=eyJhIjoxfQ==", signature), Some(1));
/// assert_ne!(keygrip.sign("session=eyJhIjoxfQ=="), signature);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Keygrip {
    keys: Arc<[Zeroizing<Vec<u8>>]>,
    algorithm: KeygripAlgorithm,
    encoding: KeygripEncoding,
}

impl Keygrip {
    /// Takes keys as strings or bytes, in order, with HMAC-SHA1 in base64url, as an application that gives only `keys`.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an empty list, and for an empty key, with which anybody could sign.
    pub fn new<S: AsRef<[u8]>>(keys: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let keys: Arc<[_]> =
            keys.into_iter().map(|key| Zeroizing::new(key.as_ref().to_vec())).collect();
        let message = if keys.is_empty() {
            "at least one key is required"
        } else if keys.iter().any(|key| key.is_empty()) {
            "invalid key: must not be empty"
        } else {
            let (algorithm, encoding) = Default::default();
            return Ok(Self { keys, algorithm, encoding });
        };
        Err(Error::new(ErrorKind::Config, "keygrip", "new", message))
    }

    /// Sets the algorithm: the second argument of `new Keygrip`.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: KeygripAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Sets the encoding: the third argument of `new Keygrip`.
    #[must_use]
    pub fn with_encoding(mut self, encoding: KeygripEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Returns the signature of a text with the first key.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        self.sign_with(&self.keys[0], text)
    }

    /// Returns the index of the first key that verifies the signature of a text, or `None` if no key does.
    ///
    /// The signature must be exactly what is written. The comparison takes constant time.
    #[must_use]
    pub fn index(&self, text: &str, signature: &str) -> Option<usize> {
        self.keys
            .iter()
            .position(|key| same(self.sign_with(key, text).as_bytes(), signature.as_bytes()))
    }

    fn sign_with(&self, key: &[u8], text: &str) -> String {
        let parts = &[text.as_bytes()];
        let mac = match self.algorithm {
            KeygripAlgorithm::Sha1 => mac::<Hmac<Sha1>>(key, parts),
            KeygripAlgorithm::Sha256 => mac::<Hmac<Sha256>>(key, parts),
            KeygripAlgorithm::Sha512 => mac::<Hmac<Sha512>>(key, parts),
        };
        match self.encoding {
            KeygripEncoding::Base64 => URL_SAFE_NO_PAD.encode(mac),
            KeygripEncoding::Hex => mac.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

impl fmt::Debug for Keygrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keygrip")
            .field("keys", &self.keys.len())
            .field("algorithm", &self.algorithm)
            .field("encoding", &self.encoding)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_missing_or_empty_or_shown() {
        for keys in [vec![], vec![""], vec!["made-up", ""]] {
            assert_eq!(Keygrip::new(keys).unwrap_err().kind(), ErrorKind::Config);
        }
        let keygrip = Keygrip::new(["made-up", "other"]).unwrap();
        assert_eq!(
            format!("{keygrip:?}"),
            "Keygrip { keys: 2, algorithm: Sha1, encoding: Base64 }"
        );
    }
}
