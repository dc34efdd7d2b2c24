//! For the tests of this workspace only, which reproduce recorded ciphertexts. Any release may change or remove it.
//!
//! A format is proved by writing what the npm package wrote, byte for byte. That takes the package's random bytes.

/// An encryption whose random bytes the caller supplies.
pub trait EncryptWith {
    /// Encrypts with the bytes that `random` supplies. It is called in the order in which the npm package calls
    /// `randomBytes`.
    ///
    /// Two records with the same random bytes can both be decrypted without the secret.
    fn insecure_encrypt_with(
        &self,
        session_json: &str,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String;
}
