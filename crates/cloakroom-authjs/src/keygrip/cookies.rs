//! The two cookies of a signed value, as npm's cookies 0.9 reads and writes them.

use std::fmt;

use cloakroom_core::{Cookie, CookieMember, Error, JsValue, SameSite, to_utc_string};

use super::Keygrip;
use crate::sealed::{Refusal, cookies};

/// A cookie that is signed by a second one, and its attributes.
///
/// Both cookies have the same attributes: `path=/; httponly` by default, and an `expires` if there is one.
///
/// ```
/// use cloakroom_authjs::keygrip::{Keygrip, SignedCookies};
///
/// let cookies = SignedCookies::new("session", Keygrip::new(["made-up-key-1"])?)?;
/// assert_eq!(cookies.set("eyJhIjoxfQ==", None)?, [
///     "session=eyJhIjoxfQ==; path=/; httponly",
///     "session.sig=JTJb7k2EvSKhJr9vkz4KjLclQjQ; path=/; httponly",
/// ]);
/// let header = b"session=eyJhIjoxfQ==; session.sig=JTJb7k2EvSKhJr9vkz4KjLclQjQ";
/// assert_eq!(cookies.read(header).expect("it is signed").value(), "eyJhIjoxfQ==");
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SignedCookies {
    name: String,
    signature_name: String,
    keygrip: Keygrip,
    cookie: Cookie,
    secure: bool,
}

/// A value whose signature is right. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedValue {
    value: String,
    key_index: usize,
}

impl SignedValue {
    /// Returns the value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns true if an older key signed it. [`SignedCookies::sign_again`] signs it with the first one.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.key_index != 0
    }
}

impl fmt::Debug for SignedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedValue").field("key_index", &self.key_index).finish_non_exhaustive()
    }
}

impl SignedCookies {
    /// Creates it for cookies of this name, such as `koa:sess`.
    ///
    /// As in npm's cookies 0.9.1, a name can have more characters than RFC 6265 allows.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if the name is empty, or contains `=`, `;` or anything but
    /// printable ASCII, spaces and tabs, or begins or ends with a space or tab, which browsers remove. The message quotes
    /// it.
    pub fn new(name: &str, keygrip: Keygrip) -> Result<Self, Error> {
        if name.is_empty() || !is_kept(name) || name.contains('=') {
            let message = format!(
                "invalid name {name:?}: must be printable ASCII without \"=\", \";\" and outer spaces"
            );
            return Err(invalid("new", message));
        }
        let signature_name = format!("{name}.sig");
        Ok(Self {
            name: name.to_owned(),
            signature_name,
            keygrip,
            cookie: Cookie::new(),
            secure: false,
        })
    }

    /// Sets the attributes of both cookies. The expiry of `cookie` does not matter.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if no cookie can have these attributes.
    pub fn with_cookie(mut self, cookie: Cookie) -> Result<Self, Error> {
        // npm's cookies would write any text as a domain or path; here they are those of npm's cookie 0.7.2.
        cookies::with_max_age("name", "", None, &cookie)?;
        self.cookie = cookie;
        Ok(self)
    }

    /// Sets whether browsers reach the site by https, also if a proxy ends it. False by default.
    ///
    /// Cookies are `secure` then unless [`with_cookie`](Self::with_cookie) says otherwise; what re-signs a cookie or removes
    /// a signature always is. npm's cookies 0.9.1 finds out by the connection, and by `secure` of its constructor, which
    /// Koa sets to `ctx.secure`.
    ///
    /// ```
    /// use cloakroom_authjs::keygrip::{Keygrip, SignedCookies};
    ///
    /// let cookies = SignedCookies::new("session", Keygrip::new(["made-up-key-1"])?)?.with_secure(true);
    /// assert_eq!(cookies.set("eyJhIjoxfQ==", None)?[0], "session=eyJhIjoxfQ==; path=/; secure; httponly");
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Reads the signed value from the value of a `Cookie` header. Of each name the first cookie counts.
    ///
    /// The value is as npm's cookies 0.9.1 returns it: without quotes around it, and not decoded.
    ///
    /// A request over HTTP/2 can have several `Cookie` lines. Join them, as
    /// [`RequestHead::cookie_header`](cloakroom_tower::RequestHead::cookie_header) does.
    ///
    /// # Errors
    ///
    /// [`Missing`](Refusal::Missing) without the cookie; [`NotVerified`](Refusal::NotVerified) without a signature, or if
    /// no key verifies it; [`TooLong`](Refusal::TooLong).
    pub fn read(&self, cookie_header: &[u8]) -> Result<SignedValue, Refusal> {
        let value = find(cookie_header, &self.name)?;
        let signature = match find(cookie_header, &self.signature_name) {
            Err(Refusal::Missing) => return Err(Refusal::NotVerified),
            signature => signature?,
        };
        let signed = format!("{}={value}", self.name);
        let key_index = self.keygrip.index(&signed, &signature).ok_or(Refusal::NotVerified)?;
        Ok(SignedValue { value, key_index })
    }

