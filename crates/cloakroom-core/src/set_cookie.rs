//! The `Set-Cookie` response header, as npm's cookie 0.7.2 writes it for express-session.
//!
//! Error messages begin as those of the npm package, so that people find what they already know.

use std::borrow::Cow;

use crate::{
    Cookie, CookieMember, Error, ErrorKind, JsValue, js, parse_date, percent::push_encoded,
    quote::quoted, to_utc_string,
};

/// Returns the text of a `Set-Cookie` header: `name=value` and the attributes of `cookie`, in Express's order.
///
/// `value` is encoded as by `encodeURIComponent`. The value of a session cookie is `"s:"` followed by the result of
/// [`Secrets::sign`](crate::Secrets::sign). As in Express, the header has `Expires`, cut to whole seconds, and no
/// `Max-Age`. An attribute is set if its member is truthy in JavaScript, so `secure: "false"` sets `Secure`.
///
/// # Errors
///
/// [`InvalidData`](ErrorKind::InvalidData) where Express refuses to send the cookie. The message quotes an invalid name.
/// An invalid `domain`, `path`, `priority`, `sameSite` or `expires` comes from the stored record, so the message names the
/// attribute and what is accepted, but does not quote the value.
///
/// ```
/// use cloakroom_core::{Cookie, Secrets, set_cookie};
///
/// let secrets = Secrets::new(["keyboard cat"])?;
/// let value = format!("s:{}", secrets.sign("apple"));
/// let mut cookie = Cookie::new();
/// cookie.set_max_age_ms(Some(60_000), 1_700_000_000_000)?;
/// assert_eq!(
///     set_cookie("connect.sid", &value, &cookie)?,
///     "connect.sid=s%3Aapple.D8Y%2BpkTAmeR0PobOhY4G97PRW%2Bj7bUnP%2F5m6%2FOn1MCU; Path=/; \
///      Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly",
/// );
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub fn set_cookie(name: &str, value: &str, cookie: &Cookie) -> Result<String, Error> {
    let mut text = start(name, value, cookie)?;
    if let Some(expires) = expires(cookie)? {
        attribute(&mut text, "Expires", &expires);
    }
    flags(&mut text, cookie);
    if let Some(priority) = word(cookie, CookieMember::Priority, &PRIORITIES, PRIORITY)? {
        attribute(&mut text, "Priority", priority);
    }
    same_site(&mut text, cookie)?;
    Ok(text)
}

/// Returns the text of a `Set-Cookie` header that deletes the cookie: an empty value, and an expiry in 1970.
///
/// The header repeats the path, domain and flags of `cookie`: a browser deletes only the cookie whose path and domain
/// match, and rejects a `__Host-` or `SameSite=None` cookie without `Secure`.
///
/// # Errors
///
/// As for [`set_cookie`], except that `expires` and `priority` are ignored.
///
/// ```
/// use cloakroom_core::{Cookie, clear_cookie};
///
/// assert_eq!(
///     clear_cookie("connect.sid", &Cookie::new())?,
///     "connect.sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly",
/// );
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
pub fn clear_cookie(name: &str, cookie: &Cookie) -> Result<String, Error> {
    let mut text = start(name, "", cookie)?;
    attribute(&mut text, "Expires", "Thu, 01 Jan 1970 00:00:00 GMT");
    flags(&mut text, cookie);
    same_site(&mut text, cookie)?;
    Ok(text)
}

const PRIORITIES: [&str; 3] = ["Low", "Medium", "High"];
const SAME_SITES: [&str; 3] = ["Lax", "Strict", "None"];

// The messages about attributes do not quote the value, because it is session data.
const DOMAIN: &str =
    "option domain is invalid: must be labels of letters, digits and hyphens, separated by dots";
