//! For the tests of this workspace only, which write recorded ciphertexts again. Any release may change or remove it.

/// An encryption whose random bytes are given.
pub trait EncryptWith {
    /// Encrypts with the bytes that `random` fills in, which is called as the npm package calls `randomBytes`.
    ///
    /// Two records with the same bytes can both be read without the secret.
    fn insecure_encrypt_with(
        &self,
        session_json: &str,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String;
}
