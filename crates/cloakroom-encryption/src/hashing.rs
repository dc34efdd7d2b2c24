//! Digests, and HMAC and PBKDF2 with them.

use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The digest: the option `hashing` of the npm stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hashing {
    /// `sha256`.
    Sha256,
    /// `sha384`: the default of kruptein from 3.0.7 on.
    Sha384,
    /// `sha512`: the choice of connect-memcached and connect-mongo.
    Sha512,
}

impl Hashing {
    /// Returns the digest with this many bytes.
    pub(crate) fn of_length(bytes: usize) -> Option<Self> {
        match bytes {
            32 => Some(Self::Sha256),
            48 => Some(Self::Sha384),
            64 => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(crate) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// Returns the HMAC over the concatenated parts.
    pub(crate) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => code::<Hmac<Sha256>>(key, parts),
            Self::Sha384 => code::<Hmac<Sha384>>(key, parts),
            Self::Sha512 => code::<Hmac<Sha512>>(key, parts),
        }
    }

    /// Fills `key` with PBKDF2.
    pub(crate) fn derive(self, secret: &[u8], salt: &[u8], rounds: u32, key: &mut [u8]) {
        match self {
            Self::Sha256 => pbkdf2_hmac::<Sha256>(secret, salt, rounds, key),
            Self::Sha384 => pbkdf2_hmac::<Sha384>(secret, salt, rounds, key),
            Self::Sha512 => pbkdf2_hmac::<Sha512>(secret, salt, rounds, key),
        }
    }
}

fn code<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = M::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}
