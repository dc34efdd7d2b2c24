//! The names of marker records, which are stored next to sessions but are not sessions.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The prefix of every marker's name.
pub const MARKER_PREFIX: &str = "cloakroom-marker-";

/// Returns the name of the marker for the session that had this id.
///
/// When a session moves to a new id or is logged out, the layer stores a marker for a minute. A request that arrives with
/// the old id finds it and knows which of the two happened. The markers of two logins that end together live as long as
/// these logins. The name is a digest, so it does not reveal the id.
///
/// A marker is not a session, and no cookie can name one. The stores of this project leave markers out of their
/// listings. Another store lists them like any record; use [`is_marker`] to filter them.
///
/// ```
/// use cloakroom_core::{is_marker, marker_name};
///
/// let name = marker_name("hJ2hCVQ1V9QBBTGVfJnKfnKvWDDzFFpp");
/// assert!(is_marker(&name) && !name.contains("hJ2h"));
/// assert!(!is_marker("hJ2hCVQ1V9QBBTGVfJnKfnKvWDDzFFpp"));
/// ```
#[must_use]
pub fn marker_name(sid: &str) -> String {
    // The fixed text keeps this digest apart from any other digest of a session id.
    let digest = Sha256::new().chain_update("cloakroom marker\0").chain_update(sid).finalize();
    let mut name = MARKER_PREFIX.to_owned();
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Returns true if `sid` is the name of a marker rather than the id of a session.
#[must_use]
pub fn is_marker(sid: &str) -> bool {
    sid.starts_with(MARKER_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_digest_of_an_id_and_fits_every_store() {
        // printf 'cloakroom marker\0abc' | sha256sum
        let digest = "a821495456b85e1347f1578a68ea6ac4f835325c9222c61bd566eb4c35a6bcac";
        assert_eq!(marker_name("abc"), format!("cloakroom-marker-{digest}"));
        assert_ne!(marker_name("abc"), marker_name("abd"));
        assert_ne!(marker_name(&marker_name("abc")), marker_name("abc"));
        // memcached takes keys of 250 bytes, without blanks.
        assert!(marker_name("abc").bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
