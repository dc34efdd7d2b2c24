//! The options of a site that a reader has to know.

use std::time::Duration;

use cloakroom_core::{
    Clock, Cookie, CookieMember, Error, ErrorKind, JsValue, SameSite, clear_cookie, set_cookie,
};

use crate::version::{AuthJsVersion, TOLERANCE};

/// What the Node.js site was configured with. The defaults are those of the packages.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_authjs::AuthJsOptions;
///
/// // NEXTAUTH_URL=http://localhost:3000, session: { maxAge: 3600 }
/// let options = AuthJsOptions::next_auth_4()
///     .with_secure_cookies(false)
///     .with_max_age(Duration::from_secs(3_600));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthJsOptions {
    version: AuthJsVersion,
    /// Whether browsers reach the site by https: the cookie's name then begins with `__Secure-`. True by default.
    ///
    /// next-auth 4 decides this by `NEXTAUTH_URL`, and Auth.js 5 by the scheme of each request. In Auth.js 5, the name
    /// is a part of the key, so the other scheme logs everybody out.
    pub secure_cookies: bool,
    /// `cookies.sessionToken.name`, with its prefix if it has one. By default the package's own name.
    pub cookie_name: Option<String>,
    /// The attributes of the session cookie, `cookies.sessionToken.options`: `Path=/`, `HttpOnly` and `SameSite=Lax` by
    /// default. Its expiry does not matter.
    ///
    /// If it does not say whether the cookie is `Secure`, [`secure_cookies`](Self::secure_cookies) does. next-auth 4 has no
    /// defaults for a site that sets such options: what they leave out, `Secure` too, is off.
    pub cookie: Cookie,
    /// The salt from which the key is derived. By default the cookie's name in Auth.js 5, and empty in next-auth 4.
    pub salt: Option<String>,
    /// `session.maxAge`. 30 days by default.
    pub max_age: Duration,
    /// `session.updateAge`, for the database strategy. One day by default.
    pub update_age: Duration,
    /// `jwt.maxAge`. By default it is [`max_age`](Self::max_age).
    ///
    /// next-auth 4 uses it for the token of a login, where its default is always 30 days; a token that is renewed lives
    /// for `session.maxAge`.
    pub jwt_max_age: Option<Duration>,
    /// By how much `exp` and `nbf` may differ from the clock. 15 seconds by default.
    pub clock_tolerance: Duration,
    /// The source of the current time. The system's clock by default.
    pub clock: Clock,
}

const DAY: Duration = Duration::from_secs(86_400);

/// The longest life of a session. It keeps every date within what JavaScript can represent.
const MAX_AGE: Duration = Duration::from_secs(1_000 * 366 * 86_400);

impl AuthJsOptions {
    /// The options of next-auth 4.
    #[must_use]
    pub fn next_auth_4() -> Self {
        Self::of(AuthJsVersion::NextAuth4)
    }

    /// The options of Auth.js 5.
    #[must_use]
    pub fn auth_js_5() -> Self {
        Self::of(AuthJsVersion::AuthJs5)
    }

    fn of(version: AuthJsVersion) -> Self {
        let mut cookie = Cookie::new();
        cookie.set_same_site(Some(SameSite::Lax));
        Self {
            version,
            secure_cookies: true,
            cookie_name: None,
            cookie,
            salt: None,
            max_age: 30 * DAY,
            update_age: DAY,
            jwt_max_age: None,
            clock_tolerance: TOLERANCE,
            clock: Clock::system(),
        }
    }

    /// Sets [`secure_cookies`](Self::secure_cookies).
    #[must_use]
    pub fn with_secure_cookies(mut self, secure_cookies: bool) -> Self {
        self.secure_cookies = secure_cookies;
        self
    }

