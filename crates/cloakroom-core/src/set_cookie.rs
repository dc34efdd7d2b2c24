//! The `Set-Cookie` response header, as npm's cookie 0.7.2 writes it for express-session.

use std::borrow::Cow;

use crate::{
    Cookie, CookieMember, Error, ErrorKind, JsValue, encode_uri_component, js, parse_date,
    to_utc_string,
};

/// The text of a `Set-Cookie` header: `name=value` and the attributes of `cookie`, in Express's order.
///
/// `value` is encoded as by `encodeURIComponent`. A session's value is `"s:"` and what
/// [`Secrets::sign`](crate::Secrets::sign) gives. There is never a `Max-Age`: the life is told by `Expires`, cut to
/// whole seconds. Each attribute follows JavaScript's idea of truth: `secure: "false"` sets `Secure`.
///
/// # Errors
///
/// [`InvalidData`](ErrorKind::InvalidData) where Express refuses to send the cookie; the message quotes the offender:
/// a name that is no token, a domain, path, priority or sameSite that is none, an `expires` that is no date.
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
    if let Some(priority) = word(cookie, CookieMember::Priority, "priority", &PRIORITIES)? {
        attribute(&mut text, "Priority", priority);
    }
    same_site(&mut text, cookie)?;
    Ok(text)
}

/// The text of a `Set-Cookie` header that makes a browser forget the cookie: no value, and an expiry in 1970.
///
/// Path, domain and the flags are those of `cookie`, because a browser keeps cookies apart by them, and refuses a
/// `__Host-` or `SameSite=None` cookie without `Secure`.
///
/// # Errors
///
/// As [`set_cookie`], but for `expires` and `priority`, which do not count.
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

/// Name, value, domain and path.
fn start(name: &str, value: &str, cookie: &Cookie) -> Result<String, Error> {
    if !is_token(name) {
        return Err(invalid("argument name", name));
    }
    let mut text = format!("{name}={}", encode_uri_component(value));
    if let Some(domain) = checked(cookie, CookieMember::Domain, "option domain", is_domain)? {
        attribute(&mut text, "Domain", &domain);
    }
    if let Some(path) = checked(cookie, CookieMember::Path, "option path", is_path)? {
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
        _ => word(cookie, CookieMember::SameSite, "sameSite", &SAME_SITES)?,
    };
    if let Some(value) = value {
        attribute(text, "SameSite", value);
    }
    Ok(())
}

fn attribute(text: &mut String, name: &str, value: &str) {
    text.push_str("; ");
    text.push_str(name);
    text.push('=');
    text.push_str(value);
}

/// A record holds a date as text, so every text counts as a date, the empty one as an invalid one; a number does not.
fn expires(cookie: &Cookie) -> Result<Option<String>, Error> {
    match cookie.raw(CookieMember::Expires) {
        JsValue::String(date) => match parse_date(date).and_then(to_utc_string) {
            Some(expires) => Ok(Some(expires)),
            None => Err(invalid("option expires", date)),
        },
        other if other.is_truthy() => Err(invalid("option expires", &printed(other))),
        _ => Ok(None),
    }
}

/// The one of `words` that the member names in any case; `None` when the member is off.
fn word<'w>(
    cookie: &Cookie,
    member: CookieMember,
    option: &str,
    words: &[&'w str],
) -> Result<Option<&'w str>, Error> {
    let value = cookie.raw(member);
    if !value.is_truthy() {
        return Ok(None);
    }
    let named = match value {
        JsValue::String(text) => words.iter().find(|word| word.eq_ignore_ascii_case(text)),
        _ => None,
    };
    named
        .map(|word| Some(*word))
        .ok_or_else(|| invalid(&format!("option {option}"), &printed(value)))
}

/// The member's text, if it is on and `is_valid`. JavaScript prints a number or `true` where text is wanted.
fn checked<'c>(
    cookie: &'c Cookie,
    member: CookieMember,
    what: &str,
    is_valid: fn(&str) -> bool,
) -> Result<Option<Cow<'c, str>>, Error> {
    let value = cookie.raw(member);
    if !value.is_truthy() {
        return Ok(None);
    }
    let text = printed(value);
    // Express would print an object as `[object Object]`, which is nobody's path.
    if matches!(value, JsValue::Other(_)) || !is_valid(&text) {
        return Err(invalid(what, &text));
    }
    Ok(Some(text))
}

fn printed(value: &JsValue) -> Cow<'_, str> {
    match value {
        JsValue::Undefined => Cow::Borrowed("undefined"),
        JsValue::Null => Cow::Borrowed("null"),
        JsValue::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        JsValue::Number(value) => Cow::Owned(js::number(*value)),
        JsValue::String(text) | JsValue::Other(text) => Cow::Borrowed(text),
    }
}

fn invalid(what: &str, offender: &str) -> Error {
    let message = format!("{what} is invalid: {offender:?}");
    Error::new(ErrorKind::InvalidData, "cookie", "serialize", message)
}

/// RFC 7230's `token`.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Labels of letters, digits and inner hyphens, at most 63 each, after an optional dot.
fn is_domain(domain: &str) -> bool {
    domain.strip_prefix('.').unwrap_or(domain).split('.').all(|label| {
        matches!(label.len(), 1..=63)
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// Printable ASCII but `;`, and `<`, which cookie 0.7.2 leaves out too.
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

    /// What it refuses, with our message.
    #[rustfmt::skip]
    const REFUSED: &[(&str, &str)] = &[
        (r#"{"domain":"EXAMPLE.com."}"#, r#"option domain is invalid: "EXAMPLE.com.""#),
        (r#"{"domain":"exa mple.com"}"#, r#"option domain is invalid: "exa mple.com""#),
        (r#"{"domain":"a_b.com"}"#, r#"option domain is invalid: "a_b.com""#),
        (r#"{"domain":"-a.com"}"#, r#"option domain is invalid: "-a.com""#),
        (r#"{"domain":"a-.com"}"#, r#"option domain is invalid: "a-.com""#),
        (r#"{"domain":"..a"}"#, r#"option domain is invalid: "..a""#),
        (r#"{"domain":"münchen.de"}"#, r#"option domain is invalid: "münchen.de""#),
        (r#"{"domain":"[::1]"}"#, r#"option domain is invalid: "[::1]""#),
        (r#"{"path":"/a;b"}"#, r#"option path is invalid: "/a;b""#),
        (r#"{"path":"/<"}"#, r#"option path is invalid: "/<""#),
        (r#"{"path":"/\n"}"#, r#"option path is invalid: "/\n""#),
        (r#"{"path":{}}"#, r#"option path is invalid: "{}""#),
        (r#"{"expires":"x"}"#, r#"option expires is invalid: "x""#),
        (r#"{"expires":""}"#, r#"option expires is invalid: """#),
        (r#"{"expires":5}"#, r#"option expires is invalid: "5""#),
        (r#"{"priority":"urgent"}"#, r#"option priority is invalid: "urgent""#),
        (r#"{"priority":1}"#, r#"option priority is invalid: "1""#),
        (r#"{"sameSite":"auto"}"#, r#"option sameSite is invalid: "auto""#),
        (r#"{"sameSite":1}"#, r#"option sameSite is invalid: "1""#),
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
    fn what_express_refuses_is_an_error_that_quotes_it() {
        for (json, message) in REFUSED {
            let error = set_cookie("a", "b", &cookie(json)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert_eq!(error.to_string(), format!("cookie: serialize: {message}"), "{json}");
        }
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
