//! The keyed hash by which the spans of one session are found, and nobody finds the session.

use std::sync::OnceLock;

use cloakroom_core::{Error, ErrorKind};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The bytes of the hash that are shown. Two of a million sessions share them with a probability of 0.2 %.
const SHOWN: usize = 6;

/// The shortest key.
const SHORTEST: usize = 16;

/// The key of this process. `None` if the system has no random bytes; then no span has a hash.
static KEY: OnceLock<Option<Vec<u8>>> = OnceLock::new();

/// Sets the key of the hash of session ids in spans, for the whole process. With the same key, several processes show
/// the same hash for a session; by default, each process has a random one.
///
/// The hash is the beginning of an HMAC-SHA-256 of the id, as 12 hexadecimal digits. Who has an id and the key finds the
/// session's spans:
///
/// ```text
/// printf %s "$ID" | openssl dgst -sha256 -hmac "$KEY" -r | cut -c1-12
/// ```
///
/// Keep the key secret like any other: with it, somebody who guesses an id can check the guess.
///
/// # Errors
///
/// [`Config`](ErrorKind::Config) for a key of less than 16 bytes, and if the key is in use already: set it before the
/// first operation.
///
/// ```
/// use cloakroom_backend::observe::set_hash_key;
///
/// let error = set_hash_key("short").unwrap_err();
/// assert_eq!(error.to_string(), "observe: set_hash_key: invalid key: must have at least 16 bytes");
/// ```
pub fn set_hash_key(key: impl AsRef<[u8]>) -> Result<(), Error> {
    let refused = |why| Error::new(ErrorKind::Config, "observe", "set_hash_key", why);
    let key = key.as_ref();
    if key.len() < SHORTEST {
        return Err(refused("invalid key: must have at least 16 bytes"));
    }
    KEY.set(Some(key.to_vec()))
        .map_err(|_| refused("the key is in use already: set it before the first operation"))
}

/// Returns the hash of an id, or `None` if there is no key.
pub(super) fn hash(sid: &str) -> Option<String> {
    use std::fmt::Write as _;
    let key = KEY.get_or_init(|| {
        let mut key = [0; 32];
        getrandom::fill(&mut key).ok().map(|()| key.to_vec())
    });
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_ref()?).ok()?;
    mac.update(sid.as_bytes());
    let mut shown = String::with_capacity(2 * SHOWN);
    for byte in mac.finalize().into_bytes().iter().take(SHOWN) {
        // Writing to a text does not fail.
        let _ = write!(shown, "{byte:02x}");
    }
    Some(shown)
}
