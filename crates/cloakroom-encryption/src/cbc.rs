//! AES-256-CBC, which the npm stores offer beside GCM.
//!
//! It hides a text but does not protect it: nothing here notices that a stored text was changed. Hence the `Insecure`
//! in the names of the options that choose it.

use aes::Aes256;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};

use crate::key::Key;

/// The length of an IV in bytes.
pub(crate) const IV: usize = 16;

/// Returns the ciphertext with PKCS #7 padding. `None` if the IV does not have [`IV`] bytes.
pub(crate) fn seal(key: &Key, iv: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&**key, iv).ok()?;
    Some(cipher.encrypt_padded_vec::<Pkcs7>(plaintext))
}

/// Returns the plaintext, or `None` if its padding is invalid. Nothing else is verified.
pub(crate) fn open(key: &Key, iv: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&**key, iv).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_pads_and_refuses_a_wrong_padding_or_iv() {
        let key = Key::new([7; 32]);
        let sealed = seal(&key, &[9; IV], b"plain").unwrap();
        assert_eq!(sealed.len(), 16);
        assert_eq!(open(&key, &[9; IV], &sealed).unwrap(), b"plain");
        assert_eq!(open(&key, &[9; IV], &sealed[..15]), None);
        assert_eq!(open(&key, &[9; IV], b""), None);
        assert_eq!(open(&key, &[9; 12], &sealed), None);
        assert_eq!(seal(&key, &[9; 12], b"plain"), None);
    }
}
