//! The `cookie` member of a record: express-session's `Cookie`, in its own member order.
//!
//! Node.js applications put any value into it (`secure: "auto"`, `expires: false`, `httpOnly: 0`). So each member is kept
//! as a JavaScript value, and the typed getters interpret it as Express does.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    fmt,
    str::FromStr,
};

use crate::{
    Error, ErrorKind,
    json::{scan, string::canonical},
};

mod expiry;
mod value;

pub use value::JsValue;

/// The members of a [`Cookie`], in the order in which express-session 1.18 and later write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieMember {
    /// `originalMaxAge`: how long the session lives after each touch, in milliseconds.
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
    /// Browsers send the cookie with same-site requests only. `true` in a record means the same.
    Strict,
    /// Browsers send it with top-level navigation from other sites, too.
    Lax,
    /// Browsers always send it, but require `Secure`.
    None,
}

impl SameSite {
    /// Returns the word used in a record: `strict`, `lax` or `none`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lax => "lax",
            Self::None => "none",
        }
    }
}

/// Prints [`as_str`](SameSite::as_str), padded if the format asks for it.
impl fmt::Display for SameSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Reads `strict`, `lax` or `none` in any letters, as the npm package `cookie` 0.7 does for the option `sameSite`.
impl FromStr for SameSite {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Strict, Self::Lax, Self::None]
            .into_iter()
            .find(|same_site| same_site.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                let message =
                    format!("invalid sameSite {text:?}: must be one of strict, lax, none");
                Error::new(ErrorKind::Config, "cookie", "parse", message)
            })
    }
}

/// The cookie of a session as stored in the record: when it expires, and the attributes of `Set-Cookie`.
///
/// All times are in milliseconds. Points in time count from 1970 and are `i64`, because JavaScript's dates reach the year
/// 275760 and go back before 1970.
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
    /// Members that Express does not know, such as next-session's `maxAge`: the escaped name and the JSON text of the
    /// value.
    unknown: Vec<(Box<str>, Box<str>)>,
}

impl Default for Cookie {
    fn default() -> Self {
        Self::new()
    }
}

impl Cookie {
    /// Creates the cookie of a browser session with Express's defaults: path `/`, `HttpOnly`, no expiry.
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

