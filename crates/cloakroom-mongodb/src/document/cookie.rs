//! The cookie of a session that is stored as a document.
//!
//! connect-mongo stores the fields of express-session's cookie object, not its JSON: always nine members, `null` for
//! those that are unset, and the expiry as a date.

use std::borrow::Cow;

use cloakroom_core::{json::unquote, parse_date, to_iso_string};

use super::{
    Kind, Malformed, Value, elements,
    value::{write, write_members},
    writer::{Unfit, Writer},
};

/// The members of a cookie in the order of express-session 1.18 and later, and whether its JSON always contains them.
const MEMBERS: [(&str, bool); 9] = [
    ("originalMaxAge", true),
    ("partitioned", false),
    ("priority", false),
    ("expires", true),
    ("secure", false),
    ("httpOnly", true),
    ("domain", false),
    ("path", true),
    ("sameSite", false),
];

/// Writes the JSON text of a cookie. Leaves out unset members, which are `null` in the document, as express-session
/// does in its JSON.
pub(super) fn write_cookie(document: &[u8], out: &mut String) -> Result<(), Malformed> {
    let unset =
        |name: &str, value: Value<'_>| value.kind == Kind::NULL && MEMBERS.contains(&(name, false));
    let members = elements(document)?
        .filter(|member| !matches!(member, Ok((name, value)) if unset(name, *value)));
    write_members(members, out, |_, value, out| write(value, 2, out))
}

/// Appends a cookie as connect-mongo stores express-session's.
///
/// Returns false and appends nothing if the members are not exactly express-session's in their order. connect-mongo
/// stores such a cookie as any other object.
pub(super) fn append_cookie(
    members: &[(Cow<'_, str>, &str)],
    out: &mut Writer,
) -> Result<bool, Unfit> {
    let mut given = members.iter().peekable();
    let mut cookie = Vec::with_capacity(MEMBERS.len());
    for (name, always) in MEMBERS {
        match given.next_if(|(found, _)| found == name) {
            Some((_, value)) => cookie.push((name, *value)),
            None if always => return Ok(false),
            None => cookie.push((name, "null")),
        }
    }
    if given.next().is_some() {
        return Ok(false);
    }
    for (name, value) in cookie {
        match date(value).filter(|_| name == "expires") {
            Some(expires_ms) => out.element(Kind::DATE, name, &expires_ms.to_le_bytes())?,
            None => out.convert(name, value, None, 2)?,
        }
    }
    Ok(true)
}

/// Returns the date that prints as this JSON string, or `None` if no date does.
fn date(json: &str) -> Option<i64> {
    let text = unquote(json)?;
    parse_date(&text).filter(|ms| to_iso_string(*ms).as_deref() == Some(&text))
}
