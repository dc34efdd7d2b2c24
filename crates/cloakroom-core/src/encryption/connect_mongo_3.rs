//! What connect-mongo 3 makes of its option `secret`.

use std::{fmt, sync::OnceLock};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    EncodeAs, Encryption, Hashing, Key, config, encode_as::NodeBuffer, gcm, not_verified,
    other_form, quote, system_random, text, unquote,
};
use crate::Error;

/// The options of [`ConnectMongo3`], by their names there. The cipher is AES-256-GCM.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectMongo3Options {
    /// The digest: SHA-512 unless set.
    pub hashing: Hashing,
    /// How bytes stand in the text: hex unless set, or base64.
    pub encode_as: EncodeAs,
}

impl Default for ConnectMongo3Options {
    fn default() -> Self {
        Self { hashing: Hashing::Sha512, encode_as: EncodeAs::Hex }
    }
}

/// What connect-mongo 3 stores with `new MongoStore({ secret })` and `stringify: true`.
///
/// The key is derived once, at the first call, which takes some milliseconds.
/// The text of a key and of an IV count there as the bytes themselves, which wastes half of the key's strength: read
/// with this, and write with [`WebCrypto`](super::WebCrypto), by a [`KeyRing`](super::KeyRing).
///
/// ```
/// use cloakroom_core::{ConnectMongo3, ConnectMongo3Options, Encryption};
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

/// What stands in the stored text, in the order of its members.
#[derive(Serialize, Deserialize)]
struct Stored {
    hmac: String,
    ct: String,
    at: NodeBuffer,
    aad: String,
    iv: String,
}

impl ConnectMongo3 {
    /// Encrypts and decrypts with this secret.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for an empty secret and for another encoding than hex and base64.
    pub fn new(secret: &str, options: ConnectMongo3Options) -> Result<Self, Error> {
        if secret.is_empty() {
            return Err(config("invalid option \"secret\": empty".to_owned()));
        }
        if !matches!(options.encode_as, EncodeAs::Hex | EncodeAs::Base64) {
            return Err(config("invalid option \"encodeas\": not hex or base64".to_owned()));
        }
        let secret = Zeroizing::new(secret.as_bytes().to_vec());
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
        let mut iv = [0; 16];
        random(&mut iv);
        self.seal(session_json, iv)
    }

    /// The first 32 characters of the derived key's text, as they stand.
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

    fn seal(&self, session_json: &str, iv: [u8; 16]) -> String {
        let ConnectMongo3Options { hashing, encode_as } = self.options;
        let key = self.key();
        let iv = encode_as.encode(&iv);
        let aad_key = Zeroizing::new([iv.as_bytes(), &**key].concat());
        let aad = encode_as.encode(&hashing.hmac(&aad_key, &[session_json.as_bytes()]));
        let (ciphertext, tag) =
            gcm::seal(key, iv.as_bytes(), aad.as_bytes(), session_json.as_bytes())
                .expect("the text of 16 bytes has 32 characters in hex and 24 in base64");
        let ct = encode_as.encode(&ciphertext);
        let hmac = encode_as.encode(&hashing.hmac(&**key, &[ct.as_bytes()]));
        let stored = Stored { hmac, ct, at: NodeBuffer::new(&tag), aad, iv };
        quote(&serde_json::to_string(&stored).expect("texts and numbers are always JSON"))
    }

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
        system_random(&mut iv)?;
        Ok(self.seal(session_json, iv))
    }

    fn decrypt(&self, stored: &str) -> Result<String, Error> {
        // connect-mongo 3 stringifies the text once more.
        let stored = if stored.starts_with('"') {
            &*unquote(stored).map_err(|_| other_form())?
        } else {
            stored
        };
        let stored = serde_json::from_str(stored).map_err(|_| other_form())?;
        text(self.open(&stored).ok_or_else(not_verified)?)
    }
}

impl fmt::Debug for ConnectMongo3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectMongo3").field("options", &self.options).finish_non_exhaustive()
    }
}
