//! The WebCrypto adapter of connect-mongo 6.0.0: the encoded bytes of IV, ciphertext and tag, one after the other.
//!
//! There is one key for all records, since the salt is an option and not a part of the record. It is derived once, from
//! 310,000 rounds.

use std::{fmt, ops::RangeInclusive, sync::OnceLock};

use cloakroom_core::Error;
use zeroize::Zeroizing;

use crate::{
    EncodeAs, Encryption, Hashing, cbc,
    error::{config, not_verified, other_form},
    for_tests::EncryptWith,
    gcm,
    key::Key,
    random, text,
};

/// The lengths of a nonce, in bytes, that Node's WebCrypto accepts. OpenSSL also accepts shorter ones.
const NONCES: RangeInclusive<usize> = 12..=128;

/// The cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebCryptoAlgorithm {
    /// `AES-GCM`.
    AesGcm,
    /// `AES-CBC`. It does not detect changes of the stored text, and a wrong secret can go unnoticed and yield garbage.
    InsecureAesCbc,
}

/// Options of [`WebCrypto`], under their names in `createWebCryptoAdapter`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WebCryptoOptions {
    /// The cipher. AES-GCM by default.
    pub algorithm: WebCryptoAlgorithm,
    /// The encoding of bytes: base64, base64url or hex. Base64 by default.
    pub encoding: EncodeAs,
    /// The salt from which the key is derived. `connect-mongo:webcrypto-default-salt` by default.
    pub salt: Vec<u8>,
    /// The rounds of PBKDF2. 310,000 by default.
    pub iterations: u32,
    /// The length of an IV in bytes: 12 to 128 for AES-GCM, 16 for AES-CBC. 12 and 16 by default.
    pub iv_length: Option<usize>,
}

impl Default for WebCryptoOptions {
    fn default() -> Self {
        Self {
            algorithm: WebCryptoAlgorithm::AesGcm,
            encoding: EncodeAs::Base64,
            salt: b"connect-mongo:webcrypto-default-salt".to_vec(),
            iterations: 310_000,
            iv_length: None,
        }
    }
}

impl WebCryptoOptions {
    fn iv_length(&self) -> usize {
        self.iv_length.unwrap_or(match self.algorithm {
            WebCryptoAlgorithm::AesGcm => 12,
            WebCryptoAlgorithm::InsecureAesCbc => cbc::IV,
        })
    }

    /// Rejects an invalid option by its name.
    fn check(&self) -> Result<(), Error> {
        let (option, value) = match (self.algorithm, self.iv_length()) {
            _ if self.iterations == 0 => ("iterations", "must be above zero"),
            _ if self.encoding == EncodeAs::Binary => {
                ("encoding", "must be base64, base64url or hex")
            }
            (WebCryptoAlgorithm::AesGcm, length) if !NONCES.contains(&length) => {
                ("ivLength", "must be between 12 and 128")
            }
            (WebCryptoAlgorithm::InsecureAesCbc, length) if length != cbc::IV => {
                ("ivLength", "must be 16 with this cipher")
            }
            _ => return Ok(()),
        };
        Err(config(format!("invalid option {option:?}: {value}")))
    }
}

/// The format of connect-mongo 6 with `cryptoAdapter: createWebCryptoAdapter({ secret })`.
///
/// The first call derives the key, which takes about 0.1 s with the default of 310,000 rounds.
///
/// ```
/// use cloakroom_encryption::{Encryption, WebCrypto, WebCryptoOptions};
///
/// let mut options = WebCryptoOptions::default();
/// options.iterations = 1_000;
/// let webcrypto = WebCrypto::new("s3cret", options)?;
/// let stored = webcrypto.encrypt(r#"{"cookie":{},"views":1}"#)?;
/// assert_eq!(webcrypto.decrypt(&stored)?, r#"{"cookie":{},"views":1}"#);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub struct WebCrypto {
    secret: Zeroizing<Vec<u8>>,
    options: WebCryptoOptions,
    key: OnceLock<Key>,
}

impl WebCrypto {
    /// Creates an encryption with this secret: bytes, or the UTF-8 bytes of a string.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for an empty secret, and for an invalid option.
    pub fn new(secret: impl AsRef<[u8]>, options: WebCryptoOptions) -> Result<Self, Error> {
        let secret = Zeroizing::new(secret.as_ref().to_vec());
        if secret.is_empty() {
            return Err(config("invalid option \"secret\": must not be empty".to_owned()));
        }
        options.check()?;
        Ok(Self { secret, options, key: OnceLock::new() })
    }

    fn empty_iv(&self) -> Vec<u8> {
        vec![0; self.options.iv_length()]
    }

    fn key(&self) -> &Key {
        self.key.get_or_init(|| {
            let WebCryptoOptions { salt, iterations, .. } = &self.options;
            let mut key = Key::default();
            Hashing::Sha256.derive(&self.secret, salt, *iterations, &mut *key);
            key
        })
    }

    /// Encrypts with this IV, which becomes the beginning of the text.
    fn seal(&self, session_json: &str, iv: Vec<u8>) -> String {
        let mut bytes = iv;
        match self.options.algorithm {
            // WebCrypto returns the tag as the end of the ciphertext, and authenticates no additional data here.
            WebCryptoAlgorithm::AesGcm => {
                let (ciphertext, tag) = gcm::seal(self.key(), &bytes, b"", session_json.as_bytes())
                    .expect("the length of the nonce was checked");
                bytes.extend(ciphertext);
                bytes.extend(tag);
            }
            WebCryptoAlgorithm::InsecureAesCbc => {
                let ciphertext = cbc::seal(self.key(), &bytes, session_json.as_bytes())
                    .expect("the length of the IV was checked");
                bytes.extend(ciphertext);
            }
        }
        self.options.encoding.encode(&bytes)
    }
}

impl Encryption for WebCrypto {
    fn encrypt(&self, session_json: &str) -> Result<String, Error> {
        let mut iv = self.empty_iv();
        random::fill(&mut iv)?;
        Ok(self.seal(session_json, iv))
    }

    fn decrypt(&self, stored: &str) -> Result<String, Error> {
        let bytes = self.options.encoding.decode(stored).ok_or_else(other_form)?;
        let (iv, sealed) =
            bytes.split_at_checked(self.options.iv_length()).ok_or_else(other_form)?;
        let plaintext = match self.options.algorithm {
            WebCryptoAlgorithm::AesGcm => {
                let end = sealed.len().checked_sub(gcm::TAG).ok_or_else(other_form)?;
                let (ciphertext, tag) = sealed.split_at(end);
                gcm::open(self.key(), iv, b"", ciphertext, tag)
            }
            WebCryptoAlgorithm::InsecureAesCbc => cbc::open(self.key(), iv, sealed),
        };
        text::decode(plaintext.ok_or_else(not_verified)?)
    }
}

impl EncryptWith for WebCrypto {
    fn insecure_encrypt_with(
        &self,
        session_json: &str,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let mut iv = self.empty_iv();
        random(&mut iv);
        self.seal(session_json, iv)
    }
}

impl fmt::Debug for WebCrypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebCrypto").field("options", &self.options).finish_non_exhaustive()
    }
}
