//! A JSON Web Encryption with `dir` and A256CBC-HS512, whose header `cache.rs` has read.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    jwe::{self, Key},
    sealed::{Refusal, mac::same},
};

/// The parts of a token.
pub(super) struct Token<'a> {
    pub(super) header: &'a str,
    pub(super) iv: &'a str,
    pub(super) ciphertext: &'a str,
    pub(super) tag: &'a str,
}

impl Token<'_> {
    /// Opens it with the key of this thumbprint, or, without one, with the first key that verifies it.
    pub(super) fn open(
        &self,
        keys: impl Iterator<Item = Key>,
        kid: Option<&str>,
    ) -> Result<Vec<u8>, Refusal> {
        let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
        let (iv, ciphertext, tag) = (decode(self.iv)?, decode(self.ciphertext)?, decode(self.tag)?);
        let mut refusal = Refusal::UnknownKey;
        for key in keys {
            if kid.is_some_and(|kid| !same(key.sha256_thumbprint().as_bytes(), kid.as_bytes())) {
                continue;
            }
            let header = self.header.as_bytes();
            if let Some(content) = jwe::open(&key, &iv, header, ciphertext.clone(), &tag) {
                return Ok(content);
            }
            refusal = Refusal::NotVerified;
        }
        Err(refusal)
    }
}
