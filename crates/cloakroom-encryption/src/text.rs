//! Plaintexts as JSON. The npm packages encrypt what `JSON.stringify` makes of a value, and some stringify twice.

use cloakroom_core::{Error, json};

use crate::error::corrupt;

/// Returns a decrypted text. An authentic one may still not be UTF-8, because kruptein 2.0 encrypts only the low byte
/// of each character.
pub(crate) fn decode(plaintext: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(plaintext).map_err(|_| corrupt("the decrypted text is not valid UTF-8"))
}

/// Returns the text as `JSON.stringify` prints it.
pub(crate) fn quote(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json::quote(text, &mut json);
    json
}

/// Returns the text of a JSON string. Rejects half a surrogate pair, because no session contains it unescaped.
pub(crate) fn unquote(json: &str) -> Result<String, Error> {
    serde_json::from_str(json).map_err(|_| corrupt("the decrypted text is not valid JSON"))
}
