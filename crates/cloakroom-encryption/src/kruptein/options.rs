//! The options of kruptein.

use cloakroom_core::Error;

use crate::{EncodeAs, Hashing, cbc, error::config, gcm};

/// The npm store that reads the written records; see [`KrupteinOptions::of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counterpart {
    /// connect-memcached 2, with kruptein 3.0.
    ConnectMemcached2,
    /// connect-memcached 3, with kruptein 3.1.3 to 3.1.7.
    ConnectMemcached3,
    /// connect-mongo 4.1.0 to 4.2.0, with kruptein 2.1 or 2.2.
    ConnectMongo4 {
        /// The option of this name there, which defaults to `true`.
        stringify: bool,
    },
    /// connect-mongo 4.2.2 to 5.1.0, with kruptein 3.1.3 to 3.3.0, which npm installed until 3.4.0 was released.
    ConnectMongo5 {
        /// The option of this name there, which defaults to `true`.
        stringify: bool,
    },
    /// connect-mongo 4.2.2 to 5.1.0, with kruptein 3.4.
    ///
    /// It cannot read its own records. It can read the records of this crate, which have one more layer of quotes.
    ConnectMongo5Kruptein34 {
        /// The option of this name there, which defaults to `true`.
        stringify: bool,
    },
    /// connect-mongo 6, with kruptein 3.0.8.
    ConnectMongo6,
}

/// The generations of kruptein. Each version reads only the records of its own generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KrupteinVersion {
    /// 2.1 and 2.2 without `use_asn1`. It also reads what 2.0 wrote, unless 2.0 damaged it.
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
    /// `aes-256-gcm`: the default of the npm stores.
    Aes256Gcm,
    /// `aes-256-cbc`. Before 3.4 the HMAC does not cover all of the IV, so an attacker who can write to the backend can
    /// change the first 16 characters of the plaintext unnoticed.
    InsecureAes256Cbc,
}

/// The value that is passed to kruptein for encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KrupteinPlaintext {
    /// The session's object.
    Object,
    /// The session's JSON text, which kruptein turns into a JSON string.
    Text,
    /// The session's JSON text as a JSON string, which kruptein turns into a JSON string once more.
    QuotedText,
}

/// Options of [`Kruptein`](crate::Kruptein): those of the npm package under their names there, and a few more.
///
/// `key_size` and `at_size` are fixed by the cipher at 32 and 16 bytes.
///
/// ```
/// use cloakroom_encryption::{Counterpart, KrupteinOptions, KrupteinVersion};
///
/// let mut options = KrupteinOptions::of(Counterpart::ConnectMongo5 { stringify: true });
/// options.version = KrupteinVersion::V3_0;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KrupteinOptions {
    /// The generation to write. All of them are read.
    pub version: KrupteinVersion,
    /// The form of the plaintext to write. All of them are read.
    pub plaintext: KrupteinPlaintext,
    /// The cipher. Reading a record with the other cipher is a [`Corrupt`](cloakroom_core::ErrorKind::Corrupt) error.
    pub algorithm: KrupteinAlgorithm,
    /// The digest for writing. SHA-512 by default. All of them are read.
    pub hashing: Hashing,
    /// The encoding of bytes for writing. Base64 by default. All of them are read.
    pub encode_as: EncodeAs,
    /// Whether to write DER instead of JSON. `true` by default. [`V2`](KrupteinVersion::V2) is always written as JSON, and
    /// 3.0 and 3.1.1 as DER. Both are read.
    ///
    /// kruptein 2 writes and reads DER if Node.js sets `use_asn1: true`, as connect-mongo 4.1 and session-file-store 1.5
    /// allow in `crypto`. It is the same DER as that of 3.0: set [`V3_0`](KrupteinVersion::V3_0) there.
    pub use_asn1: bool,
    /// Whether to derive keys with scrypt and Node's default parameters instead of PBKDF2. Reading a record with the
    /// other function is a [`Corrupt`](cloakroom_core::ErrorKind::Corrupt) error.
    pub use_scrypt: bool,
    /// The length of an IV in bytes: 1 to 128 with GCM, 16 with CBC. By default 12 with GCM and 16 with CBC. As in
    /// kruptein, only generation 3.4 uses this option.
    pub iv_size: Option<usize>,
    /// The number of records that are written with one salt and therefore with one key. 1,000 by default.
    ///
    /// kruptein derives a key for each record. That takes nearly all of the time of a write and adds no protection,
    /// because all keys come from one secret. Each record has its own IV in any case.
    pub records_per_salt: u32,
}

impl KrupteinOptions {
    /// Returns the options that this counterpart passes to kruptein, with the generation that it installs.
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
        // connect-mongo sets 16 with either cipher; connect-memcached leaves it unset.
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

    /// Rejects an invalid option by its name.
    pub(super) fn check(&self) -> Result<(), Error> {
        let (option, value) = match self {
            Self { records_per_salt: 0, .. } => ("records_per_salt", "must be above zero"),
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

    /// Returns the length of a written IV in bytes.
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
