//! The signed cookie of cookie-session 2.
//!
//! The whole session is in the cookie, as JSON in base64. It is signed, not encrypted: the user can read it.
//!
//! ```
//! use cloakroom_authjs::{cookie_session::CookieSession, keygrip::Keygrip};
//!
//! let sessions = CookieSession::new("session", Keygrip::new(["made-up-key-1"])?)?;
//! let header = b"session=eyJhIjoxfQ==; session.sig=JTJb7k2EvSKhJr9vkz4KjLclQjQ";
//! let mut session = sessions.read(header).expect("it is signed");
//! assert_eq!(session.content.get::<u32>("a")?, Some(1));
//!
//! session.content.set("b", 2)?;
//! assert_eq!(sessions.save(&session.content, 1_767_225_600_000)?, [
//!     "session=eyJhIjoxLCJiIjoyfQ==; path=/; httponly",
//!     "session.sig=0OqP6b1mASiKTWL6GAXBcTFg9YA; path=/; httponly",
//! ]);
//! # Ok::<(), cloakroom_core::Error>(())
//! ```

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use cloakroom_core::{Cookie, Error, ErrorKind};

use crate::{
    keygrip::{Keygrip, SignedCookies},
    sealed::{Content, Refusal},
};

/// The names that the session object of cookie-session has itself, or through `Object.prototype`. A member of such a name
/// is dropped when it is read.
const RESERVED: [&str; 16] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "_ctx",
    "constructor",
    "hasOwnProperty",
    "isChanged",
    "isNew",
    "isPopulated",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// A session that was read from a signed cookie.
///
/// `Debug` shows neither the session nor the signature.
#[derive(Clone)]
#[non_exhaustive]
pub struct FoundSession {
    /// The session.
    pub content: Content,
    /// A `Set-Cookie` value that signs the cookie again with the first key, if an older one has signed it. Send it unless
    /// the session is saved.
    pub sign_again: Option<String>,
}

impl fmt::Debug for FoundSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoundSession")
            .field("is_outdated", &self.sign_again.is_some())
            .finish_non_exhaustive()
    }
}

/// Reads and writes the sessions of cookie-session 2.
///
/// A cookie holds no time, so a copy of it is valid for as long as its key is.
#[derive(Clone, Debug)]
pub struct CookieSession {
    cookies: SignedCookies,
    max_age_ms: Option<i64>,
}

impl CookieSession {
    /// Creates it for the cookie of this name: cookie-session's `name`, `session` by default there.
    ///
    /// # Errors
    ///
    /// As for [`SignedCookies::new`].
    pub fn new(name: &str, keys: Keygrip) -> Result<Self, Error> {
        Ok(Self { cookies: SignedCookies::new(name, keys)?, max_age_ms: None })
    }

    /// Sets how long the browser keeps the cookie, in milliseconds: cookie-session's `maxAge`. By default it ends with the
    /// browser's session.
    #[must_use]
    pub fn with_max_age_ms(mut self, max_age_ms: i64) -> Self {
        self.max_age_ms = Some(max_age_ms);
        self
    }

    /// Sets the other attributes, which are `path=/; httponly` by default. The expiry of `cookie` does not matter.
    ///
    /// # Errors
    ///
    /// As for [`SignedCookies::with_cookie`].
    pub fn with_cookie(mut self, cookie: Cookie) -> Result<Self, Error> {
        self.cookies = self.cookies.with_cookie(cookie)?;
        Ok(self)
    }

    /// Sets whether browsers reach the site by https, also if a proxy ends it: see [`SignedCookies::with_secure`]. False by
    /// default.
    #[must_use]
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.cookies = self.cookies.with_secure(secure);
        self
    }

    /// Reads the session from the value of a `Cookie` header. Members that cookie-session drops are dropped.
    ///
    /// A request over HTTP/2 can have several `Cookie` lines. Join them, as
    /// [`RequestHead::cookie_header`](cloakroom_tower::RequestHead::cookie_header) does.
    ///
    /// # Errors
    ///
    /// As for [`SignedCookies::read`], and [`InvalidContent`](Refusal::InvalidContent) if the value is not a JSON object in
    /// base64. After [`NotVerified`](Refusal::NotVerified), npm's package sends [`remove_signature`](Self::remove_signature).
    pub fn read(&self, cookie_header: &[u8]) -> Result<FoundSession, Refusal> {
        let value = self.cookies.read(cookie_header)?;
        let mut content = decode(value.value())?;
        content.retain(|name| !is_reserved(name));
        Ok(FoundSession { content, sign_again: self.cookies.sign_again(&value) })
    }

    /// Returns the values of two `Set-Cookie` headers that store the session.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if it is not a JSON object, or has a member that cookie-session drops when
    /// it reads it; the message names the member.
    pub fn save(&self, session: &Content, now_ms: i64) -> Result<[String; 2], Error> {
        if let Some(name) = session.names().find(|name| is_reserved(name)) {
            let message =
                format!("invalid member {name:?}: cookie-session drops it, choose another name");
            return Err(Error::new(ErrorKind::InvalidData, "cookie-session", "save", message));
        }
        let expires_ms = self.max_age_ms.map(|max_age| now_ms.saturating_add(max_age));
        self.cookies.set(&encode(session, "cookie-session")?, expires_ms)
    }

    /// Returns the values of two `Set-Cookie` headers that end the session: cookie-session's `req.session = null`.
    #[must_use]
    pub fn end(&self) -> [String; 2] {
        self.cookies.end()
    }

    /// Returns the value of a `Set-Cookie` header that removes a signature that no key verifies.
    #[must_use]
    pub fn remove_signature(&self) -> String {
        self.cookies.remove_signature()
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Returns the JSON object in a cookie's value.
pub(crate) fn decode(value: &str) -> Result<Content, Refusal> {
    let bytes = STANDARD.decode(value).map_err(|_| Refusal::InvalidContent)?;
    let text = String::from_utf8(bytes).map_err(|_| Refusal::InvalidContent)?;
    let content = Content::from_json(text).map_err(|_| Refusal::InvalidContent)?;
    if content.is_object() { Ok(content) } else { Err(Refusal::InvalidContent) }
}

/// Returns a cookie's value with this JSON object.
pub(crate) fn encode(session: &Content, package: &'static str) -> Result<String, Error> {
    if !session.is_object() {
        let message = "the session must be a JSON object";
        return Err(Error::new(ErrorKind::InvalidData, package, "save", message));
    }
    Ok(STANDARD.encode(session.as_json()))
}