    /// Returns the values of two `Set-Cookie` headers: the cookie and its signature. `expires_ms` is in milliseconds since
    /// 1970; without it, the cookies end with the browser's session. An empty value removes them, as with npm's cookies.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if the value would not come back: because it contains `;` or
    /// anything but printable ASCII, spaces and tabs, begins or ends with a space or tab, or begins with a quote, which
    /// npm's cookies takes for one around the value; and for a time that is not a date.
    pub fn set(&self, value: &str, expires_ms: Option<i64>) -> Result<[String; 2], Error> {
        if !is_kept(value) || value.starts_with('"') {
            let message = "invalid value: must be printable ASCII without \";\", outer spaces and a quote at its start";
            return Err(invalid("set", message.to_owned()));
        }
        let date = |ms| {
            to_utc_string(ms).ok_or_else(|| invalid("set", "the expiry is not a date".to_owned()))
        };
        let expires = expires_ms.map(date).transpose()?;
        Ok(self.both(value, if value.is_empty() { Some(FIRST_DAY) } else { expires.as_deref() }))
    }

    /// Returns the values of two `Set-Cookie` headers that remove the cookie and its signature.
    #[must_use]
    pub fn end(&self) -> [String; 2] {
        self.both("", Some(FIRST_DAY))
    }

    /// Returns the value of a `Set-Cookie` header with a signature by the first key, or `None` if that key has signed it
    /// already. As npm's cookies does, it has the default attributes, and no expiry.
    #[must_use]
    pub fn sign_again(&self, value: &SignedValue) -> Option<String> {
        let signed = format!("{}={}", self.name, value.value);
        let signature = value.is_outdated().then(|| self.keygrip.sign(&signed))?;
        let secure = self.secure_word();
        Some(format!("{}={signature}; path=/{secure}; httponly", self.signature_name))
    }

    /// Returns the value of a `Set-Cookie` header that removes the signature: what npm's cookies sends if it is wrong.
    #[must_use]
    pub fn remove_signature(&self) -> String {
        let secure = self.secure_word();
        format!("{}=; path=/; expires={FIRST_DAY}{secure}; httponly", self.signature_name)
    }

    /// The attribute of a signature by itself, which does not have the attributes of the cookie. The package sends a secure
    /// cookie by https only.
    fn secure_word(&self) -> &'static str {
        if self.secure || self.cookie.secure() { "; secure" } else { "" }
    }

    fn both(&self, value: &str, expires: Option<&str>) -> [String; 2] {
        let attributes = self.attributes(expires);
        let pair = format!("{}={value}", self.name);
        let signature = self.keygrip.sign(&pair);
        [pair + &attributes, format!("{}={signature}{attributes}", self.signature_name)]
    }

    /// The attributes in the order and the case of npm's cookies 0.9.1.
    fn attributes(&self, expires: Option<&str>) -> String {
        let Self { cookie, .. } = self;
        let priority = match cookie.raw(CookieMember::Priority) {
            JsValue::String(word) => Some(word.to_lowercase()),
            _ => None,
        };
        let same_site = cookie.same_site().map(SameSite::as_str).map(str::to_lowercase);
        let mut text = String::new();
        for (name, value) in [
            ("path", cookie.path()),
            ("expires", expires),
            ("domain", cookie.domain()),
            ("priority", priority.as_deref()),
            ("samesite", same_site.as_deref()),
        ] {
            if let Some(value) = value {
                text.extend(["; ", name, "=", value]);
            }
        }
        let is_secure = match cookie.raw(CookieMember::Secure) {
            JsValue::Undefined => self.secure,
            _ => cookie.secure(),
        };
        for (flag, is_set) in [
            ("; secure", is_secure),
            ("; httponly", cookie.http_only()),
            ("; partitioned", cookie.partitioned()),
        ] {
            if is_set {
                text.push_str(flag);
            }
        }
        text
    }
}

/// The expiry of a cookie that is removed.
const FIRST_DAY: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// Returns the value of the first cookie of this name, as npm's cookies 0.9.1 finds it: only spaces may stand before the
/// name, and a first quote is removed together with the last character, whatever that is.
fn find(header: &[u8], name: &str) -> Result<String, Refusal> {
    let value = header.split(|byte| *byte == b';').find_map(|segment| {
        let start = segment.iter().position(|byte| *byte != b' ')?;
        segment[start..].strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    });
    let value = match value.ok_or(Refusal::Missing)? {
        [b'"', inner @ .., _] => inner,
        b"\"" => &[],
        value => value,
    };
    if value.len() > cookies::LONGEST {
        return Err(Refusal::TooLong);
    }
    // Node.js reads a header as Latin-1.
    Ok(value.iter().copied().map(char::from).collect())
}

/// Returns true if a browser keeps a name or value, and npm's cookies 0.9.1 accepts it. That accepts U+0080 to U+00FF, too,
/// which Node.js writes as single bytes, and a text of Rust as two.
fn is_kept(text: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'\t' | b' '..=b'~') && byte != b';';
    text.bytes().all(is_allowed) && text.trim_matches([' ', '\t']) == text
}

fn invalid(operation: &'static str, message: String) -> Error {
    Error::new(cloakroom_core::ErrorKind::InvalidData, "cookies", operation, message)
}
