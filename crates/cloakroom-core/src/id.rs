//! Session ids, as uid-safe makes them for express-session.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Error, ErrorKind};

/// Returns a new session id: 192 random bits in 32 characters of `A-Z a-z 0-9 - _`.
///
/// # Errors
///
/// [`Other`](ErrorKind::Other) if the system's random source fails. The function never falls back to a weaker source,
/// because a session id must be impossible to guess.
///
/// ```
/// let sid = cloakroom_core::generate_id()?;
/// assert_eq!(sid.len(), 32);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub fn generate_id() -> Result<String, Error> {
    RandomId::new().map(|id| id.to_text())
}

/// A new session id that is not written as text yet, for a session that may never need its id.
///
/// ```
/// use cloakroom_core::RandomId;
///
/// let id = RandomId::new()?;
/// assert_eq!(id.to_text().len(), 32);
/// assert_eq!(id.to_text(), id.to_text());
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub struct RandomId([u8; 24]);

impl RandomId {
    /// Returns a new id.
    ///
    /// # Errors
    ///
    /// As [`generate_id`].
    pub fn new() -> Result<Self, Error> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::new(ErrorKind::Other, "id", "generate", "the system's random source failed")
                .with_source(error)
        })?;
        Ok(Self(bytes))
    }

    /// Returns the id as [`generate_id`] writes it.
    #[must_use]
    pub fn to_text(&self) -> String {
        id_from_bytes(&self.0)
    }
}

impl fmt::Debug for RandomId {
    /// Leaves the id out, because it is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomId").finish_non_exhaustive()
    }
}

/// Returns the id that [`generate_id`] makes of these bytes: base64url without padding (uid-safe 2.1.5).
#[must_use]
pub fn id_from_bytes(bytes: &[u8; 24]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_the_id_of_uid_safe() {
        let counting = std::array::from_fn(|index| index as u8);
        for (bytes, id) in [
            ([0x00; 24], "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ([0xff; 24], "________________________________"),
            (
                std::array::from_fn(|index| [0x3e, 0xff, 0xbf][index % 3]),
                "Pv-_Pv-_Pv-_Pv-_Pv-_Pv-_Pv-_Pv-_",
            ),
            (counting, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"),
        ] {
            assert_eq!(id_from_bytes(&bytes), id);
        }
    }

    #[test]
    fn no_two_ids_are_alike() {
        let ids: std::collections::HashSet<String> =
            (0..1_000).map(|_| generate_id().unwrap()).collect();
        assert_eq!(ids.len(), 1_000);
    }
}
