//! A JSON Web Encryption with `dir` and A256CBC-HS512 (RFC 7518, section 5.2).

use aes::Aes256;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use hmac::Hmac;
use sha2::Sha512;

use super::keys::{EncryptionKey, thumbprint};
use crate::sealed::{
    Refusal,
    mac::{mac, same},
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
        keys: impl Iterator<Item = EncryptionKey>,
        kid: Option<&str>,
    ) -> Result<Vec<u8>, Refusal> {
        let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
        let (iv, ciphertext, tag) = (decode(self.iv)?, decode(self.ciphertext)?, decode(self.tag)?);
        let mut refusal = Refusal::UnknownKey;
        for key in keys {
            if kid.is_some_and(|kid| !same(thumbprint(&key).as_bytes(), kid.as_bytes())) {
                continue;
            }
            let (mac_key, cipher_key) = key.split_at(32);
            let header = self.header.as_bytes();
            let bits = (header.len() as u64 * 8).to_be_bytes();
            let mac = mac::<Hmac<Sha512>>(mac_key, &[header, &iv, &ciphertext, &bits]);
            if same(&mac[..32], &tag) {
                let cipher = cbc::Decryptor::<Aes256>::new_from_slices(cipher_key, &iv);
                let bytes = cipher
                    .ok()
                    .and_then(|cipher| cipher.decrypt_padded_vec::<Pkcs7>(&ciphertext).ok());
                return bytes.ok_or(Refusal::InvalidContent);
            }
            refusal = Refusal::NotVerified;
        }
        Err(refusal)
    }
}
