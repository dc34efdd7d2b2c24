//! Tokens as csurf makes and checks them, with a secret in the session.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use cloakroom::{Error, generate_id, tower::Session};
use sha1::{Digest, Sha1};

const SECRET: &str = "csrfSecret";

/// What `req.csrfToken()` does.
pub(crate) fn token(session: &Session) -> Result<String, Error> {
    let secret = match session.get::<String>(SECRET)? {
        Some(secret) => secret,
        None => {
            let secret = generate_id()?;
            session.insert(SECRET, &secret)?;
            secret
        }
    };
    // A salt ends at the first dash.
    let salt: String = generate_id()?.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    Ok(salted(&salt, &secret))
}

/// Returns true if the token was made with the session's secret.
pub(crate) fn is_valid(session: &Session, token: &str) -> Result<bool, Error> {
    let secret = session.get::<String>(SECRET)?;
    let salt = token.split_once('-').map(|(salt, _)| salt);
    Ok(salt.zip(secret).is_some_and(|(salt, secret)| salted(salt, &secret) == token))
}

fn salted(salt: &str, secret: &str) -> String {
    let hash = Sha1::digest(format!("{salt}-{secret}"));
    format!("{salt}-{}", BASE64_URL_SAFE_NO_PAD.encode(hash))
}
