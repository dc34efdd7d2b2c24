//! csurf 1.11, by its package csrf 3.1.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom_core::Error;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// The letters of a salt.
pub(super) const SALT: usize = 8;

pub(super) fn secret() -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(super::random::<18>()?))
}

pub(super) fn token(salt: &str, secret: &str) -> String {
    format!("{salt}-{}", hash(salt, secret))
}

pub(super) fn is_valid(secret: &str, token: &str) -> bool {
    // A salt ends at the first dash; a hash can contain others.
    token
        .split_once('-')
        .is_some_and(|(salt, given)| hash(salt, secret).as_bytes().ct_eq(given.as_bytes()).into())
}

fn hash(salt: &str, secret: &str) -> String {
    // The package asks Node.js for "ascii", which is the low byte of each UTF-16 unit.
    let bytes: Vec<u8> = format!("{salt}-{secret}").encode_utf16().map(|unit| unit as u8).collect();
    URL_SAFE_NO_PAD.encode(Sha1::digest(bytes))
}
