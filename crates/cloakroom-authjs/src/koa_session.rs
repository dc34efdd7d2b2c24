//! The signed cookie of koa-session 7, without an external store.
//!
//! The whole session is in the cookie, as JSON in base64, with the members `_expire` and `_maxAge` or `_session` of
//! koa-session. It is signed, not encrypted: the user can read it.
//!
//! ```
//! use cloakroom_authjs::{keygrip::Keygrip, koa_session::{KoaLogin, KoaSession}, sealed::Content};
//!
//! let sessions = KoaSession::new(Keygrip::new(["made-up-key-1"])?)?;
//! let now_ms = 1_767_225_600_123;
//! let login = KoaLogin::new(Content::from_json(r#"{"user":"ann"}"#)?);
//! let [cookie, signature] = sessions.save(&login, now_ms)?;
//! assert!(cookie.starts_with("koa.sess=eyJ1c2VyIjoiYW5uIiwiX2V4cGlyZSI6") && signature.ends_with("; path=/; httponly"));
//!
//! let header = format!("{}; {}", cookie.split(';').next().unwrap(), signature.split(';').next().unwrap());
//! let login = sessions.read(header.as_bytes(), now_ms).expect("it is signed");
//! assert_eq!(login.content.as_json(), r#"{"user":"ann"}"#);
//! # Ok::<(), cloakroom_core::Error>(())
//! ```

use std::fmt;

use cloakroom_core::{Cookie, Error, ErrorKind};

use crate::{
    cookie_session::{decode, encode},
    keygrip::{Keygrip, SignedCookies},
    sealed::{Content, Refusal},
};

const NAME: &str = "koa-session";

/// The names with which koa-session fails (`toJSON`, `__proto__`), or which it takes for properties of its own.
const RESERVED: [&str; 4] = ["__proto__", "isNew", "maxAge", "toJSON"];

/// The getters of its session, which drop a member of their name.
const GETTERS: [&str; 3] = ["externalKey", "length", "populated"];

/// The methods of its session, which a member of their name replaces.
const METHODS: [&str; 4] = ["commit", "manuallyCommit", "regenerate", "save"];

/// koa-session's default, a day.
const DEFAULT_MAX_AGE_MS: i64 = 86_400_000;

/// How long a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KoaMaxAge {
    /// This many milliseconds.
    Ms(i64),
    /// As long as the browser's session: `maxAge: "session"`.
    Session,
}

/// A session of koa-session: what the application keeps in it, and what koa-session does.
///
/// `Debug` shows neither the content nor the signature.
#[derive(Clone)]
#[non_exhaustive]
pub struct KoaLogin {
    /// What the application keeps, without the members of koa-session.
    pub content: Content,
    /// The session's own `maxAge`, which counts before the option. `None` for a new session, and if its cookie has none.
    pub max_age: Option<KoaMaxAge>,
    /// The time from which it has expired, in milliseconds since 1970. `None` if its cookie does not say one as a number.
    pub expires_ms: Option<i64>,
    /// A `Set-Cookie` value that signs the cookie again with the first key, if an older one has signed it.
    pub sign_again: Option<String>,
}

impl fmt::Debug for KoaLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KoaLogin")
            .field("max_age", &self.max_age)
            .field("expires_ms", &self.expires_ms)
            .field("is_outdated", &self.sign_again.is_some())
            .finish_non_exhaustive()
    }
}

impl KoaLogin {
    /// Creates a new session.
    #[must_use]
    pub fn new(content: Content) -> Self {
        Self { content, max_age: None, expires_ms: None, sign_again: None }
    }

    /// Returns true if less than half of its life is left: koa-session with `renew: true` then saves it again.
    #[must_use]
    pub fn is_half_over(&self, now_ms: i64) -> bool {
        match (self.expires_ms, self.max_age) {
            (Some(expires_ms), Some(KoaMaxAge::Ms(max_age))) => {
                expires_ms.saturating_sub(now_ms).saturating_mul(2) < max_age
            }
            _ => false,
        }
    }
}

/// Reads and writes the sessions of koa-session 7.
#[derive(Clone, Debug)]
pub struct KoaSession {
    cookies: SignedCookies,
    max_age: Option<KoaMaxAge>,
}