const PATH: &str = "option path is invalid: must be printable ASCII without \";\" and \"<\"";
const EXPIRES: &str = "option expires is invalid: must be a date";
const PRIORITY: &str = "option priority is invalid: must be \"low\", \"medium\" or \"high\"";
const SAME_SITE: &str = "option sameSite is invalid: must be true, \"lax\", \"strict\" or \"none\"";

/// Writes the name, value, domain and path.
fn start(name: &str, value: &str, cookie: &Cookie) -> Result<String, Error> {
    if !is_token(name) {
        let message = format!("argument name is invalid: {}", quoted(name));
        return Err(Error::new(ErrorKind::InvalidData, "cookie", "serialize", message));
    }
    // Most lines fit, so that their text is not moved while it grows.
    let mut text = String::with_capacity(name.len() + value.len() + 128);
    text.extend([name, "="]);
    push_encoded(value, &mut text);
    if let Some(domain) = checked(cookie, CookieMember::Domain, is_domain, DOMAIN)? {
        attribute(&mut text, "Domain", &domain);
    }
    if let Some(path) = checked(cookie, CookieMember::Path, is_path, PATH)? {
        attribute(&mut text, "Path", &path);
    }
    Ok(text)
}

fn flags(text: &mut String, cookie: &Cookie) {
    for (set, flag) in [
        (cookie.http_only(), "; HttpOnly"),
        (cookie.secure(), "; Secure"),
        (cookie.partitioned(), "; Partitioned"),
    ] {
        if set {
            text.push_str(flag);
        }
    }
}

fn same_site(text: &mut String, cookie: &Cookie) -> Result<(), Error> {
    let value = match cookie.raw(CookieMember::SameSite) {
        JsValue::Bool(true) => Some("Strict"),
        _ => word(cookie, CookieMember::SameSite, &SAME_SITES, SAME_SITE)?,
    };
    if let Some(value) = value {
        attribute(text, "SameSite", value);
    }
    Ok(())
}

fn attribute(text: &mut String, name: &str, value: &str) {
    text.extend(["; ", name, "=", value]);
}

/// Returns the text of `Expires`, or `None` if `expires` is falsy.
///
/// A record contains dates as strings, so a string must be a date. A number is an error, because cookie 0.7.2 requires a
/// `Date`.
fn expires(cookie: &Cookie) -> Result<Option<String>, Error> {
    match cookie.raw(CookieMember::Expires) {
        value if !value.is_truthy() => Ok(None),
        JsValue::String(date) => {
            let expires = parse_date(date).and_then(to_utc_string);
            expires.map(Some).ok_or_else(|| invalid(EXPIRES))
        }
        _ => Err(invalid(EXPIRES)),
    }
}

/// Returns the word that the member names, ignoring case, or `None` if the member is falsy.
fn word<'w>(
    cookie: &Cookie,
    member: CookieMember,
    words: &[&'w str],
    refusal: &'static str,
) -> Result<Option<&'w str>, Error> {
    let value = cookie.raw(member);
    if !value.is_truthy() {
        return Ok(None);
    }
    let named = match value {
        JsValue::String(text) => words.iter().find(|word| word.eq_ignore_ascii_case(text)),
        _ => None,
    };
    named.map(|word| Some(*word)).ok_or_else(|| invalid(refusal))
}

/// Returns the member's text, or `None` if the member is falsy. Numbers and `true` are converted as in JavaScript.
fn checked<'c>(
    cookie: &'c Cookie,
    member: CookieMember,
    is_valid: fn(&str) -> bool,
    refusal: &'static str,
) -> Result<Option<Cow<'c, str>>, Error> {
    let value = cookie.raw(member);
    if !value.is_truthy() {
        return Ok(None);
    }
    // Express would write `[object Object]` for an object, which is never what the application meant.
    match printed(value).filter(|text| is_valid(text)) {
        Some(text) => Ok(Some(text)),
        None => Err(invalid(refusal)),
    }
}