    /// Sets [`cookie_name`](Self::cookie_name).
    #[must_use]
    pub fn with_cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = Some(name.into());
        self
    }

    /// Sets [`cookie`](Self::cookie).
    ///
    /// ```
    /// use cloakroom_authjs::AuthJsOptions;
    /// use cloakroom_core::{Cookie, SameSite};
    ///
    /// // cookies: { sessionToken: { options: { httpOnly: true, sameSite: "none", path: "/app", secure: true } } }
    /// let mut cookie = Cookie::new();
    /// cookie.set_same_site(Some(SameSite::None));
    /// cookie.set_path(Some("/app"));
    /// cookie.set_secure(Some(true));
    /// let options = AuthJsOptions::auth_js_5().with_cookie(cookie);
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn with_cookie(mut self, cookie: Cookie) -> Self {
        self.cookie = cookie;
        self
    }

    /// Sets [`salt`](Self::salt).
    #[must_use]
    pub fn with_salt(mut self, salt: impl Into<String>) -> Self {
        self.salt = Some(salt.into());
        self
    }

    /// Sets [`max_age`](Self::max_age).
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets [`update_age`](Self::update_age).
    #[must_use]
    pub fn with_update_age(mut self, update_age: Duration) -> Self {
        self.update_age = update_age;
        self
    }

    /// Sets [`jwt_max_age`](Self::jwt_max_age).
    #[must_use]
    pub fn with_jwt_max_age(mut self, max_age: Duration) -> Self {
        self.jwt_max_age = Some(max_age);
        self
    }

    /// Sets [`clock_tolerance`](Self::clock_tolerance).
    #[must_use]
    pub fn with_clock_tolerance(mut self, tolerance: Duration) -> Self {
        self.clock_tolerance = tolerance;
        self
    }

    /// Sets [`clock`](Self::clock), which a test can move.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Returns the generation of the package.
    #[must_use]
    pub const fn version(&self) -> AuthJsVersion {
        self.version
    }

    /// Returns the whole name of the session cookie.
    #[must_use]
    pub fn session_cookie(&self) -> String {
        self.cookie_name.clone().unwrap_or_else(|| {
            let prefix = if self.secure_cookies { "__Secure-" } else { "" };
            let name = match self.version {
                AuthJsVersion::NextAuth4 => "next-auth",
                AuthJsVersion::AuthJs5 => "authjs",
            };
            format!("{prefix}{name}.session-token")
        })
    }

    pub(crate) fn token_salt(&self) -> String {
        self.salt.clone().unwrap_or_else(|| match self.version {
            AuthJsVersion::NextAuth4 => String::new(),
            AuthJsVersion::AuthJs5 => self.session_cookie(),
        })
    }

    /// Returns how long the token of a login lives.
    pub(crate) fn first_token(&self) -> Duration {
        self.jwt_max_age.unwrap_or(self.max_age)
    }

    /// Returns how long a token lives that a read of the session has renewed.
    pub(crate) fn renewed_token(&self) -> Duration {
        match self.version {
            AuthJsVersion::NextAuth4 => self.max_age,
            AuthJsVersion::AuthJs5 => self.first_token(),
        }
    }

    /// Returns the attributes of the session cookie, without an expiry.
    pub(crate) fn attributes(&self) -> Cookie {
        let mut cookie = self.cookie.clone();
        cookie.set_raw(CookieMember::Expires, JsValue::Null);
        if *cookie.raw(CookieMember::Secure) == JsValue::Undefined {
            cookie.set_secure(self.secure_cookies.then_some(true));
        }
        cookie
    }

    /// Refuses an option by its name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |message: String| Error::new(ErrorKind::Config, "authjs", "new", message);
        let name = self.session_cookie();
        // Both checks are those of the npm package `cookie`.
        clear_cookie(&name, &Cookie::new()).map_err(|error| {
            invalid("the name of the cookie is invalid".to_owned()).with_source(error)
        })?;
        let cookie = self.attributes();
        set_cookie(&name, "", &cookie)
            .map_err(|error| invalid(format!("invalid option \"cookie\": {error}")))?;
        let is_host = name.starts_with("__Host-");
        if !cookie.secure() && (is_host || name.starts_with("__Secure-")) {
            return Err(invalid(format!(
                "invalid option \"cookie_name\": {name:?} requires Secure, or browsers refuse the cookie"
            )));
        }
        if is_host && (cookie.domain().is_some() || cookie.path() != Some("/")) {
            return Err(invalid(format!(
                "invalid option \"cookie\": browsers refuse {name:?} with a domain, and without the path \"/\""
            )));
        }
        for (option, age) in [
            ("max_age", self.max_age),
            ("jwt_max_age", self.first_token()),
            ("update_age", self.update_age),
            ("clock_tolerance", self.clock_tolerance),
        ] {
            if age > MAX_AGE {
                let message = format!("invalid option {option:?}: must be at most 1000 years");
                return Err(invalid(message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_packages() {
        let (v4, v5) = (AuthJsOptions::next_auth_4(), AuthJsOptions::auth_js_5());
        assert_eq!(v4.session_cookie(), "__Secure-next-auth.session-token");
        assert_eq!(v5.token_salt(), "__Secure-authjs.session-token");
        assert_eq!(v4.token_salt(), "");
        let v5 = v5.with_secure_cookies(false);
        assert_eq!(v5.session_cookie(), "authjs.session-token");
        assert_eq!(v5.with_cookie_name("mine").token_salt(), "mine");
    }

    #[test]
    fn what_browsers_would_refuse_is_refused_by_its_name() {
        let plain = || AuthJsOptions::auth_js_5().with_secure_cookies(false);
        let secure = AuthJsOptions::auth_js_5;
        let cookie = |json: &str| Cookie::from_json(json).unwrap();
        let host = |json: &str| secure().with_cookie_name("__Host-x").with_cookie(cookie(json));
        for (options, part) in [
            (plain().with_cookie_name("a b"), "name"),
            (plain().with_cookie_name("__Secure-x"), "cookie_name"),
            (secure().with_cookie(cookie(r#"{"secure":false}"#)), "cookie_name"),
            (secure().with_cookie(cookie(r#"{"domain":"exa mple.com"}"#)), "domain"),
            (secure().with_cookie(cookie(r#"{"path":"/;"}"#)), "path"),
            (secure().with_cookie(cookie(r#"{"priority":"urgent"}"#)), "priority"),
            (host(r#"{"domain":"example.com","path":"/"}"#), "domain"),
            (host(r#"{"path":"/app"}"#), "path"),
            (host("{}"), "path"),
            (secure().with_max_age(Duration::MAX), "max_age"),
        ] {
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(host(r#"{"path":"/","expires":"junk"}"#).check().is_ok());
        let behind_a_proxy = cookie(r#"{"domain":"example.com","secure":true}"#);
        let behind_a_proxy = plain().with_cookie_name("__Secure-x").with_cookie(behind_a_proxy);
        assert!(behind_a_proxy.check().is_ok());
    }
}
