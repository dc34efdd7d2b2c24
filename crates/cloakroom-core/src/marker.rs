//! The names of marker records, which are stored beside sessions but are not sessions.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// What the name of each marker begins with.
pub const MARKER_PREFIX: &str = "cloakroom-marker-";

/// Returns the name under which a store keeps what became of the session that had this id.
///
/// A session that moves to a new id, or is logged out, leaves a marker for a minute, so that requests that still have
/// the old id can tell the one from the other. The markers of two logins that end together live as long as these.
/// The id leads to the name; the name does not lead back to the id.
/// A marker is never a session, and no cookie leads to it. The stores of this project leave markers out of their
/// listings; any other store lists them as it lists all records, and [`is_marker`] tells them from sessions.
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
    let digest = Sha256::new().chain_update("cloakroom marker\0").chain_update(sid).finalize();
    let mut name = MARKER_PREFIX.to_owned();
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Returns true if `sid` is the name of a marker, and so not the id of a session.
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
