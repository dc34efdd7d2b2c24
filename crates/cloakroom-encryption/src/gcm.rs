//! AES-256-GCM with a nonce of any length that OpenSSL accepts.
//!
//! connect-mongo 4.2.2 to 5.1.0 with kruptein 3.4 writes nonces of 16 bytes, connect-mongo 3 the 32 characters of a hex
//! text, and the option `iv_size` allows any other length.
//!
//! The crate aes-gcm fixes the length in a type, and is used for the usual 12 bytes. With another length only the first
//! counter block differs (NIST SP 800-38D, 7.1), so this module combines AES, the counter mode and GHASH itself.

use std::ops::RangeInclusive;

use aes::{
    Aes256,
    cipher::{BlockCipherEncrypt, KeyInit as _, KeyIvInit, StreamCipher},
};
use aes_gcm::{AeadInOut, Aes256Gcm, Nonce, Tag};
use ctr::Ctr32BE;
use ghash::{Block, GHash, universal_hash::UniversalHash};
use subtle::ConstantTimeEq;

use crate::key::Key;

/// The length of a tag in bytes.
pub(crate) const TAG: usize = 16;

/// The lengths of a nonce, in bytes, that OpenSSL 3 accepts.
pub(crate) const NONCES: RangeInclusive<usize> = 1..=128;

/// The length of a nonce, in bytes, for which aes-gcm is used.
const USUAL: usize = 12;

/// Returns the ciphertext and its tag. `None` if the nonce's length is not in [`NONCES`].
pub(crate) fn seal(
    key: &Key,
    nonce: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Option<(Vec<u8>, [u8; TAG])> {
    let mut bytes = plaintext.to_vec();
    if nonce.len() == USUAL {
        let nonce = Nonce::try_from(nonce).ok()?;
        let cipher = Aes256Gcm::new_from_slice(&**key).ok()?;
        let tag = cipher.encrypt_inout_detached(&nonce, aad, bytes.as_mut_slice().into()).ok()?;
        return Some((bytes, tag.into()));
    }
    let mut parts = Parts::new(key, nonce)?;
    parts.counter.try_apply_keystream(&mut bytes).ok()?;
    let tag = parts.tag(aad, &bytes);
    Some((bytes, tag))
}

/// Returns the plaintext, or `None` if the tag does not verify.
pub(crate) fn open(
    key: &Key,
    nonce: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Option<Vec<u8>> {
    let mut bytes = ciphertext.to_vec();
    if nonce.len() == USUAL {
        let (nonce, tag) = (Nonce::try_from(nonce).ok()?, Tag::try_from(tag).ok()?);
        let cipher = Aes256Gcm::new_from_slice(&**key).ok()?;
        cipher.decrypt_inout_detached(&nonce, aad, bytes.as_mut_slice().into(), &tag).ok()?;
        return Some(bytes);
    }
    let mut parts = Parts::new(key, nonce)?;
    // Before decrypting, so that no caller ever sees a plaintext that was changed.
    if !bool::from(parts.tag(aad, &bytes).ct_eq(tag)) {
        return None;
    }
    parts.counter.try_apply_keystream(&mut bytes).ok()?;
    Some(bytes)
}

/// The state that seals or opens one message.
struct Parts {
    hash: GHash,
    /// Positioned after its first block, which masks the tag.
    counter: Ctr32BE<Aes256>,
    mask: [u8; TAG],
}

impl Parts {
    fn new(key: &Key, nonce: &[u8]) -> Option<Self> {
        if !NONCES.contains(&nonce.len()) {
            return None;
        }
        let mut hash_key = Block::default();
        Aes256::new_from_slice(&**key).ok()?.encrypt_block(&mut hash_key);
        let hash = GHash::new(&hash_key);
        // For any length but 12 bytes, the first counter block is the GHASH of the nonce instead of the nonce itself.
        let first = hashed(&hash, b"", nonce);
        let mut counter = Ctr32BE::new_from_slices(&**key, &first).ok()?;
        let mut mask = [0; TAG];
        counter.try_apply_keystream(&mut mask).ok()?;
        Some(Self { hash, counter, mask })
    }

    /// Returns the tag: GHASH over the data and the ciphertext, masked with the first block of the counter.
    fn tag(&self, aad: &[u8], ciphertext: &[u8]) -> [u8; TAG] {
        let mut tag = hashed(&self.hash, aad, ciphertext);
        tag.iter_mut().zip(self.mask).for_each(|(byte, mask)| *byte ^= mask);
        tag
    }
}

/// Returns GHASH over both, each padded with zeros, and over their lengths in bits.
fn hashed(hash: &GHash, aad: &[u8], text: &[u8]) -> [u8; TAG] {
    let mut hash = hash.clone();
    hash.update_padded(aad);
    hash.update_padded(text);
    let bits = |bytes: &[u8]| (bytes.len() as u64 * 8).to_be_bytes();
    let mut lengths = Block::default();
    lengths[..8].copy_from_slice(&bits(aad));
    lengths[8..].copy_from_slice(&bits(text));
    hash.update(&[lengths]);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use aes_gcm::{
        AesGcm,
        aead::{
            array::{Array, ArraySize},
            consts::{U1, U13, U16, U24, U32, U64, U128},
        },
    };

    use super::*;

    #[test]
    fn what_is_sealed_opens_with_every_nonce_and_no_other_tag_or_data() {
        let key = Key::new([7; 32]);
        for length in NONCES {
            let nonce = vec![9; length];
            for plaintext in [&b""[..], b"plain", &[3; 1_000]] {
                let (sealed, tag) = seal(&key, &nonce, b"aad", plaintext).unwrap();
                let open = |nonce: &[u8], aad, tag| open(&key, nonce, aad, &sealed, tag);
                assert_eq!(open(&nonce, b"aad", &tag).unwrap(), plaintext, "{length}");
                assert_eq!(open(&nonce, b"add", &tag), None);
                assert_eq!(open(&nonce, b"aad", &tag[..15]), None);
                assert_eq!(open(&vec![8; length], b"aad", &tag), None);
                assert_eq!(open(&vec![9; length + 1], b"aad", &tag), None);
            }
        }
        for length in [0, 129, 1_000] {
            assert!(seal(&key, &vec![9; length], b"", b"").is_none());
            assert!(open(&key, &vec![9; length], b"", b"", &[0; TAG]).is_none());
        }
    }

    fn agrees_with_aes_gcm<N: ArraySize>() {
        let key = Key::new(std::array::from_fn(|place| place as u8));
        let nonce = Array::<u8, N>::from_fn(|place| place as u8 ^ 0xa5);
        for length in [0, 1, 15, 16, 17, 500] {
            let text: Vec<u8> = (0..length).map(|place| place as u8).collect();
            let aad = &text[..length / 2];
            let mut sealed = text.clone();
            let tag = AesGcm::<Aes256, N>::new_from_slice(&*key)
                .unwrap()
                .encrypt_inout_detached(&nonce, aad, sealed.as_mut_slice().into())
                .unwrap();
            assert_eq!(seal(&key, &nonce, aad, &text), Some((sealed, tag.into())));
        }
    }

    #[test]
    fn what_is_sealed_is_what_aes_gcm_seals() {
        agrees_with_aes_gcm::<U1>();
        agrees_with_aes_gcm::<U13>();
        agrees_with_aes_gcm::<U16>();
        agrees_with_aes_gcm::<U24>();
        agrees_with_aes_gcm::<U32>();
        agrees_with_aes_gcm::<U64>();
        agrees_with_aes_gcm::<U128>();
    }
}