fn printed(value: &JsValue) -> Option<Cow<'_, str>> {
    match value {
        JsValue::Bool(true) => Some(Cow::Borrowed("true")),
        JsValue::Number(value) => Some(Cow::Owned(js::number(*value))),
        JsValue::String(text) => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

fn invalid(refusal: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, "cookie", "serialize", refusal)
}

/// Returns true if the name is a `token` of RFC 7230, as RFC 6265 requires of cookie names.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Returns true for labels of letters, digits and inner hyphens, at most 63 characters each, after an optional dot.
fn is_domain(domain: &str) -> bool {
    domain.strip_prefix('.').unwrap_or(domain).split('.').all(|label| {
        matches!(label.len(), 1..=63)
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// Returns true for printable ASCII except `;`, which ends the attribute, and `<`, which cookie 0.7.2 rejects as well.
fn is_path(path: &str) -> bool {
    path.bytes().all(|byte| matches!(byte, b' '..=b':' | b'='..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "hJ2hCVQ1V9QBBTGVfJnKfnKvWDDzFFpp";

    fn cookie(json: &str) -> Cookie {
        Cookie::from_json(json).unwrap()
    }

    /// The attributes that express-session 1.19.0 writes for the `cookie` member of a record.
    #[rustfmt::skip]
    const ATTRIBUTES: &[(&str, &str)] = &[
        (r#"{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"#, "; Path=/; HttpOnly"),
        (
            r#"{"expires":"2023-11-15T22:13:20.999Z","partitioned":true,"priority":"high","secure":true,"httpOnly":true,"domain":"example.com","path":"/","sameSite":"none"}"#,
            "; Domain=example.com; Path=/; Expires=Wed, 15 Nov 2023 22:13:20 GMT; HttpOnly; Secure; Partitioned; Priority=High; SameSite=None",
        ),
        (r#"{}"#, ""),
        (r#"{"path":"","domain":null,"httpOnly":0,"secure":"","expires":false,"sameSite":false,"priority":0}"#, ""),
        (r#"{"expires":""}"#, ""),
        (r#"{"expires":0}"#, ""),
        (r#"{"secure":"false","partitioned":"no","httpOnly":[]}"#, "; HttpOnly; Secure; Partitioned"),
        (r#"{"expires":"+010000-01-01T00:00:00.000Z"}"#, "; Expires=Sat, 01 Jan 10000 00:00:00 GMT"),
        (r#"{"domain":".example.com"}"#, "; Domain=.example.com"),
        (r#"{"domain":"127.0.0.1","path":"/a b"}"#, "; Domain=127.0.0.1; Path=/a b"),
        (r#"{"domain":5,"path":true}"#, "; Domain=5; Path=true"),
        (r#"{"path":"/a%3B"}"#, "; Path=/a%3B"),
        (r#"{"sameSite":true}"#, "; SameSite=Strict"),
        (r#"{"sameSite":"LAX"}"#, "; SameSite=Lax"),
        (r#"{"sameSite":"Strict"}"#, "; SameSite=Strict"),
        (r#"{"priority":"low"}"#, "; Priority=Low"),
        (r#"{"priority":"Medium"}"#, "; Priority=Medium"),
    ];

    /// What it refuses, and the attribute that our message names.
    #[rustfmt::skip]
    const REFUSED: &[(&str, &str)] = &[
        (r#"{"domain":"EXAMPLE.com."}"#, "domain"),
        (r#"{"domain":"exa mple.com"}"#, "domain"),
        (r#"{"domain":"a_b.com"}"#, "domain"),
        (r#"{"domain":"-a.com"}"#, "domain"),
        (r#"{"domain":"a-.com"}"#, "domain"),
        (r#"{"domain":"..a"}"#, "domain"),
        (r#"{"domain":"münchen.de"}"#, "domain"),
        (r#"{"domain":"[::1]"}"#, "domain"),
        (r#"{"domain":"\ud800"}"#, "domain"),
        (r#"{"path":"/a;b"}"#, "path"),
        (r#"{"path":"/<"}"#, "path"),
        (r#"{"path":"/\n"}"#, "path"),
        (r#"{"path":{}}"#, "path"),
        (r#"{"expires":"x"}"#, "expires"),
        (r#"{"expires":5}"#, "expires"),
        (r#"{"expires":true}"#, "expires"),
        (r#"{"expires":[]}"#, "expires"),
        (r#"{"priority":"urgent"}"#, "priority"),
        (r#"{"priority":1}"#, "priority"),
        (r#"{"sameSite":"auto"}"#, "sameSite"),
        (r#"{"sameSite":1}"#, "sameSite"),
    ];

    #[test]
    fn attributes_follow_the_record_as_in_express() {
        for (json, attributes) in ATTRIBUTES {
            assert_eq!(
                set_cookie("a", "b", &cookie(json)).unwrap(),
                format!("a=b{attributes}"),
                "{json}"
            );
        }
    }

    #[test]
    fn what_express_refuses_is_an_error_that_names_the_attribute_alone() {
        for (json, attribute) in REFUSED {
            let error = set_cookie("a", "b", &cookie(json)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            let start = format!("cookie: serialize: option {attribute} is invalid: must be ");
            assert!(error.to_string().starts_with(&start), "{json}: {error}");
        }
    }

    #[test]
    fn no_error_holds_the_value_of_an_attribute() {
        let secret = "hunter2 <;>".repeat(40_000);
        for attribute in ["domain", "path", "expires", "priority", "sameSite"] {
            for value in [format!("\"{secret}\""), format!("[\"{secret}\"]")] {
                let cookie = cookie(&format!("{{\"{attribute}\":{value}}}"));
                let mut errors = vec![set_cookie("a", "b", &cookie).unwrap_err()];
                errors.extend(clear_cookie("a", &cookie).err());
                for error in errors {
                    let shown = format!("{error} {error:?}");
                    assert!(!shown.contains("hunter2") && shown.len() < 400, "{shown}");
                }
            }
        }
        let error = set_cookie(&"é".repeat(400_000), "", &cookie("{}")).unwrap_err();
        assert!(error.to_string().chars().count() < 100, "{error}");
    }

    #[test]
    fn a_label_has_at_most_63_characters() {
        for (length, valid) in [(63, true), (64, false)] {
            let mut cookie = Cookie::new();
            cookie.set_domain(Some(&format!("{}.com", "x".repeat(length))));
            assert_eq!(set_cookie("a", "b", &cookie).is_ok(), valid);
        }
    }

    #[test]
    fn the_name_is_a_token_and_the_value_anything() {
        let cookie = cookie("{}");
        assert_eq!(
            set_cookie("__Host-!#$%&'*+.^_`|~09", SID, &cookie).unwrap(),
            format!("__Host-!#$%&'*+.^_`|~09={SID}")
        );
        assert_eq!(set_cookie("a", "s:é;\"", &cookie).unwrap(), "a=s%3A%C3%A9%3B%22");
        for name in ["", "a b", "a=b", "a\"b", "é", "a[b]", "sess:id"] {
            let message = set_cookie(name, "", &cookie).unwrap_err().to_string();
            assert_eq!(message, format!("cookie: serialize: argument name is invalid: {name:?}"));
        }
    }

    #[test]
    fn clearing_keeps_what_tells_cookies_apart() {
        let json = r#"{"expires":"x","priority":1,"secure":true,"httpOnly":true,"domain":"example.com","path":"/t","sameSite":"none","partitioned":true}"#;
        assert_eq!(
            clear_cookie("a", &cookie(json)).unwrap(),
            "a=; Domain=example.com; Path=/t; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; Partitioned; SameSite=None"
        );
        assert!(clear_cookie("a b", &Cookie::new()).is_err());
    }
}
