//! The cookie of a session in document form, which connect-mongo stores as express-session's object and not as its
//! JSON: with a place for each of nine members, `null` where there is none, and the expiry as a date.

use cloakroom_core::{parse_date, to_iso_string};

use super::{
    Kind, Malformed, Value, elements,
    from_json::{Unfit, Writer},
    json::unquote,
    to_json::{write, write_members},
};

/// The members of a cookie in the order of express-session 1.18 and later, and whether its JSON always has them.
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

/// Writes the JSON text of a cookie. What is `null` because it was not set is left out, as express-session does in
/// its own JSON.
pub(super) fn write_cookie(document: &[u8], out: &mut String) -> Result<(), Malformed> {
    let unset =
        |name: &str, value: Value<'_>| value.kind == Kind::NULL && MEMBERS.contains(&(name, false));
    let members = elements(document)?
        .filter(|member| !matches!(member, Ok((name, value)) if unset(name, *value)));
    write_members(members, out, |_, value, out| write(value, 2, out))
}

/// Appends a cookie of express-session as it would be stored. `false`, and nothing is done, when it is not one: when it
/// lacks a member, or has one more, or in another place. connect-mongo stores such a cookie as any other object.
pub(super) fn append_cookie(members: &[(String, &str)], out: &mut Writer) -> Result<bool, Unfit> {
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

/// The date that prints as this JSON string.
fn date(json: &str) -> Option<i64> {
    let text = json.starts_with('"').then(|| unquote(json))?;
    parse_date(&text).filter(|ms| to_iso_string(*ms).as_deref() == Some(&text))
}
