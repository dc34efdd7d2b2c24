//! For the tests of this workspace only, which reproduce recorded tokens. Any release may change or remove it.

use cloakroom_core::Error;
use http::{HeaderMap, HeaderValue};

use crate::{
    AuthJsOptions, TokenCodec, TokenRefusal, matcher::Pattern, session_cookie::SessionCookie,
};

/// Encrypts a text as it is, with an IV of the caller.
///
/// # Errors
///
/// [`TooLarge`](cloakroom_core::ErrorKind::TooLarge) if the token would be too long, or the IV has a wrong length.
pub fn insecure_seal(codec: &TokenCodec, text: &str, iv: &[u8]) -> Result<String, Error> {
    codec.seal(text, iv)
}

/// Returns the text in a token, whatever its times are.
///
/// # Errors
///
/// As [`TokenCodec::decode`].
pub fn insecure_open(codec: &TokenCodec, token: &str) -> Result<String, TokenRefusal> {
    codec.open(token)
}

/// Returns the `Set-Cookie` headers for a value in answer to a request.
#[must_use]
pub fn write_cookies(
    options: &AuthJsOptions,
    request: &HeaderMap,
    value: &str,
    expires_ms: i64,
) -> Vec<HeaderValue> {
    let cookie = SessionCookie::new(options);
    cookie.write(&cookie.sent(request), value, expires_ms)
}

/// Returns the values of the session cookie that are tried.
#[must_use]
pub fn read_cookies(options: &AuthJsOptions, request: &HeaderMap) -> Vec<String> {
    SessionCookie::new(options).sent(request).values()
}

/// Returns true if a pattern of a matcher matches a path as it is.
///
/// # Errors
///
/// [`Config`](cloakroom_core::ErrorKind::Config) for a pattern that is not accepted.
pub fn matches(pattern: &str, path: &str) -> Result<bool, Error> {
    Pattern::parse(pattern).map(|pattern| pattern.matches(path))
}
