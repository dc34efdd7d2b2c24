//! The WebCrypto adapter of connect-mongo 6.

use std::{fmt, ops::RangeInclusive, sync::OnceLock};

use zeroize::Zeroizing;

use super::{
    EncodeAs, Encryption, Hashing, Key, cbc, config, gcm, not_verified, other_form, system_random,
    text,
};
use crate::Error;

/// The bytes of a nonce that Node's WebCrypto takes, which OpenSSL would take shorter.
const NONCES: RangeInclusive<usize> = 12..=128;

/// The cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebCryptoAlgorithm {
    /// `AES-GCM`.
    AesGcm,
    /// `AES-CBC`: nothing tells whether the text was changed, and a wrong secret shows only by garbage.
    InsecureAesCbc,
}

/// The options of [`WebCrypto`]: those of `createWebCryptoAdapter` by their names.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WebCryptoOptions {
    /// The cipher: AES-GCM unless set.
    pub algorithm: WebCryptoAlgorithm,
    /// How the bytes are stored: base64 unless set.
    pub encoding: EncodeAs,
    /// The salt that the key is derived with: `connect-mongo:webcrypto-default-salt` unless set.
    pub salt: Vec<u8>,
    /// The rounds of PBKDF2: 310,000 unless set.
    pub iterations: u32,
    /// The bytes of an IV, if not 12 for AES-GCM, which takes 12 to 128, and 16 for AES-CBC.
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

    /// Refuses what has no meaning, and names it.
    fn check(&self) -> Result<(), Error> {
        let (option, value) = match (self.algorithm, self.iv_length()) {
            _ if self.iterations == 0 => ("iterations", "zero"),
            _ if self.encoding == EncodeAs::Binary => ("encoding", "not base64, base64url or hex"),
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

/// What connect-mongo 6 stores with `cryptoAdapter: createWebCryptoAdapter({ secret })`.
///
/// The key is derived once, at the first call, which takes about 0.1 s with the usual 310,000 rounds.
///
/// ```
/// use cloakroom_core::{Encryption, WebCrypto, WebCryptoOptions};
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
    /// Encrypts and decrypts with this secret: bytes, or a string that counts as its UTF-8 bytes.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for an empty secret and for an option without meaning.
    pub fn new(secret: impl AsRef<[u8]>, options: WebCryptoOptions) -> Result<Self, Error> {
        let secret = Zeroizing::new(secret.as_ref().to_vec());
        if secret.is_empty() {
            return Err(config("invalid option \"secret\": empty".to_owned()));
        }
        options.check()?;
        Ok(Self { secret, options, key: OnceLock::new() })
    }

    /// As [`encrypt`](Encryption::encrypt), but with the IV that `random` gives, to repeat what was recorded.
    ///
    /// With an IV that another record had too, both can be read without the secret.
    #[must_use]
    pub fn insecure_encrypt_with(
        &self,
        session_json: &str,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let mut iv = self.empty_iv();
        random(&mut iv);
        self.seal(session_json, iv)
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

    fn seal(&self, session_json: &str, iv: Vec<u8>) -> String {
        let mut bytes = iv;
        match self.options.algorithm {
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
        system_random(&mut iv)?;
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
        text(plaintext.ok_or_else(not_verified)?)
    }
}

impl fmt::Debug for WebCrypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebCrypto").field("options", &self.options).finish_non_exhaustive()
    }
}
