//! AES-256-GCM with the nonce lengths that the npm stores use, and AES-256-CBC.

use aes::Aes256;
use aes_gcm::{
    AeadCore, AeadInOut, AesGcm, KeyInit, Tag,
    aead::{
        array::{Array, ArraySize},
        consts::{U12, U16, U24, U32},
    },
};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};

use super::Key;

/// The bytes of a GCM tag.
pub(super) const TAG: usize = 16;

/// The bytes of an IV for CBC.
pub(super) const CBC_IV: usize = 16;

/// The nonces for GCM: 12 bytes, 16 where `iv_size` is obeyed, 24 and 32 where the text of 16 bytes is the nonce.
pub(super) const GCM_NONCES: [usize; 4] = [12, 16, 24, 32];

/// The ciphertext and its tag; `None` for a nonce of another length than [`GCM_NONCES`].
pub(super) fn seal_gcm(
    key: &Key,
    nonce: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Option<(Vec<u8>, [u8; TAG])> {
    match nonce.len() {
        12 => seal::<U12>(key, nonce, aad, plaintext),
        16 => seal::<U16>(key, nonce, aad, plaintext),
        24 => seal::<U24>(key, nonce, aad, plaintext),
        32 => seal::<U32>(key, nonce, aad, plaintext),
        _ => None,
    }
}

/// The plaintext, if the tag verifies.
pub(super) fn open_gcm(
    key: &Key,
    nonce: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Option<Vec<u8>> {
    match nonce.len() {
        12 => open::<U12>(key, nonce, aad, ciphertext, tag),
        16 => open::<U16>(key, nonce, aad, ciphertext, tag),
        24 => open::<U24>(key, nonce, aad, ciphertext, tag),
        32 => open::<U32>(key, nonce, aad, ciphertext, tag),
        _ => None,
    }
}

fn seal<N: ArraySize>(
    key: &Key,
    nonce: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Option<(Vec<u8>, [u8; TAG])>
where
    AesGcm<Aes256, N>: AeadInOut + AeadCore<NonceSize = N, TagSize = U16> + KeyInit,
{
    let nonce: &Array<u8, N> = nonce.try_into().ok()?;
    let mut bytes = plaintext.to_vec();
    let tag = AesGcm::<Aes256, N>::new_from_slice(&**key)
        .ok()?
        .encrypt_inout_detached(nonce, aad, bytes.as_mut_slice().into())
        .ok()?;
    Some((bytes, tag.into()))
}

fn open<N: ArraySize>(
    key: &Key,
    nonce: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Option<Vec<u8>>
where
    AesGcm<Aes256, N>: AeadInOut + AeadCore<NonceSize = N, TagSize = U16> + KeyInit,
{
    let nonce: &Array<u8, N> = nonce.try_into().ok()?;
    let tag: &Tag = tag.try_into().ok()?;
    let mut bytes = ciphertext.to_vec();
    AesGcm::<Aes256, N>::new_from_slice(&**key)
        .ok()?
        .decrypt_inout_detached(nonce, aad, bytes.as_mut_slice().into(), tag)
        .ok()?;
    Some(bytes)
}

/// The ciphertext with PKCS #7 padding; `None` for an IV of another length than [`CBC_IV`].
pub(super) fn seal_cbc(key: &Key, iv: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&**key, iv).ok()?;
    Some(cipher.encrypt_padded_vec::<Pkcs7>(plaintext))
}

/// The plaintext, if its padding is right; nothing else is verified.
pub(super) fn open_cbc(key: &Key, iv: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&**key, iv).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_every_nonce_and_no_other_tag_or_data() {
        let key = Key::new([7; 32]);
        for length in GCM_NONCES {
            let nonce = vec![9; length];
            let (sealed, tag) = seal_gcm(&key, &nonce, b"aad", b"plain").unwrap();
            let open = |aad, tag| open_gcm(&key, &nonce, aad, &sealed, tag);
            assert_eq!(open(b"aad", &tag).unwrap(), b"plain");
            assert_eq!(open(b"add", &tag), None);
            assert_eq!(open(b"aad", &tag[..15]), None);
        }
        assert!(seal_gcm(&key, &[9; 13], b"", b"").is_none());
        assert!(open_gcm(&key, &[9; 13], b"", b"", &[0; TAG]).is_none());
    }

    #[test]
    fn cbc_pads_and_refuses_a_wrong_padding_or_iv() {
        let key = Key::new([7; 32]);
        let sealed = seal_cbc(&key, &[9; CBC_IV], b"plain").unwrap();
        assert_eq!(sealed.len(), 16);
        assert_eq!(open_cbc(&key, &[9; CBC_IV], &sealed).unwrap(), b"plain");
        assert_eq!(open_cbc(&key, &[9; CBC_IV], &sealed[..15]), None);
        assert_eq!(open_cbc(&key, &[9; CBC_IV], b""), None);
        assert_eq!(open_cbc(&key, &[9; 12], &sealed), None);
        assert_eq!(seal_cbc(&key, &[9; 12], b"plain"), None);
    }
}
