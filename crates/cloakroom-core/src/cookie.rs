//! The `cookie` member of a record: express-session's `Cookie`, in its own member order.
//!
//! Node.js applications put anything into it (`secure: "auto"`, `expires: false`, `httpOnly: 0`), so each member is kept
//! as the JavaScript value it is, and typed getters read it the way Express does.

use std::{fmt, time::Duration};

use crate::{
    Error, ErrorKind,
    date::{parse_date, to_iso_string},
    js, scan,
};

/// A JavaScript value in a cookie member.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum JsValue {
    /// The member is not there, and is not written.
    Undefined,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    String(Box<str>),
    /// The JSON text of anything else: an object, an array, a string with half a surrogate pair.
    Other(Box<str>),
}

impl JsValue {
    /// Whether JavaScript takes it for true in an `if`.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0.0 && !value.is_nan(),
            Self::String(value) => !value.is_empty(),
            Self::Other(_) => true,
        }
    }

    fn parse(json: &str) -> Self {
        match json.as_bytes().first() {
            Some(b'"') => match serde_json::from_str::<Box<str>>(json) {
                Ok(text) => Self::String(text),
                Err(_) => Self::Other(json.into()),
            },
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            Some(b'{' | b'[') | None => Self::Other(json.into()),
            Some(_) => json.parse().map_or_else(|_| Self::Other(json.into()), Self::Number),
        }
    }

    /// `None` where `JSON.stringify` leaves the member out.
    fn to_json(&self) -> Option<String> {
        Some(match self {
            Self::Undefined => return None,
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => js::number(*value),
            Self::String(text) => serde_json::Value::from(&**text).to_string(),
            Self::Other(json) => json.to_string(),
        })
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for JsValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for JsValue {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

/// The members of a [`Cookie`], in the order in which express-session 1.18 and later write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieMember {
    /// `originalMaxAge`: the life of the session from each touch on, in milliseconds.
    OriginalMaxAge,
    /// `partitioned`.
    Partitioned,
    /// `priority`: `low`, `medium` or `high`.
    Priority,
    /// `expires`: an ISO date.
    Expires,
    /// `secure`.
    Secure,
    /// `httpOnly`.
    HttpOnly,
    /// `domain`.
    Domain,
    /// `path`.
    Path,
    /// `sameSite`: a boolean, `lax`, `strict` or `none`.
    SameSite,
}

const MEMBERS: [(CookieMember, &str); 9] = [
    (CookieMember::OriginalMaxAge, "originalMaxAge"),
    (CookieMember::Partitioned, "partitioned"),
    (CookieMember::Priority, "priority"),
    (CookieMember::Expires, "expires"),
    (CookieMember::Secure, "secure"),
    (CookieMember::HttpOnly, "httpOnly"),
    (CookieMember::Domain, "domain"),
    (CookieMember::Path, "path"),
    (CookieMember::SameSite, "sameSite"),
];

/// The `SameSite` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent with same-site requests only. Express writes `true` for it too.
    Strict,
    /// Sent with top-level navigation from elsewhere as well.
    Lax,
    /// Always sent; browsers ask for `Secure` then.
    None,
}

impl SameSite {
    /// The word in a record: `strict`, `lax` or `none`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lax => "lax",
            Self::None => "none",
        }
    }
}

/// The cookie of a session as the record keeps it: when it expires, and the attributes of `Set-Cookie`.
///
/// Times are milliseconds, and those since 1970 are `i64`, because JavaScript's dates reach the year 275760.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_core::{Cookie, SameSite};
///
/// let now_ms = 1_700_000_000_000;
/// let mut cookie = Cookie::new();
/// cookie.set_max_age(Some(Duration::from_secs(60)), now_ms)?;
/// cookie.set_same_site(Some(SameSite::Lax));
/// assert_eq!(
///     cookie.to_json(),
///     r#"{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","httpOnly":true,"path":"/","sameSite":"lax"}"#
/// );
/// assert_eq!(cookie.expires_ms(), Some(now_ms + 60_000));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Cookie {
    members: [JsValue; MEMBERS.len()],
    /// Members that Express does not know, such as next-session's `maxAge`: name and value as JSON text.
    unknown: Vec<(Box<str>, Box<str>)>,
}

