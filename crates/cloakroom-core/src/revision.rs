//! What `update` compares with.

use std::fmt;

/// Which state of a record a session was read from. Opaque: only the store that made it can compare it.
///
/// Node.js writes no version into a record, so a store takes what its backend has: a counter, a digest, Memcached's
/// `cas`, or the text itself.
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
    /// A revision that is a number, such as a counter or Memcached's `cas`.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(Repr::Number(number))
    }

    /// A revision that is a string of bytes, such as a digest.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(Repr::Bytes(bytes.into()))
    }

    /// A revision that is [`Session::loaded_json`](crate::Session::loaded_json): the store compares that text, or
    /// makes a digest of it when it comes to that. It costs nothing to the many requests that only read.
    #[must_use]
    pub const fn of_text() -> Self {
        Self(Repr::Text)
    }

    /// The number, or `None` when it is not one.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        match self.0 {
            Repr::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The bytes, or `None` when it is none.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether the text that was loaded is the revision.
    #[must_use]
    pub fn is_of_text(&self) -> bool {
        matches!(self.0, Repr::Text)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revision")
    }
}
