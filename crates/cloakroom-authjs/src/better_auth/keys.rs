//! The secrets of better-auth: what they sign and which keys they give.

use std::{fmt, sync::Arc};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use cloakroom_core::{Error, ErrorKind};
use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    jwe::{Encryption, Key},
    sealed::mac::{mac, same},
};

/// The secrets, the one that signs first. Clones share them, and the last one erases them.
#[derive(Clone)]
pub(super) struct Keys(Arc<[Zeroizing<Vec<u8>>]>);

impl Keys {
    pub(super) fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let secrets: Arc<[_]> =
            secrets.into_iter().map(|secret| Zeroizing::new(secret.as_ref().to_vec())).collect();
        let message = if secrets.is_empty() {
            "at least one secret is required"
        } else if secrets.iter().any(|secret| secret.is_empty()) {
            "invalid secret: must not be empty"
        } else {
            return Ok(Self(secrets));
        };
        Err(Error::new(ErrorKind::Config, "better-auth", "new", message))
    }

    /// Returns `value.mac`, which is percent-encoded in a cookie.
    pub(super) fn sign(&self, value: &str) -> String {
        format!("{value}.{}", signature(&self.0[0], value))
    }

    /// Returns the value before the last `.`, if a secret verifies it.
    pub(super) fn unsign<'a>(&self, signed: &'a str) -> Option<&'a str> {
        let (value, mac) = signed.rsplit_once('.')?;
        let is_signed =
            |secret: &Zeroizing<Vec<u8>>| same(signature(secret, value).as_bytes(), mac.as_bytes());
        self.0.iter().any(is_signed).then_some(value)
    }

    /// Returns true if a secret verifies an HMAC-SHA256 in base64url without padding.
    pub(super) fn verifies(&self, text: &[&[u8]], signature: &str) -> bool {
        self.0.iter().any(|secret| {
            let mac = URL_SAFE_NO_PAD.encode(mac::<Hmac<Sha256>>(secret, text));
            same(mac.as_bytes(), signature.as_bytes())
        })
    }

    /// Returns the keys of the encrypted cookie cache.
    pub(super) fn encryption_keys(&self) -> impl Iterator<Item = Key> {
        self.0.iter().filter_map(|secret| Key::derive(Encryption::A256CbcHs512, secret, SALT, INFO))
    }
}

const SALT: &str = "better-auth-session";
const INFO: &str = "BetterAuth.js Generated Encryption Key";

fn signature(secret: &[u8], value: &str) -> String {
    STANDARD.encode(mac::<Hmac<Sha256>>(secret, &[value.as_bytes()]))
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("count", &self.0.len()).finish_non_exhaustive()
    }
}