impl Default for Cookie {
    fn default() -> Self {
        Self::new()
    }
}

impl Cookie {
    /// The cookie of a browser session with Express's defaults: path `/`, `HttpOnly`, no expiry.
    #[must_use]
    pub fn new() -> Self {
        let mut cookie = Self::empty();
        cookie.set_raw(CookieMember::OriginalMaxAge, JsValue::Null);
        cookie.set_raw(CookieMember::Expires, JsValue::Null);
        cookie.set_raw(CookieMember::HttpOnly, JsValue::Bool(true));
        cookie.set_raw(CookieMember::Path, "/".into());
        cookie
    }

    fn empty() -> Self {
        Self { members: [const { JsValue::Undefined }; MEMBERS.len()], unknown: Vec::new() }
    }

    /// Reads the member as a record holds it. `None` when it is not an object: such a cookie is mended, not kept.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        let mut cookie = Self::empty();
        for span in scan::members(json).ok()? {
            let (name, value) = (span.name(json), span.value(json));
            match MEMBERS.iter().find(|(_, known)| *known == name) {
                Some((member, _)) => cookie.set_raw(*member, JsValue::parse(value)),
                None => cookie.unknown.push((name.into(), value.into())),
            }
        }
        Some(cookie)
    }

    /// The text in express-session's member order; members that Express does not know follow.
    #[must_use]
    pub fn to_json(&self) -> String {
        let known =
            MEMBERS.iter().filter_map(|(member, name)| Some((*name, self.raw(*member).to_json()?)));
        let unknown = self.unknown.iter().map(|(name, value)| (&**name, value.to_string()));
        let mut json = String::from("{");
        for (name, value) in known.chain(unknown) {
            if json.len() > 1 {
                json.push(',');
            }
            json.push('"');
            json.push_str(name);
            json.push_str("\":");
            json.push_str(&value);
        }
        json.push('}');
        json
    }

    /// The member as the JavaScript value it is.
    #[must_use]
    pub fn raw(&self, member: CookieMember) -> &JsValue {
        &self.members[member as usize]
    }

    /// Sets the member to any JavaScript value, for those that Express takes and the typed setters do not.
    pub fn set_raw(&mut self, member: CookieMember, value: JsValue) {
        self.members[member as usize] = value;
    }

    /// When the cookie expires, in milliseconds since 1970. `None` for a browser session, and when `expires` is
    /// nothing that JavaScript can make a date of.
    ///
    /// This is what the record says, which Node.js leaves stale; a live record may well say a date in the past.
    #[must_use]
    pub fn expires_ms(&self) -> Option<i64> {
        match self.raw(CookieMember::Expires) {
            JsValue::String(text) => parse_date(text),
            // `new Date(number)`, which connect-redis makes of it.
            JsValue::Number(ms) if ms.is_finite() && *ms != 0.0 => Some(*ms as i64),
            _ => None,
        }
    }

    /// The life of the session from each touch on, in milliseconds. `None` for a browser session.
    ///
    /// It is `originalMaxAge`, or next-session's `maxAge` (which counts seconds) in a record without that.
    #[must_use]
    pub fn original_max_age_ms(&self) -> Option<i64> {
        match self.raw(CookieMember::OriginalMaxAge) {
            JsValue::Number(ms) => Some(*ms as i64),
            JsValue::Undefined => self.next_session_max_age_ms(),
            _ => None,
        }
    }

    fn next_session_max_age_ms(&self) -> Option<i64> {
        let (_, seconds) = self.unknown.iter().find(|(name, _)| &**name == "maxAge")?;
        Some((seconds.parse::<f64>().ok()? * 1_000.0) as i64)
    }

    /// Whether the record has next-session's shape: `maxAge` in seconds and no `originalMaxAge`.
    #[must_use]
    pub fn is_next_session(&self) -> bool {
        *self.raw(CookieMember::OriginalMaxAge) == JsValue::Undefined
            && self.unknown.iter().any(|(name, _)| &**name == "maxAge")
    }

    /// `httpOnly`, as JavaScript judges it.
    #[must_use]
    pub fn http_only(&self) -> bool {
        self.raw(CookieMember::HttpOnly).is_truthy()
    }

    /// `secure`, as JavaScript judges it: the text `"auto"` counts as true.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.raw(CookieMember::Secure).is_truthy()
    }

    /// `partitioned`, as JavaScript judges it.
    #[must_use]
    pub fn partitioned(&self) -> bool {
        self.raw(CookieMember::Partitioned).is_truthy()
    }

    /// The path, or `None` when it is not set or empty.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.raw(CookieMember::Path).text()
    }

    /// The domain, or `None` when it is not set or empty.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.raw(CookieMember::Domain).text()
    }

    /// `sameSite`, or `None` when it is off or none of the three words.
    #[must_use]
    pub fn same_site(&self) -> Option<SameSite> {
        match self.raw(CookieMember::SameSite) {
            JsValue::Bool(true) => Some(SameSite::Strict),
            JsValue::String(word) => [SameSite::Strict, SameSite::Lax, SameSite::None]
                .into_iter()
                .find(|same_site| same_site.as_str().eq_ignore_ascii_case(word)),
            _ => None,
        }
    }

    /// Makes the session live for `max_age` from now and from each touch on; `None` makes it a browser session.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) when that is beyond the last JavaScript date, in the year 275760.
    pub fn set_max_age(&mut self, max_age: Option<Duration>, now_ms: i64) -> Result<(), Error> {
        let max_age_ms = match max_age {
            Some(age) => Some(i64::try_from(age.as_millis()).map_err(|_| out_of_range())?),
            None => None,
        };
        self.set_max_age_ms(max_age_ms, now_ms)
    }

    /// As [`set_max_age`](Self::set_max_age), in milliseconds, which may be negative: the session has expired then.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) when that is beyond JavaScript's dates.
    pub fn set_max_age_ms(&mut self, max_age_ms: Option<i64>, now_ms: i64) -> Result<(), Error> {
        let expires_ms = match max_age_ms {
            Some(age) => Some(now_ms.checked_add(age).ok_or_else(out_of_range)?),
            None => None,
        };
        self.set_expires_ms(expires_ms, now_ms)
    }

    /// Makes the session expire at a date, in milliseconds since 1970, and live as long again from each touch on, as
    /// Express does; `None` makes it a browser session.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) when that is beyond JavaScript's dates.
    pub fn set_expires_ms(&mut self, expires_ms: Option<i64>, now_ms: i64) -> Result<(), Error> {
        let next_session = self.is_next_session();
        let (expires, age) = match expires_ms {
            Some(ms) => (
                JsValue::String(to_iso_string(ms).ok_or_else(out_of_range)?.into()),
                Some(ms.saturating_sub(now_ms)),
            ),
            None => (JsValue::Null, None),
        };
        self.set_raw(CookieMember::Expires, expires);
        if next_session {
            self.unknown.retain(|(name, _)| &**name != "maxAge");
            if let Some(ms) = age {
                self.unknown.push(("maxAge".into(), js::number(ms as f64 / 1_000.0).into()));
                return Ok(());
            }
        }
        self.set_raw(
            CookieMember::OriginalMaxAge,
            age.map_or(JsValue::Null, |ms| JsValue::Number(ms as f64)),
        );
        Ok(())
    }

    /// Sets `httpOnly`.
    pub fn set_http_only(&mut self, http_only: bool) {
        self.set_raw(CookieMember::HttpOnly, http_only.into());
    }

    /// Sets `secure`; `None` takes the member out, as in a session whose options do not name it.
    pub fn set_secure(&mut self, secure: Option<bool>) {
        self.set_raw(CookieMember::Secure, secure.map_or(JsValue::Undefined, JsValue::Bool));
    }

    /// Sets `partitioned`; `None` takes the member out.
    pub fn set_partitioned(&mut self, partitioned: Option<bool>) {
        self.set_raw(
            CookieMember::Partitioned,
            partitioned.map_or(JsValue::Undefined, JsValue::Bool),
        );
    }

    /// Sets the path; `None` takes the member out.
    pub fn set_path(&mut self, path: Option<&str>) {
        self.set_raw(CookieMember::Path, path.map_or(JsValue::Undefined, JsValue::from));
    }

    /// Sets the domain; `None` takes the member out.
    pub fn set_domain(&mut self, domain: Option<&str>) {
        self.set_raw(CookieMember::Domain, domain.map_or(JsValue::Undefined, JsValue::from));
    }

    /// Sets `sameSite`; `None` takes the member out.
    pub fn set_same_site(&mut self, same_site: Option<SameSite>) {
        self.set_raw(
            CookieMember::SameSite,
            same_site.map_or(JsValue::Undefined, |word| word.as_str().into()),
        );
    }

    /// Sets `priority` to `low`, `medium` or `high`; `None` takes the member out.
    pub fn set_priority(&mut self, priority: Option<&str>) {
        self.set_raw(CookieMember::Priority, priority.map_or(JsValue::Undefined, JsValue::from));
    }

    /// Moves the expiry to `now_ms` plus the session's max age. A browser session stays one.
    ///
    /// Where Express would take the expiry out of a record that it does not understand (next-session's, or one
    /// without `originalMaxAge`), nothing is lost here: next-session's shape is kept and extended.
    pub fn touch(&mut self, now_ms: i64) {
        let Some(age) = self.original_max_age_ms() else { return };
        // A sum beyond JavaScript's dates leaves the expiry as it is, which is nearer to what was meant than none.
        if let Some(expires) = now_ms.checked_add(age).and_then(to_iso_string) {
            self.set_raw(CookieMember::Expires, JsValue::String(expires.into()));
        }
    }

    /// Does to the cookie, call for call, what a request through express-session 1.19.0 does to it between load and
    /// store: unknown members go, `path` and `httpOnly` get their defaults, and the expiry follows
    /// `originalMaxAge`, even if that takes it away.
    pub fn touch_as_express(&mut self, now_ms: i64) {
        self.unknown.clear();
        for (member, default) in
            [(CookieMember::HttpOnly, JsValue::Bool(true)), (CookieMember::Path, "/".into())]
        {
            if *self.raw(member) == JsValue::Undefined {
                self.set_raw(member, default);
            }
        }
        // `cookie.maxAge = cookie.originalMaxAge`, whose setter takes a number or something falsy.
        let expires = match self.raw(CookieMember::OriginalMaxAge) {
            JsValue::Number(ms) => {
                let at = now_ms as f64 + ms;
                match to_iso_string(at as i64).filter(|_| at.is_finite()) {
                    Some(expires) => {
                        self.set_raw(
                            CookieMember::OriginalMaxAge,
                            JsValue::Number(at.trunc() - now_ms as f64),
                        );
                        JsValue::String(expires.into())
                    }
                    None => {
                        self.set_raw(CookieMember::OriginalMaxAge, JsValue::Null);
                        JsValue::Null
                    }
                }
            }
            other => other.clone(),
        };
        self.set_raw(CookieMember::Expires, expires);
    }
}

