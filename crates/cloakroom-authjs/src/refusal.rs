//! The reasons for which a token or a cookie is refused. None of them carries a word of the content.

use std::fmt;

/// The reason why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// The text is longer than [`TokenCodec::MAX_LENGTH`](crate::TokenCodec::MAX_LENGTH) bytes.
    TooLong,
    /// The text does not have the five parts of an encrypted token, or a part has the wrong length or is not base64url
    /// without padding. A signed or unsecured JWT has three parts.
    Malformed,
    /// The header is not a JSON object, or asks for extensions (`crit`).
    Header,
    /// The header names another algorithm (`alg` or `enc`) than this version of the package writes, such as `none`.
    Algorithm,
    /// The content is compressed (`zip`) in another way than `DEF`, is longer than 250,000 bytes when it is inflated, or
    /// cannot be inflated. The packages read the same and never write a compressed token.
    Compressed,
    /// The header names a key (`kid`) that belongs to none of the secrets.
    UnknownKey,
    /// No secret decrypts the token: it was changed or cut, or written with another secret or another salt.
    Decryption,
    /// The content is not the text of a JSON object.
    Payload,
    /// `exp`, `nbf` or `iat` is not a number.
    ClaimType,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come yet.
    NotYetValid,
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the token is too long",
            Self::Malformed => "the token does not have the form of an encrypted token",
            Self::Header => "the header of the token cannot be used",
            Self::Algorithm => "the token names an algorithm that is not accepted",
            Self::Compressed => "the token is compressed in a way that is not accepted",
            Self::UnknownKey => "the token names a key that belongs to another secret",
            Self::Decryption => "no secret decrypts the token",
            Self::Payload => "the token does not contain a JSON object",
            Self::ClaimType => "a time in the token is not a number",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
        })
    }
}

impl std::error::Error for TokenRefusal {}

/// The reason why a request that has a session cookie has no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionRefusal {
    /// The token in the cookie was refused (JWT strategy).
    Token(TokenRefusal),
    /// The database has no session with this token, or its user is gone (database strategy).
    UnknownSession,
    /// The session in the database has expired. It was deleted, as the packages do.
    ExpiredSession,
}

impl fmt::Display for SessionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(refusal) => refusal.fmt(f),
            Self::UnknownSession => f.write_str("the database has no such session"),
            Self::ExpiredSession => f.write_str("the session in the database has expired"),
        }
    }
}

impl std::error::Error for SessionRefusal {}

impl From<TokenRefusal> for SessionRefusal {
    fn from(refusal: TokenRefusal) -> Self {
        Self::Token(refusal)
    }
}
