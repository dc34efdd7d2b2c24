//! The format Fe26.2 of iron-webcrypto, with the options that iron-session gives it.
//!
//! `Fe26.2*id*salt*iv*ciphertext*expiration*salt*mac`: everything before the last `*` but one is signed. The key of each
//! of AES and HMAC is derived with one round of PBKDF2 from the password and a salt. The salt is the hex text, not the
//! bytes that it stands for. Neither the salts' length nor the number of rounds is up to the seal.

use aes::Aes256;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
use cloakroom_core::{Error, ErrorKind};
use hmac::Hmac;
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{NAME, Passwords, options::SKEW_MS};
use crate::sealed::{
    Refusal,
    mac::{mac, same},
};

const PREFIX: &str = "Fe26.2";

/// The length of a salt's text.
const SALT: usize = 64;

const IV: usize = 16;

/// The random bytes of one seal.
#[derive(Default)]
pub(super) struct Random {
    salt: [u8; 32],
    iv: [u8; IV],
    mac_salt: [u8; 32],
}

impl Random {
    /// Draws them from the system's random source.
    pub(super) fn fill(&mut self) -> Result<(), Error> {
        self.parts().into_iter().try_for_each(getrandom::fill).map_err(|error| {
            let message = "the system's random source failed";
            Error::new(ErrorKind::Other, NAME, "seal", message).with_source(error)
        })
    }

    /// The parts in the order in which iron-webcrypto draws them.
    pub(super) fn parts(&mut self) -> [&mut [u8]; 3] {
        [&mut self.salt, &mut self.iv, &mut self.mac_salt]
    }
}

type Key = Zeroizing<[u8; 32]>;

fn derive(password: &[u8], salt: &str) -> Key {
    let mut key = Key::default();
    pbkdf2_hmac::<Sha1>(password, salt.as_bytes(), 1, &mut *key);
    key
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seals a text.
pub(super) fn close(
    text: &str,
    id: u64,
    password: &[u8],
    expires_ms: Option<i64>,
    random: &Random,
) -> String {
    let (salt, mac_salt) = (hex(&random.salt), hex(&random.mac_salt));
    let key = derive(password, &salt);
    let cipher = cbc::Encryptor::<Aes256>::new((&*key).into(), (&random.iv).into());
    let ciphertext = cipher.encrypt_padded_vec::<Pkcs7>(text.as_bytes());
    let (iv, ciphertext) = (URL_SAFE_NO_PAD.encode(random.iv), URL_SAFE_NO_PAD.encode(ciphertext));
    let expires = expires_ms.map(|ms| ms.to_string()).unwrap_or_default();
    let signed = format!("{PREFIX}*{id}*{salt}*{iv}*{ciphertext}*{expires}");
    let mac = sign(&signed, password, &mac_salt);
    format!("{signed}*{mac_salt}*{mac}")
}

fn sign(signed: &str, password: &[u8], mac_salt: &str) -> String {
    let key = derive(password, mac_salt);
    URL_SAFE_NO_PAD.encode(mac::<Hmac<Sha256>>(&*key, &[signed.as_bytes()]))
}

/// Opens a seal. Nothing of it counts before its signature is verified.
pub(super) fn open(seal: &str, passwords: &Passwords, now_ms: i64) -> Result<Vec<u8>, Refusal> {
    let parts: Vec<&str> = seal.splitn(9, '*').collect();
    let [prefix, id, salt, iv, ciphertext, expires, mac_salt, mac] = parts[..] else {
        return Err(Refusal::Malformed);
    };
    if prefix != PREFIX {
        return Err(Refusal::OtherVersion);
    }
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_salt(salt) || !is_salt(mac_salt) || !is_digits(expires) {
        return Err(Refusal::Malformed);
    }
    let password = passwords.find(id).ok_or(Refusal::UnknownKey)?;
    let signed = &seal[..seal.len() - mac_salt.len() - mac.len() - 2];
    if !same(sign(signed, password, mac_salt).as_bytes(), mac.as_bytes()) {
        return Err(Refusal::NotVerified);
    }
    // More digits than fit are a time beyond all others.
    let expires_ms =
        if expires.is_empty() { i64::MAX } else { expires.parse().unwrap_or(i64::MAX) };
    if expires_ms <= now_ms.saturating_sub(SKEW_MS) {
        return Err(Refusal::Expired);
    }
    decrypt(password, salt, iv, ciphertext).ok_or(Refusal::InvalidContent)
}

/// Returns true for what 32 bytes are in hex.
fn is_salt(text: &str) -> bool {
    text.len() == SALT && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn decrypt(password: &[u8], salt: &str, iv: &str, ciphertext: &str) -> Option<Vec<u8>> {
    let iv = URL_SAFE_NO_PAD.decode(iv).ok()?;
    let ciphertext = URL_SAFE_NO_PAD.decode(ciphertext).ok()?;
    let key = derive(password, salt);
    let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&*key, &iv).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(&ciphertext).ok()
}
