//! The revision that `update` compares.

use std::fmt;

/// Identifies the state of a record that a session was read from. Only the store that created it can compare it.
///
/// Node.js does not write versions into records. So each store uses what its backend offers: a counter, a digest,
/// Memcached's `cas`, or the text itself.
///
/// ```
/// use cloakroom_core::Revision;
///
/// assert_eq!(Revision::from_number(7).as_number(), Some(7));
/// assert_eq!(Revision::from_bytes(*b"digest").as_bytes(), Some(&b"digest"[..]));
/// assert!(Revision::of_text().is_of_text());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Revision(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Text,
    Number(u64),
    Bytes(Box<[u8]>),
}

impl Revision {
    /// Creates a revision from a number, such as a counter or Memcached's `cas`.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(Repr::Number(number))
    }

    /// Creates a revision from bytes, such as a digest.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(Repr::Bytes(bytes.into()))
    }

    /// Creates a revision that stands for [`SessionData::loaded_json`](crate::SessionData::loaded_json): the store compares that
    /// text, or computes its digest when it is needed. Most requests only read, and for them it costs nothing.
    #[must_use]
    pub const fn of_text() -> Self {
        Self(Repr::Text)
    }

    /// Returns the number, or `None` if the revision is not a number.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        match self.0 {
            Repr::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the bytes, or `None` if the revision is not made of bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns true if the revision stands for the loaded text.
    #[must_use]
    pub fn is_of_text(&self) -> bool {
        matches!(self.0, Repr::Text)
    }
}

// Prints nothing of the contents: a digest or a text is session data.
impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revision")
    }
}
