//! Why a cookie or a record is refused.

use std::fmt;

/// The reason why a cookie or a record is not a login.
///
/// It says nothing of the content, so it is safe to log. Treat every reason alike towards the browser: as anonymous.
///
/// ```
/// use cloakroom_authjs::{iron_session::{IronSession, Passwords}, sealed::Refusal};
///
/// let sessions = IronSession::new("shop", Passwords::new("a password of at least 32 characters")?)?;
/// assert_eq!(sessions.read(b"theme=dark", 1_767_225_600_000).unwrap_err(), Refusal::Missing);
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such cookie, or no such record.
    Missing,
    /// The text is longer than any that is written.
    TooLong,
    /// The text does not have the form of what is written, or is in another encoding.
    Malformed,
    /// The version of the format, or of the cookie cache, is another one.
    OtherVersion,
    /// The token names another algorithm.
    OtherAlgorithm,
    /// The text names a password or key that is not known.
    UnknownKey,
    /// The signature is missing, or no key verifies it: another password, a changed text, or a cut one.
    NotVerified,
    /// The signature is right, but what is inside cannot be decrypted or is not a session.
    InvalidContent,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// The cookie cache belongs to another session than the signed token.
    OtherSession,
    /// All sessions of the user that began before some time were ended, and this is one of them.
    Revoked,
}

impl Refusal {
    /// Returns the reason in words, for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong => "too long",
            Self::Malformed => "malformed",
            Self::OtherVersion => "of another version",
            Self::OtherAlgorithm => "of another algorithm",
            Self::UnknownKey => "of an unknown key",
            Self::NotVerified => "not verified by any key",
            Self::InvalidContent => "not a session inside",
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
            Self::OtherSession => "of another session",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::error::Error for Refusal {}
