//! The option `secret` of connect-mongo 3 (3.2.0), which has a format of its own; kruptein came with connect-mongo
//! 4.1.0.

use std::{fmt, sync::OnceLock};

use cloakroom_core::Error;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    EncodeAs, Encryption, Hashing,
    encode_as::NodeBuffer,
    error::{config, not_verified, other_form},
    for_tests::EncryptWith,
    gcm,
    key::Key,
    random, text,
};

/// Options of [`ConnectMongo3`], under their names in connect-mongo 3. The cipher is always AES-256-GCM.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectMongo3Options {
    /// The digest. SHA-512 by default.
    pub hashing: Hashing,
    /// The encoding of bytes: hex or base64. Hex by default.
    pub encode_as: EncodeAs,
}

impl Default for ConnectMongo3Options {
    fn default() -> Self {
        Self { hashing: Hashing::Sha512, encode_as: EncodeAs::Hex }
    }
}

/// The format of connect-mongo 3 with `new MongoStore({ secret })` and `stringify: true`.
///
/// The first call derives the key, which takes a few milliseconds.
///
/// connect-mongo 3 uses the hex or base64 text of a key and of an IV as their bytes, which halves the key's strength.
/// Use this type only to read: put it into a [`KeyRing`](crate::KeyRing) that writes with
/// [`WebCrypto`](crate::WebCrypto).
///
/// ```
/// use cloakroom_encryption::{ConnectMongo3, ConnectMongo3Options, Encryption};
///
/// let connect_mongo_3 = ConnectMongo3::new("squirrel", ConnectMongo3Options::default())?;
/// let stored = connect_mongo_3.encrypt(r#"{"cookie":{},"views":1}"#)?;
/// assert_eq!(connect_mongo_3.decrypt(&stored)?, r#"{"cookie":{},"views":1}"#);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub struct ConnectMongo3 {
    secret: Zeroizing<Vec<u8>>,
    options: ConnectMongo3Options,
    key: OnceLock<Key>,
}

/// The stored text. The order of the members is that of connect-mongo 3.
#[derive(Serialize, Deserialize)]
struct Stored {
    hmac: String,
    ct: String,
    at: NodeBuffer,
    aad: String,
    iv: String,
}

impl ConnectMongo3 {
    /// Creates an encryption with this secret.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for an empty secret, and for an encoding that is neither hex nor
    /// base64.
    pub fn new(secret: &str, options: ConnectMongo3Options) -> Result<Self, Error> {
        if secret.is_empty() {
            return Err(config("invalid option \"secret\": must not be empty".to_owned()));
        }
        if !matches!(options.encode_as, EncodeAs::Hex | EncodeAs::Base64) {
            return Err(config("invalid option \"encodeas\": must be hex or base64".to_owned()));
        }
        let secret = Zeroizing::new(secret.as_bytes().to_vec());
        Ok(Self { secret, options, key: OnceLock::new() })
    }

    /// Returns the key: the first 32 characters of the derived key's text. connect-mongo 3 encodes the key, cuts the
    /// text and passes it to OpenSSL as it is, so each byte of the key has only 16 or 64 values.
    fn key(&self) -> &Key {
        self.key.get_or_init(|| {
            let ConnectMongo3Options { hashing, encode_as } = self.options;
            let salt = encode_as.encode(&hashing.digest(&self.secret));
            let mut derived = Zeroizing::new([0; 64]);
            hashing.derive(&self.secret, &salt.as_bytes()[..16], 10_000, &mut *derived);
            let text = Zeroizing::new(encode_as.encode(&*derived));
            let mut key = Key::default();
            key.copy_from_slice(&text.as_bytes()[..32]);
            key
        })
    }

    /// Encrypts with this IV. The additional data of GCM is an HMAC of the plaintext.
    fn seal(&self, session_json: &str, iv: [u8; 16]) -> String {
        let ConnectMongo3Options { hashing, encode_as } = self.options;
        let key = self.key();
        // From here on the IV is its text, as the key is: GCM's nonce has 32 bytes in hex.
        let iv = encode_as.encode(&iv);
        let aad_key = Zeroizing::new([iv.as_bytes(), &**key].concat());
        let aad = encode_as.encode(&hashing.hmac(&aad_key, &[session_json.as_bytes()]));
        let (ciphertext, tag) =
            gcm::seal(key, iv.as_bytes(), aad.as_bytes(), session_json.as_bytes())
                .expect("the text of 16 bytes has 32 characters in hex and 24 in base64");
        let ct = encode_as.encode(&ciphertext);
        let hmac = encode_as.encode(&hashing.hmac(&**key, &[ct.as_bytes()]));
        let stored = Stored { hmac, ct, at: NodeBuffer::new(&tag), aad, iv };
        // With `stringify: true`, connect-mongo 3 serializes the encrypted JSON text like a session, so it is quoted.
        text::quote(&serde_json::to_string(&stored).expect("texts and numbers are always JSON"))
    }

    /// Returns the plaintext, or `None` if the HMAC or the tag does not verify.
    fn open(&self, stored: &Stored) -> Option<Vec<u8>> {
        let ConnectMongo3Options { hashing, encode_as } = self.options;
        let hmac = hashing.hmac(&**self.key(), &[stored.ct.as_bytes()]);
        if !bool::from(hmac.ct_eq(&encode_as.decode(&stored.hmac)?)) {
            return None;
        }
        let (ciphertext, tag) = (encode_as.decode(&stored.ct)?, stored.at.bytes()?);
        gcm::open(self.key(), stored.iv.as_bytes(), stored.aad.as_bytes(), &ciphertext, tag)
    }
}

impl Encryption for ConnectMongo3 {
    fn encrypt(&self, session_json: &str) -> Result<String, Error> {
        let mut iv = [0; 16];
        random::fill(&mut iv)?;
        Ok(self.seal(session_json, iv))
    }

    fn decrypt(&self, stored: &str) -> Result<String, Error> {
        // With `stringify: true`, connect-mongo 3 passes the text through JSON.stringify a second time.
        let stored = if stored.starts_with('"') {
            &*text::unquote(stored).map_err(|_| other_form())?
        } else {
            stored
        };
        let stored = serde_json::from_str(stored).map_err(|_| other_form())?;
        text::decode(self.open(&stored).ok_or_else(not_verified)?)
    }
}

impl EncryptWith for ConnectMongo3 {
    fn insecure_encrypt_with(
        &self,
        session_json: &str,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let mut iv = [0; 16];
        random(&mut iv);
        self.seal(session_json, iv)
    }
}

impl fmt::Debug for ConnectMongo3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectMongo3").field("options", &self.options).finish_non_exhaustive()
    }
}
