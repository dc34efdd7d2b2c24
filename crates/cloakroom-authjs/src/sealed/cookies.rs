//! Cookies read from a header, and `Set-Cookie` values with a `Max-Age`.

use std::borrow::Cow;

use cloakroom_core::{Cookie, Error, find_cookie, set_cookie};

use super::Refusal;

/// The longest text that is looked at, in bytes. Browsers keep 4,096 per cookie, and Node.js reads headers of 16 KiB.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Returns the decoded value of the first cookie of this name.
pub(crate) fn find<'a>(header: &'a [u8], name: &'a str) -> Result<Cow<'a, str>, Refusal> {
    let value = find_cookie(header, name).ok_or(Refusal::Missing)?;
    check_length(&value)?;
    Ok(value)
}

pub(crate) fn check_length(text: &str) -> Result<(), Refusal> {
    if text.len() > LONGEST { Err(Refusal::TooLong) } else { Ok(()) }
}

/// Returns a `Set-Cookie` value as npm's cookie writes it for iron-session and better-auth: with `Max-Age` in seconds as
/// the first attribute, if there is one, and without `Expires`.
pub(crate) fn with_max_age(
    name: &str,
    value: &str,
    max_age: Option<i64>,
    cookie: &Cookie,
) -> Result<String, Error> {
    let mut cookie = cookie.clone();
    cookie.set_max_age_ms(None, 0)?;
    let text = set_cookie(name, value, &cookie)?;
    let Some(max_age) = max_age else { return Ok(text) };
    // The value is percent-encoded, so the first semicolon ends it.
    let end = text.find(';').unwrap_or(text.len());
    Ok(format!("{}; Max-Age={max_age}{}", &text[..end], &text[end..]))
}
