//! The digests, and what is made of them: HMAC and PBKDF2.

use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The digest that the npm stores call `hashing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hashing {
    /// `sha256`.
    Sha256,
    /// `sha384`, which kruptein uses from 3.0.7 on unless told otherwise.
    Sha384,
    /// `sha512`, which connect-memcached and connect-mongo ask for.
    Sha512,
}

impl Hashing {
    /// The digest that has this many bytes.
    pub(super) fn of_length(bytes: usize) -> Option<Self> {
        match bytes {
            32 => Some(Self::Sha256),
            48 => Some(Self::Sha384),
            64 => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// HMAC over the parts, one behind the other.
    pub(super) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => code::<Hmac<Sha256>>(key, parts),
            Self::Sha384 => code::<Hmac<Sha384>>(key, parts),
            Self::Sha512 => code::<Hmac<Sha512>>(key, parts),
        }
    }

    /// Fills `key` by PBKDF2.
    pub(super) fn derive(self, secret: &[u8], salt: &[u8], rounds: u32, key: &mut [u8]) {
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
