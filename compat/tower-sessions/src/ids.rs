//! Session ids: a text here, a number of 128 bits in tower-sessions.

use sha2::{Digest, Sha256};
use tower_sessions_core::session::Id;

/// Returns the number that stands for a session id in tower-sessions.
///
/// An id that is the text of such a number, 22 characters of URL-safe Base64, is that number. Any other id, such as the
/// 32 characters of express-session, is the first 128 bits of its SHA-256 digest: nobody can find two ids with one
/// number.
///
/// ```
/// use cloakroom_tower_sessions::{id_of, tower_sessions_core::session::Id};
///
/// let theirs = Id::default();
/// assert_eq!(id_of(&theirs.to_string()), theirs);
/// assert_ne!(id_of("an id of Express"), id_of("another id of Express"));
/// ```
#[must_use]
pub fn id_of(sid: &str) -> Id {
    own(sid).unwrap_or_else(|| {
        let digest = Sha256::digest(sid.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Id(i128::from_le_bytes(bytes))
    })
}

/// Returns true if this session id is the text of a number of tower-sessions, so that their layer finds the session,
/// too.
///
/// ```
/// use cloakroom_tower_sessions::{is_own_text, tower_sessions_core::session::Id};
///
/// assert!(is_own_text(&Id::default().to_string()));
/// assert!(!is_own_text("an id of Express"));
/// ```
#[must_use]
pub fn is_own_text(sid: &str) -> bool {
    own(sid).is_some()
}

fn own(sid: &str) -> Option<Id> {
    sid.parse::<Id>().ok().filter(|id| id.to_string() == sid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_number_or_a_digest() {
        // The digest is that of `printf abc | sha256sum`.
        let of_abc = u128::from_be_bytes(
            *b"\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23",
        );
        assert_eq!(id_of("abc"), Id(i128::from_le_bytes(of_abc.to_be_bytes())));
        for (sid, is_own) in [
            ("AAAAAAAAAAAAAAAAAAAAAA", true),
            ("_____________________w", true),
            // Another text of the last number: bits are set that the number does not have.
            ("_____________________x", false),
            ("AAAAAAAAAAAAAAAAAAAAAA==", false),
            ("AAAAAAAAAAAAAAAAAAAAA", false),
            ("AAAAAAAAAAAAAAAAAAAA/A", false),
            ("", false),
        ] {
            assert_eq!(is_own_text(sid), is_own, "{sid}");
        }
        assert_ne!(id_of("_____________________x"), id_of("_____________________w"));
    }
}
