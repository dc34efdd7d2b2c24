//! `A256GCM` and `A256CBC-HS512` (RFC 7518, sections 5.3 and 5.2.5).

use aes::{Aes256, cipher::KeyIvInit};
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, block_padding::Pkcs7};
use hmac::{Hmac, Mac};
use sha2::Sha512;
use subtle::ConstantTimeEq;

use super::{encryption::Encryption, key::Key};

/// Half of the key of `A256CBC-HS512`, which is also the length of its tag.
const HALF: usize = 32;

/// Returns the ciphertext and the tag. `None` if the IV has another length than the algorithm takes.
pub(super) fn seal(key: &Key, iv: &[u8], aad: &[u8], text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    match key.encryption() {
        Encryption::A256Gcm => {
            let nonce = Nonce::try_from(iv).ok()?;
            let cipher = Aes256Gcm::new_from_slice(key.bytes()).ok()?;
            let mut bytes = text.to_vec();
            let tag =
                cipher.encrypt_inout_detached(&nonce, aad, bytes.as_mut_slice().into()).ok()?;
            Some((bytes, tag.to_vec()))
        }
        Encryption::A256CbcHs512 => {
            let (mac, encryption) = key.bytes().split_at_checked(HALF)?;
            let cipher = cbc::Encryptor::<Aes256>::new_from_slices(encryption, iv).ok()?;
            let ciphertext = cipher.encrypt_padded_vec::<Pkcs7>(text);
            let tag = tag(mac, aad, iv, &ciphertext)?;
            Some((ciphertext, tag.to_vec()))
        }
    }
}

/// Returns the plaintext, or `None` if the tag does not verify.
pub(crate) fn open(
    key: &Key,
    iv: &[u8],
    aad: &[u8],
    ciphertext: Vec<u8>,
    sent_tag: &[u8],
) -> Option<Vec<u8>> {
    match key.encryption() {
        Encryption::A256Gcm => {
            let (nonce, tag) = (Nonce::try_from(iv).ok()?, Tag::try_from(sent_tag).ok()?);
            let cipher = Aes256Gcm::new_from_slice(key.bytes()).ok()?;
            let mut bytes = ciphertext;
            cipher.decrypt_inout_detached(&nonce, aad, bytes.as_mut_slice().into(), &tag).ok()?;
            Some(bytes)
        }
        Encryption::A256CbcHs512 => {
            let (mac, encryption) = key.bytes().split_at_checked(HALF)?;
            // Before decrypting, so that nobody learns from the padding.
            let is_whole = tag(mac, aad, iv, &ciphertext)?.ct_eq(sent_tag);
            if !bool::from(is_whole) {
                return None;
            }
            let cipher = cbc::Decryptor::<Aes256>::new_from_slices(encryption, iv).ok()?;
            cipher.decrypt_padded_vec::<Pkcs7>(&ciphertext).ok()
        }
    }
}

/// Returns the first half of the HMAC over the data, the IV, the ciphertext, and the length of the data in bits.
fn tag(key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<[u8; HALF]> {
    let mac = Hmac::<Sha512>::new_from_slice(key).ok()?;
    let bits = (aad.len() as u64 * 8).to_be_bytes();
    let mac = mac.chain_update(aad).chain_update(iv).chain_update(ciphertext).chain_update(bits);
    mac.finalize().into_bytes().first_chunk().copied()
}