impl KoaSession {
    /// Creates it for the cookie `koa.sess`, koa-session's default, with the keys of `app.keys`.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn new(keys: Keygrip) -> Result<Self, Error> {
        Self::with_key("koa.sess", keys)
    }

    /// Creates it for the cookie of this name: koa-session's option `key`.
    ///
    /// # Errors
    ///
    /// As for [`SignedCookies::new`].
    pub fn with_key(key: &str, keys: Keygrip) -> Result<Self, Error> {
        Ok(Self { cookies: SignedCookies::new(key, keys)?, max_age: None })
    }

    /// Sets the option `maxAge`. Without it, a session lives for a day, and its first cookie ends with the browser's
    /// session, as in koa-session.
    #[must_use]
    pub fn with_max_age(mut self, max_age: KoaMaxAge) -> Self {
        self.max_age = Some(max_age);
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

    /// Reads the session from the value of a `Cookie` header.
    ///
    /// As in koa-session, it is expired when `_expire` is a number less than `now_ms`, and never if it is anything else.
    /// Members that koa-session drops are dropped.
    ///
    /// A request over HTTP/2 can have several `Cookie` lines. Join them, as
    /// [`RequestHead::cookie_header`](cloakroom_tower::RequestHead::cookie_header) does.
    ///
    /// # Errors
    ///
    /// As for [`SignedCookies::read`]; [`Expired`](Refusal::Expired); [`InvalidContent`](Refusal::InvalidContent) if the
    /// value is not a JSON object in base64, or has a member `toJSON`, `__proto__`, `isNew` or `maxAge`, which koa-session
    /// never writes.
    pub fn read(&self, cookie_header: &[u8], now_ms: i64) -> Result<KoaLogin, Refusal> {
        let value = self.cookies.read(cookie_header)?;
        let mut content = decode(value.value())?;
        if content.names().any(|name| RESERVED.contains(&&*name)) {
            return Err(Refusal::InvalidContent);
        }
        let number = |name| content.get::<f64>(name).ok().flatten();
        let expires = number("_expire");
        if expires.is_some_and(|expires| expires < now_ms as f64) {
            return Err(Refusal::Expired);
        }
        let max_age = match content.get_json("_session") {
            Some("true") => Some(KoaMaxAge::Session),
            _ => number("_maxAge").map(|max_age| KoaMaxAge::Ms(max_age as i64)),
        };
        content.retain(|name| !is_dropped(name));
        let sign_again = self.cookies.sign_again(&value);
        Ok(KoaLogin { content, max_age, expires_ms: expires.map(|ms| ms as i64), sign_again })
    }

    /// Returns the values of two `Set-Cookie` headers that store the session, renewed for its whole life from now.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](ErrorKind::InvalidData) if the content is not a JSON object, or has a member that koa-session 7.0.2
    /// drops, takes for its own, or fails with; the message names the member. Those are all names that begin with `_`, and
    /// `commit`, `externalKey`, `isNew`, `length`, `manuallyCommit`, `maxAge`, `populated`, `regenerate`, `save` and
    /// `toJSON`.
    pub fn save(&self, login: &KoaLogin, now_ms: i64) -> Result<[String; 2], Error> {
        let is_refused =
            |name: &str| is_dropped(name) || RESERVED.contains(&name) || METHODS.contains(&name);
        if let Some(name) = login.content.names().find(|name| is_refused(name)) {
            let message = format!(
                "invalid member {name:?}: koa-session uses this name itself, choose another name"
            );
            return Err(Error::new(ErrorKind::InvalidData, NAME, "save", message));
        }
        let mut content = login.content.clone();
        encode(&content, NAME)?;
        let max_age = login.max_age.or(self.max_age);
        let expires_ms = match max_age.unwrap_or(KoaMaxAge::Ms(DEFAULT_MAX_AGE_MS)) {
            KoaMaxAge::Ms(ms) => {
                let expires_ms = now_ms.saturating_add(ms);
                content.set("_expire", expires_ms)?;
                content.set("_maxAge", ms)?;
                Some(expires_ms)
            }
            KoaMaxAge::Session => {
                content.set("_session", true)?;
                None
            }
        };
        self.cookies.set(&encode(&content, NAME)?, max_age.and(expires_ms))
    }

    /// Returns the values of two `Set-Cookie` headers that end the session: koa-session's `ctx.session = null`.
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

/// Returns true for a member that koa-session 7.0.2 does not write back. Those that begin with `_` are its own, such as
/// `_expire`.
fn is_dropped(name: &str) -> bool {
    name.starts_with('_') || GETTERS.contains(&name)
}
