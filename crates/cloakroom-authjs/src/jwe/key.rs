//! Keys that are derived from a secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::encryption::Encryption;

/// A key of one of the algorithms. It is erased when it is dropped.
pub(crate) struct Key {
    encryption: Encryption,
    bytes: Zeroizing<Vec<u8>>,
}

impl Key {
    /// Derives a key from a secret (RFC 5869 with SHA-256). `None` if the secret is empty.
    pub(crate) fn derive(
        encryption: Encryption,
        secret: &[u8],
        salt: &str,
        info: &str,
    ) -> Option<Self> {
        let mut bytes = Zeroizing::new(vec![0; encryption.key_length()]);
        let hkdf = Hkdf::<Sha256>::new(Some(salt.as_bytes()), secret);
        hkdf.expand(info.as_bytes(), &mut bytes).ok().filter(|()| !secret.is_empty())?;
        Some(Self { encryption, bytes })
    }

    pub(crate) const fn encryption(&self) -> Encryption {
        self.encryption
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the thumbprint (RFC 7638) by which Auth.js 5 names the key, with the hash that it chooses by the key's
    /// length.
    pub(crate) fn thumbprint(&self) -> String {
        match self.encryption {
            Encryption::A256Gcm => self.sha256_thumbprint(),
            Encryption::A256CbcHs512 => URL_SAFE_NO_PAD.encode(Sha512::digest(&*self.jwk())),
        }
    }

    /// Returns the thumbprint by which better-auth names the key.
    pub(crate) fn sha256_thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&*self.jwk()))
    }

    /// Returns the key as what its thumbprint is the hash of.
    fn jwk(&self) -> Zeroizing<String> {
        let mut json = Zeroizing::new(String::from("{\"k\":\""));
        URL_SAFE_NO_PAD.encode_string(&*self.bytes, &mut json);
        json.push_str("\",\"kty\":\"oct\"}");
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"made-up-secret-one";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What next-auth 4.24.15 and @auth/core 0.41.3 derive.
    #[test]
    fn keys_and_their_names_are_those_of_the_packages() {
        let info = "NextAuth.js Generated Encryption Key";
        let key = Key::derive(Encryption::A256Gcm, SECRET, "", info).unwrap();
        assert_eq!(
            hex(key.bytes()),
            "23e4137747207b29da578c99d68f73fcdbce698b9056748da263cba0f091172e"
        );
        let name = "authjs.session-token";
        let info = format!("Auth.js Generated Encryption Key ({name})");
        let key = Key::derive(Encryption::A256CbcHs512, SECRET, name, &info).unwrap();
        assert_eq!(
            hex(key.bytes()),
            "54256bade58158c5522398d91c5cb6eaa5208b71dc5f400d6bd5c679b3959eca93e5a0c26c7d6e8715b829c81cd1699945b538d1ba9a66eca5f262d5d4b93add"
        );
        assert_eq!(
            key.thumbprint(),
            "_M50cM-xZCuuhrXWzPTNX-2AdkPDR_Uo758_F3AhxdKrCHg03OxzvavnGMK9vJTUzAKmlSrpITb1dpxGlxKbAA"
        );
        assert!(Key::derive(Encryption::A256Gcm, b"", "", "").is_none());
    }
}
