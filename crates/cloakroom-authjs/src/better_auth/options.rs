//! The options of better-auth that its cookies and keys depend on.

use cloakroom_core::{Cookie, Error, SameSite};

use crate::sealed::cookies;

/// The form of the cookie cache: the option `session.cookieCache.strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieCache {
    /// `compact`, the default: JSON in base64url with an HMAC inside.
    Compact,
    /// `jwt`: a JSON Web Token, signed with HS256.
    Jwt,
    /// `jwe`: an encrypted token, A256CBC-HS512 with a key of HKDF-SHA256.
    Jwe,
}

/// The options of better-auth. Durations are in seconds, as there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BetterAuthOptions {
    /// `advanced.cookiePrefix`. `better-auth` by default.
    pub cookie_prefix: String,
    /// `advanced.cookies.session_token.name`, without `__Secure-`. By default, the name is made of the prefix.
    pub session_token_name: Option<String>,
    /// Whether the names of cookies begin with `__Secure-` and the cookies are `Secure`: true for a `baseURL` with `https`,
    /// and with `advanced.useSecureCookies`. False by default.
    pub secure_cookies: bool,
    /// `session.expiresIn`. 604,800 (7 days) by default.
    pub expires_in: i64,
    /// `session.updateAge`. 86,400 (a day) by default.
    pub update_age: i64,
    /// `session.cookieCache.version`. `1` by default.
    pub cache_version: String,
    /// The prefix of redis-storage, its option `keyPrefix`. `better-auth:` by default; empty for another secondary storage
    /// without one.
    pub key_prefix: String,
    /// The other attributes of the cookies, `advanced.defaultCookieAttributes`: `Path=/`, `HttpOnly` and `SameSite=Lax` by
    /// default. Its expiry does not matter. `Secure` is added for [`secure_cookies`](Self::secure_cookies), `Partitioned`
    /// and `SameSite=None`.
    pub cookie: Cookie,
}

impl Default for BetterAuthOptions {
    fn default() -> Self {
        let mut cookie = Cookie::new();
        cookie.set_same_site(Some(SameSite::Lax));
        Self {
            cookie_prefix: "better-auth".to_owned(),
            session_token_name: None,
            secure_cookies: false,
            expires_in: 7 * 24 * 3_600,
            update_age: 24 * 3_600,
            cache_version: "1".to_owned(),
            key_prefix: "better-auth:".to_owned(),
            cookie,
        }
    }
}

impl BetterAuthOptions {
    /// Sets [`cookie_prefix`](Self::cookie_prefix).
    #[must_use]
    pub fn with_cookie_prefix(mut self, cookie_prefix: impl Into<String>) -> Self {
        self.cookie_prefix = cookie_prefix.into();
        self
    }

    /// Sets [`session_token_name`](Self::session_token_name).
    #[must_use]
    pub fn with_session_token_name(mut self, name: impl Into<String>) -> Self {
        self.session_token_name = Some(name.into());
        self
    }

    /// Sets [`secure_cookies`](Self::secure_cookies).
    #[must_use]
    pub fn with_secure_cookies(mut self, secure_cookies: bool) -> Self {
        self.secure_cookies = secure_cookies;
        self
    }

    /// Sets [`expires_in`](Self::expires_in), in seconds.
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: i64) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Sets [`update_age`](Self::update_age), in seconds.
    #[must_use]
    pub fn with_update_age(mut self, update_age: i64) -> Self {
        self.update_age = update_age;
        self
    }

    /// Sets [`cache_version`](Self::cache_version).
    #[must_use]
    pub fn with_cache_version(mut self, cache_version: impl Into<String>) -> Self {
        self.cache_version = cache_version.into();
        self
    }

    /// Sets [`key_prefix`](Self::key_prefix).
    #[must_use]
    pub fn with_key_prefix(mut self, key_prefix: impl Into<String>) -> Self {
        self.key_prefix = key_prefix.into();
        self
    }

    /// Sets [`cookie`](Self::cookie).
    #[must_use]
    pub fn with_cookie(mut self, cookie: Cookie) -> Self {
        self.cookie = cookie;
        self
    }

    pub(super) fn cookie_name(&self, name: &str) -> String {
        let secure = if self.secure_cookies { "__Secure-" } else { "" };
        match &self.session_token_name {
            Some(own) if name == "session_token" => format!("{secure}{own}"),
            _ => format!("{secure}{}.{name}", self.cookie_prefix),
        }
    }

    /// Returns a `Set-Cookie` value as better-auth 1.7.25 writes it, whose better-call 1 makes a cookie `Secure` that
    /// browsers would not take otherwise, and writes `Partitioned` last.
    pub(super) fn set_cookie(
        &self,
        name: &str,
        value: &str,
        max_age: Option<i64>,
    ) -> Result<String, Error> {
        let mut cookie = self.cookie.clone();
        let is_partitioned = cookie.partitioned();
        let is_cross_site = is_partitioned || cookie.same_site() == Some(SameSite::None);
        if self.secure_cookies || is_cross_site {
            cookie.set_secure(Some(true));
        }
        cookie.set_partitioned(None);
        let text = cookies::with_max_age(name, value, max_age, &cookie)?;
        Ok(if is_partitioned { text + "; Partitioned" } else { text })
    }
}