fn out_of_range() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "session",
        "cookie",
        "the expiry is beyond the last JavaScript date",
    )
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie").field("expires_ms", &self.expires_ms()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn every_member_is_kept_as_it_is_and_written_in_express_order() {
        let rows = [
            (r#"{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"#, None),
            (
                r#"{"path":null,"httpOnly":0,"expires":false}"#,
                Some(r#"{"expires":false,"httpOnly":0,"path":null}"#),
            ),
            (
                r#"{"sameSite":"Strict","secure":"auto","originalMaxAge":1.5,"priority":"HIGH","domain":""}"#,
                Some(
                    r#"{"originalMaxAge":1.5,"priority":"HIGH","secure":"auto","domain":"","sameSite":"Strict"}"#,
                ),
            ),
            (r#"{"foo":[1, 2],"domain":"\ud800"}"#, Some(r#"{"domain":"\ud800","foo":[1, 2]}"#)),
        ];
        for (json, written) in rows {
            assert_eq!(Cookie::from_json(json).unwrap().to_json(), written.unwrap_or(json));
        }
        for not_an_object in ["null", "[]", "\"x\"", "1", ""] {
            assert_eq!(Cookie::from_json(not_an_object), None);
        }
    }

    #[test]
    fn expires_is_read_as_connect_redis_reads_it() {
        let rows = [
            ("\"2023-11-14T22:13:20.500Z\"", Some(NOW + 500)),
            ("\"Tue, 14 Nov 2023 22:13:20 GMT\"", Some(NOW)),
            ("4102448400000", Some(4_102_448_400_000)),
            ("\"garbage\"", None),
            ("false", None),
            ("null", None),
            ("{}", None),
        ];
        for (expires, ms) in rows {
            assert_eq!(
                Cookie::from_json(&format!("{{\"expires\":{expires}}}")).unwrap().expires_ms(),
                ms,
                "{expires}"
            );
        }
    }

    #[test]
    fn touch_rolls_every_shape_and_loses_none() {
        let rows = [
            (
                r#"{"originalMaxAge":60000,"expires":"2020-01-01T00:00:00.000Z","path":"/"}"#,
                r#"{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","path":"/"}"#,
            ),
            (
                r#"{"path":"/","secure":false,"maxAge":60,"expires":"2020-01-01T00:00:00.000Z"}"#,
                r#"{"expires":"2023-11-14T22:14:20.000Z","secure":false,"path":"/","maxAge":60}"#,
            ),
            (
                r#"{"originalMaxAge":null,"expires":null}"#,
                r#"{"originalMaxAge":null,"expires":null}"#,
            ),
            (
                r#"{"expires":"2030-01-01T00:00:00.000Z"}"#,
                r#"{"expires":"2030-01-01T00:00:00.000Z"}"#,
            ),
        ];
        for (before, after) in rows {
            let mut cookie = Cookie::from_json(before).unwrap();
            cookie.touch(NOW);
            assert_eq!(cookie.to_json(), after);
        }
    }

    #[test]
    fn a_new_expiry_keeps_the_shape_of_a_next_session_record() {
        let mut cookie =
            Cookie::from_json(r#"{"path":"/","maxAge":60,"expires":"2020-01-01T00:00:00.000Z"}"#)
                .unwrap();
        cookie.set_max_age_ms(Some(1_500), NOW).unwrap();
        assert_eq!(
            cookie.to_json(),
            r#"{"expires":"2023-11-14T22:13:21.500Z","path":"/","maxAge":1.5}"#
        );
        assert_eq!(cookie.original_max_age_ms(), Some(1_500));
    }

    #[test]
    fn dates_beyond_javascript_are_refused() {
        let mut cookie = Cookie::new();
        for max_age in [Duration::MAX, Duration::from_millis(9_000_000_000_000_000)] {
            assert_eq!(
                cookie.set_max_age(Some(max_age), NOW).unwrap_err().kind(),
                ErrorKind::InvalidData
            );
        }
        assert_eq!(cookie, Cookie::new());
        assert!(cookie.set_expires_ms(Some(8_640_000_000_000_000), NOW).is_ok());
    }

    #[test]
    fn debug_tells_no_more_than_the_expiry() {
        let cookie = Cookie::from_json(r#"{"domain":"secret.example","x":"y"}"#).unwrap();
        assert_eq!(format!("{cookie:?}"), "Cookie { expires_ms: None, .. }");
    }
}
