//! kruptein, the encryption of connect-memcached 2 and 3, of connect-mongo 4 to 6, and of session-file-store 1.5.
//!
//! Its versions 2.1 to 3.4 write five formats, and a version reads only its own. Which of them an npm store writes
//! depends on what npm installed: connect-mongo 5.1.0 asks for kruptein ^3.0.0, so one deployment can have records of
//! several. All are therefore read here, whichever is written.

mod complexity;
mod keys;
mod options;
mod plaintext;
mod record;

use std::{convert::Infallible, fmt, sync::Arc};

use cloakroom_core::Error;
use subtle::ConstantTimeEq;

use self::{
    keys::{Kdf, Keys, SALT, Salted},
    record::{Authenticated, Found, Record},
};
use crate::{
    Encryption, Hashing, cbc,
    error::{config, not_verified, other_form},
    for_tests::EncryptWith,
    gcm,
    key::Key,
    random,
};

pub use options::{
    Counterpart, KrupteinAlgorithm, KrupteinOptions, KrupteinPlaintext, KrupteinVersion,
};

/// The formats of npm's kruptein. It writes one generation and reads all of them.
///
/// Reading recognises a generation by its form. If several are possible, it tries the written generation first. It
/// always verifies the HMAC and the tag, whereas kruptein 3.1.5 to 3.3.0 compare the HMAC and ignore the result.
///
/// Deriving a key takes about 10 ms (15,000 or 20,000 rounds of PBKDF2). Writing derives one key per 1,000 records; see
/// [`records_per_salt`](KrupteinOptions::records_per_salt). Reading derives one key per salt and remembers the last
/// 1,024 keys. Node.js gives each record its own salt, so the first read of a record from Node.js derives a key.
///
/// ```
/// use cloakroom_encryption::{Counterpart, Encryption, Kruptein, KrupteinOptions};
///
/// let options = KrupteinOptions::of(Counterpart::ConnectMemcached3);
/// let kruptein = Kruptein::new("S3cre+_Squ1rr3l", options)?;
/// let stored = kruptein.encrypt(r#"{"cookie":{},"views":1}"#)?;
/// assert!(stored.starts_with("MII"));
/// assert_eq!(kruptein.decrypt(&stored)?, r#"{"cookie":{},"views":1}"#);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub struct Kruptein {
    keys: Keys,
    options: KrupteinOptions,
}

/// The random bytes for a record. The salt is not used while an earlier one serves more records.
struct Fresh {
    salt: [u8; SALT],
    iv: Vec<u8>,
    /// The key of the HMAC that is GCM's additional data.
    aad_key: [u8; 128],
}

impl Kruptein {
    /// Creates an encryption with this secret.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for an invalid option, an empty secret, and a secret that is too
    /// weak for the written generation: from 3.1.1 on, kruptein requires at least 8 characters, with 2 each of A-Z,
    /// a-z, 0-9 and special characters. With a weaker secret, connect-memcached 3 stores sessions unencrypted.
    pub fn new(secret: &str, options: KrupteinOptions) -> Result<Self, Error> {
        complexity::check(secret, options.version)?;
        Self::insecure_with_weak_secret(secret, options)
    }

    /// Like [`new`](Self::new), but accepts a weak secret. kruptein checks a secret only when it encrypts, so it reads
    /// these records.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for an invalid option, and for an empty secret.
    pub fn insecure_with_weak_secret(
        secret: &str,
        options: KrupteinOptions,
    ) -> Result<Self, Error> {
        if secret.is_empty() {
            return Err(config("invalid option \"secret\": must not be empty".to_owned()));
        }
        options.check()?;
        Ok(Self { keys: Keys::new(secret), options })
    }

