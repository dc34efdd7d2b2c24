//! What can be set.

use super::super::{EncodeAs, Hashing, cbc, config, gcm};
use crate::Error;

/// The npm store that shall read what is written; see [`KrupteinOptions::of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counterpart {
    /// connect-memcached 2, with kruptein 3.0.
    ConnectMemcached2,
    /// connect-memcached 3, with kruptein 3.1.3 to 3.1.7.
    ConnectMemcached3,
    /// connect-mongo 4.1.0 to 4.2.0, with kruptein 2.1 or 2.2.
    ConnectMongo4 {
        /// Its option of that name, `true` unless set there.
        stringify: bool,
    },
    /// connect-mongo 4.2.2 to 5.1.0, with kruptein 3.1.3 to 3.3.0 as npm installed it before 3.4.0 was there.
    ConnectMongo5 {
        /// Its option of that name, `true` unless set there.
        stringify: bool,
    },
    /// connect-mongo 4.2.2 to 5.1.0, with kruptein 3.4.
    ///
    /// It cannot read what it wrote itself. What is written here it can, by one more layer of quotes.
    ConnectMongo5Kruptein34 {
        /// Its option of that name, `true` unless set there.
        stringify: bool,
    },
    /// connect-mongo 6, with kruptein 3.0.8.
    ConnectMongo6,
}

/// The generations of kruptein. Within one, each version reads the others; between them, none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KrupteinVersion {
    /// 2.1 and 2.2; of 2.0 it reads what that has not damaged.
    V2,
    /// 3.0.
    V3_0,
    /// 3.1.1.
    V3_1_1,
    /// 3.1.3 to 3.3.0.
    V3_1_3,
    /// 3.4.
    V3_4,
}

/// The cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KrupteinAlgorithm {
    /// `aes-256-gcm`, which the npm stores use unless told otherwise.
    Aes256Gcm,
    /// `aes-256-cbc`. Before 3.4 nothing vouches for all of the IV, so that whoever can write to the backend can change
    /// the first 16 characters of the plaintext unnoticed.
    InsecureAes256Cbc,
}

/// What kruptein is given to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KrupteinPlaintext {
    /// The session's object.
    Object,
    /// The session's JSON text, which is quoted once more on its way.
    Text,
    /// That text quoted, as a JSON string within a JSON string.
    QuotedText,
}

/// The options of [`Kruptein`](super::Kruptein): those of the npm package by their names, and a few more.
///
/// `key_size` and `at_size` are those of the cipher, 32 and 16 bytes.
///
/// ```
/// use cloakroom_core::{Counterpart, KrupteinOptions, KrupteinVersion};
///
/// let mut options = KrupteinOptions::of(Counterpart::ConnectMongo5 { stringify: true });
/// options.version = KrupteinVersion::V3_0;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KrupteinOptions {
    /// The generation that is written. All are read.
    pub version: KrupteinVersion,
    /// What is encrypted. All are read.
    pub plaintext: KrupteinPlaintext,
    /// The cipher. A record of the other one is [`Corrupt`](crate::ErrorKind::Corrupt).
    pub algorithm: KrupteinAlgorithm,
    /// The digest of what is written: SHA-512 unless set. All are read.
    pub hashing: Hashing,
    /// How bytes stand in what is written: base64 unless set. All are read.
    pub encode_as: EncodeAs,
    /// Whether DER is written, as it is unless set, or JSON. Generation 2 always writes JSON, 3.0 and 3.1.1 always
    /// DER; so does kruptein 3.1.3, but its generation reads both.
    pub use_asn1: bool,
    /// Whether keys are derived by scrypt, with Node's parameters, instead of PBKDF2. What the other one made is
    /// [`Corrupt`](crate::ErrorKind::Corrupt).
    pub use_scrypt: bool,
    /// The bytes of an IV, if not the cipher's own 12 or 16. As in kruptein, only 3.4 obeys. GCM takes 1 to 128.
    pub iv_size: Option<usize>,
    /// How many records are written with one salt, and so with one key: 1,000 unless set.
    ///
    /// kruptein derives a key a record, which takes all the time that writing takes and protects nothing: all keys come
    /// from one secret. Each record has an IV of its own in any case.
    pub records_per_salt: u32,
}

impl KrupteinOptions {
    /// What this counterpart gives to kruptein, and the generation that it installs.
    #[must_use]
    pub fn of(counterpart: Counterpart) -> Self {
        use Counterpart::*;
        use KrupteinPlaintext::*;

        let (version, plaintext) = match counterpart {
            ConnectMemcached2 => (KrupteinVersion::V3_0, Object),
            ConnectMemcached3 => (KrupteinVersion::V3_1_3, Object),
            ConnectMongo4 { stringify: true } => (KrupteinVersion::V2, Text),
            ConnectMongo4 { stringify: false } => (KrupteinVersion::V2, Object),
            ConnectMongo5 { stringify: true } => (KrupteinVersion::V3_1_3, Text),
            ConnectMongo5 { stringify: false } => (KrupteinVersion::V3_1_3, Object),
            ConnectMongo5Kruptein34 { stringify: true } => (KrupteinVersion::V3_4, QuotedText),
            ConnectMongo5Kruptein34 { stringify: false } => (KrupteinVersion::V3_4, Text),
            ConnectMongo6 => (KrupteinVersion::V3_0, Text),
        };
        // connect-mongo gives 16 whatever the cipher, connect-memcached none.
        let iv_size = match counterpart {
            ConnectMemcached2 | ConnectMemcached3 => None,
            _ => Some(16),
        };
        Self {
            version,
            plaintext,
            algorithm: KrupteinAlgorithm::Aes256Gcm,
            hashing: Hashing::Sha512,
            encode_as: EncodeAs::Base64,
            use_asn1: true,
            use_scrypt: false,
            iv_size,
            records_per_salt: 1_000,
        }
    }

    /// Refuses what has no meaning, and names it.
    pub(super) fn check(&self) -> Result<(), Error> {
        let (option, value) = match self {
            Self { records_per_salt: 0, .. } => ("records_per_salt", "zero"),
            Self { iv_size: Some(size), algorithm: KrupteinAlgorithm::Aes256Gcm, .. }
                if !gcm::NONCES.contains(size) =>
            {
                ("iv_size", "must be between 1 and 128")
            }
            Self {
                iv_size: Some(size), algorithm: KrupteinAlgorithm::InsecureAes256Cbc, ..
            } if *size != cbc::IV => ("iv_size", "must be 16 with this cipher"),
            _ => return Ok(()),
        };
        Err(config(format!("invalid option {option:?}: {value}")))
    }

    pub(super) fn writes_der(&self) -> bool {
        match self.version {
            KrupteinVersion::V2 => false,
            KrupteinVersion::V3_0 | KrupteinVersion::V3_1_1 => true,
            KrupteinVersion::V3_1_3 | KrupteinVersion::V3_4 => self.use_asn1,
        }
    }

    /// The bytes of an IV in what is written.
    pub(super) fn iv_length(&self) -> usize {
        let own = match self.algorithm {
            KrupteinAlgorithm::Aes256Gcm => 12,
            KrupteinAlgorithm::InsecureAes256Cbc => cbc::IV,
        };
        match self.version {
            KrupteinVersion::V3_4 => self.iv_size.unwrap_or(own),
            _ => own,
        }
    }
}