    /// Parses the `cookie` member of a record. Returns `None` if it is not a JSON object; a session replaces such a cookie
    /// with the default one.
    ///
    /// Names are compared after resolving their escapes. If a name occurs twice, the last value counts, as in JavaScript.
    /// `None` also if `json` is longer than 4 GiB, as no record is.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        // Spans count in 32 bits.
        u32::try_from(json.len()).ok()?;
        let mut cookie = Self::empty();
        // A map, because searching the list for each name would take quadratic time on a record with many members. Most
        // cookies need none.
        let mut places: Option<HashMap<Cow<'_, str>, usize>> = None;
        let scanned = scan::each_member(json, |span, is_escaped| {
            let (name, value) = (span.name(json), span.value(json));
            let name = if is_escaped { canonical(name) } else { Cow::Borrowed(name) };
            if let Some((member, _)) = MEMBERS.iter().find(|(_, known)| *known == name) {
                return cookie.set_raw(*member, JsValue::parse(value));
            }
            match places.get_or_insert_default().entry(name) {
                Entry::Occupied(place) => cookie.unknown[*place.get()].1 = value.into(),
                Entry::Vacant(place) => {
                    cookie.unknown.push((place.key().as_ref().into(), value.into()));
                    place.insert(cookie.unknown.len() - 1);
                }
            }
        });
        scanned.ok()?;
        Some(cookie)
    }

    /// Returns the JSON text in express-session's member order, followed by the members that Express does not know.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(128);
        self.push_json(&mut json);
        json
    }

    /// Appends what [`to_json`](Self::to_json) returns.
    pub(crate) fn push_json(&self, out: &mut String) {
        let mut before = "{\"";
        for (member, name) in MEMBERS {
            let value = self.raw(member);
            if *value != JsValue::Undefined {
                out.extend([before, name, "\":"]);
                value.push_json(out);
                before = ",\"";
            }
        }
        for (name, value) in &self.unknown {
            out.extend([before, name, "\":", value]);
            before = ",\"";
        }
        out.push_str(if before == "{\"" { "{}" } else { "}" });
    }

    /// Returns the member as a JavaScript value, [`Undefined`](JsValue::Undefined) if it is missing.
    #[must_use]
    pub fn raw(&self, member: CookieMember) -> &JsValue {
        // The variants have the order of `MEMBERS`.
        &self.members[member as usize]
    }

    /// Sets the member to any JavaScript value, for values that Express accepts and the typed setters do not.
    pub fn set_raw(&mut self, member: CookieMember, value: JsValue) {
        self.members[member as usize] = value;
    }

    /// Returns true if `httpOnly` is truthy in JavaScript.
    #[must_use]
    pub fn http_only(&self) -> bool {
        self.raw(CookieMember::HttpOnly).is_truthy()
    }

    /// Returns true if `secure` is truthy in JavaScript. The string `"auto"` is.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.raw(CookieMember::Secure).is_truthy()
    }

    /// Returns true if `partitioned` is truthy in JavaScript.
    #[must_use]
    pub fn partitioned(&self) -> bool {
        self.raw(CookieMember::Partitioned).is_truthy()
    }

    /// Returns the path, or `None` if it is missing, empty or not a string.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.raw(CookieMember::Path).text()
    }

    /// Returns the domain, or `None` if it is missing, empty or not a string.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.raw(CookieMember::Domain).text()
    }

    /// Returns `sameSite`, or `None` if it is off or not one of the three words. Their case does not matter.
    #[must_use]
    pub fn same_site(&self) -> Option<SameSite> {
        match self.raw(CookieMember::SameSite) {
            JsValue::Bool(true) => Some(SameSite::Strict),
            // cookie 0.7.2 converts the word to lower case before it compares.
            JsValue::String(word) => [SameSite::Strict, SameSite::Lax, SameSite::None]
                .into_iter()
                .find(|same_site| same_site.as_str().eq_ignore_ascii_case(word)),
            _ => None,
        }
    }

    /// Sets `httpOnly`.
    pub fn set_http_only(&mut self, http_only: bool) {
        self.set_raw(CookieMember::HttpOnly, http_only.into());
    }

    /// Sets `secure`. `None` removes the member, as in a session whose options do not mention it.
    pub fn set_secure(&mut self, secure: Option<bool>) {
        self.set_raw(CookieMember::Secure, secure.map_or(JsValue::Undefined, JsValue::Bool));
    }

    /// Sets `partitioned`. `None` removes the member.
    pub fn set_partitioned(&mut self, partitioned: Option<bool>) {
        self.set_raw(
            CookieMember::Partitioned,
            partitioned.map_or(JsValue::Undefined, JsValue::Bool),
        );
    }

    /// Sets the path. `None` removes the member.
    pub fn set_path(&mut self, path: Option<&str>) {
        self.set_raw(CookieMember::Path, path.map_or(JsValue::Undefined, JsValue::from));
    }

    /// Sets the domain. `None` removes the member.
    pub fn set_domain(&mut self, domain: Option<&str>) {
        self.set_raw(CookieMember::Domain, domain.map_or(JsValue::Undefined, JsValue::from));
    }

    /// Sets `sameSite`. `None` removes the member.
    pub fn set_same_site(&mut self, same_site: Option<SameSite>) {
        self.set_raw(
            CookieMember::SameSite,
            same_site.map_or(JsValue::Undefined, |word| word.as_str().into()),
        );
    }

    /// Sets `priority` to `low`, `medium` or `high`. `None` removes the member. Other words are stored, and
    /// [`set_cookie`](crate::set_cookie) refuses them.
    pub fn set_priority(&mut self, priority: Option<&str>) {
        self.set_raw(CookieMember::Priority, priority.map_or(JsValue::Undefined, JsValue::from));
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie").field("expires_ms", &self.expires_ms()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (
                r#"{"\u0065xpires":1,"pat\u0068":"/a","\/":1,"\ud83d":2,"\\/":3}"#,
                Some(r#"{"expires":1,"path":"/a","/":1,"\ud83d":2,"\\/":3}"#),
            ),
            (
                r#"{"path":"/a","x":1,"\uD800":2,"\u0070ath":null,"\u0078":3,"\ud800":4}"#,
                Some(r#"{"path":null,"x":3,"\ud800":4}"#),
            ),
        ];
        for (json, written) in rows {
            assert_eq!(Cookie::from_json(json).unwrap().to_json(), written.unwrap_or(json));
        }
        for not_an_object in ["null", "[]", "\"x\"", "1", ""] {
            assert_eq!(Cookie::from_json(not_an_object), None);
        }
    }

    #[test]
    fn same_site_prints_its_word_and_reads_it_in_any_letters() {
        for same_site in [SameSite::Strict, SameSite::Lax, SameSite::None] {
            assert_eq!(same_site.to_string().parse::<SameSite>().unwrap(), same_site);
        }
        assert_eq!("LAX".parse::<SameSite>().unwrap(), SameSite::Lax);
        let error = "loose".parse::<SameSite>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(
            error.to_string(),
            r#"cookie: parse: invalid sameSite "loose": must be one of strict, lax, none"#,
        );
    }

    #[test]
    fn debug_tells_no_more_than_the_expiry() {
        let cookie = Cookie::from_json(r#"{"domain":"secret.example","x":"y"}"#).unwrap();
        assert_eq!(format!("{cookie:?}"), "Cookie { expires_ms: None, .. }");
    }
}