    /// Draws the random bytes for a record, in the order in which kruptein draws them, so that the recorded vectors of
    /// `tests/fixtures/kruptein.json` can be reproduced byte for byte.
    fn fresh<E>(&self, mut random: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Fresh, E> {
        let is_gcm = self.options.algorithm == KrupteinAlgorithm::Aes256Gcm;
        let is_3_4 = self.options.version == KrupteinVersion::V3_4;
        let mut fresh =
            Fresh { salt: [0; SALT], iv: vec![0; self.options.iv_length()], aad_key: [0; 128] };
        if is_gcm && is_3_4 {
            random(&mut fresh.aad_key)?;
        }
        random(&mut fresh.salt)?;
        random(&mut fresh.iv)?;
        if is_gcm && !is_3_4 {
            random(&mut fresh.aad_key)?;
        }
        Ok(fresh)
    }

    fn kdf(&self, version: KrupteinVersion, hashing: Hashing) -> Kdf {
        Kdf::of(version, hashing, self.options.use_scrypt)
    }

    /// Encrypts with these random bytes. Every option that changes a byte of the text is applied here, in kruptein's
    /// order.
    fn seal(&self, session_json: &str, records_per_salt: u32, fresh: Fresh) -> String {
        let KrupteinOptions { version, hashing, encode_as, algorithm, .. } = self.options;
        let plaintext = plaintext::write(version, self.options.plaintext, session_json);
        let Fresh { salt, iv, aad_key } = fresh;
        let kdf = self.kdf(version, hashing);
        let Salted { salt, key } = self.keys.for_writing(kdf, records_per_salt, salt);

        let (ciphertext, authenticated) = if algorithm == KrupteinAlgorithm::Aes256Gcm {
            let data = hashing.hmac(&aad_key, &[plaintext.as_bytes()]);
            let (ciphertext, tag) = gcm::seal(&key, &iv, &data, plaintext.as_bytes())
                .expect("the length of the nonce was checked");
            (ciphertext, Some(Authenticated { tag: tag.into(), data }))
        } else {
            let ciphertext = cbc::seal(&key, &iv, plaintext.as_bytes())
                .expect("the length of the IV was checked");
            (ciphertext, None)
        };
        let ciphertext_text = encode_as.encode(&ciphertext);
        let mut record =
            Record { ciphertext, ciphertext_text, hmac: Vec::new(), iv, salt, authenticated };
        record.hmac = record.hmac(version, hashing, &key);
        if self.options.writes_der() {
            record.write_der(version, encode_as)
        } else {
            record.write_json(version, encode_as)
        }
    }

    /// Returns the generation and the key that verify the HMAC, or `None`.
    fn verify(&self, found: &Found) -> Option<(KrupteinVersion, Arc<Key>)> {
        let Found { record, versions, hashing } = found;
        let proves = |version, key: &Key| -> bool {
            record.hmac(version, *hashing, key).ct_eq(&record.hmac).into()
        };
        let mut versions = versions.to_vec();
        versions.sort_by_key(|version| *version != self.options.version);

        // Remembered keys cost nothing, so they are all tried before a key is derived.
        let kdf = |version| self.kdf(version, *hashing);
        let mut keys: Vec<(Kdf, Arc<Key>)> = Vec::new();
        for version in &versions {
            if let Some(key) = self.keys.known(kdf(*version), &record.salt) {
                if proves(*version, &key) {
                    return Some((*version, key));
                }
                keys.push((kdf(*version), key));
            }
        }
        for version in versions {
            let known = keys.iter().find(|(known, _)| *known == kdf(version));
            let key = match known {
                Some((_, key)) => Arc::clone(key),
                None => self.keys.derive(kdf(version), &record.salt),
            };
            if proves(version, &key) {
                self.keys.remember(kdf(version), &record.salt, &key);
                return Some((version, key));
            }
            keys.push((kdf(version), key));
        }
        None
    }
}

impl Encryption for Kruptein {
    fn encrypt(&self, session_json: &str) -> Result<String, Error> {
        let fresh = self.fresh(random::fill)?;
        Ok(self.seal(session_json, self.options.records_per_salt, fresh))
    }

    fn decrypt(&self, stored: &str) -> Result<String, Error> {
        let found = Record::read(stored).ok_or_else(other_form)?;
        // A text names no cipher. Reading either would let whoever can write to the backend choose CBC, which does not
        // protect the plaintext.
        if found.record.algorithm() != self.options.algorithm {
            return Err(other_form());
        }
        let (version, key) = self.verify(&found).ok_or_else(not_verified)?;
        let Record { ciphertext, iv, authenticated, .. } = &found.record;
        let plaintext = match authenticated {
            Some(Authenticated { tag, data }) => gcm::open(&key, iv, data, ciphertext, tag),
            None => cbc::open(&key, iv, ciphertext),
        };
        plaintext::read(version, plaintext.ok_or_else(not_verified)?)
    }
}

impl EncryptWith for Kruptein {
    fn insecure_encrypt_with(
        &self,
        session_json: &str,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let fresh = self.fresh(|bytes| {
            random(bytes);
            Ok::<(), Infallible>(())
        });
        let Ok(fresh) = fresh;
        // Always with a new salt, as kruptein does.
        self.seal(session_json, 1, fresh)
    }
}

impl fmt::Debug for Kruptein {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kruptein").field("options", &self.options).finish_non_exhaustive()
    }
}
