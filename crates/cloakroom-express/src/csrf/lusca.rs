//! lusca 1.7.

use base64::{Engine, engine::general_purpose::STANDARD};
use cloakroom_core::Error;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// The letters of a salt, of which a token has exactly so many before the hash.
pub(super) const SALT: usize = 10;

pub(super) fn secret() -> Result<String, Error> {
    Ok(STANDARD.encode(super::random::<10>()?))
}

pub(super) fn token(salt: &str, secret: &str) -> String {
    format!("{salt}{}", hash(salt, secret))
}

pub(super) fn is_valid(secret: &str, token: &str) -> bool {
    // lusca's own salts are ASCII. One that is cut inside of a character is nobody's.
    token
        .split_at_checked(SALT)
        .is_some_and(|(salt, given)| hash(salt, secret).as_bytes().ct_eq(given.as_bytes()).into())
}

fn hash(salt: &str, secret: &str) -> String {
    STANDARD.encode(Sha1::digest(format!("{salt}{secret}")))
}
