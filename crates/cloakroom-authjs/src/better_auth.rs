//! The sessions of better-auth 1: the signed token, the cookie cache, and what is in secondary storage and tables.
//!
//! The cookie holds a token, signed with the secret. The session itself is a row of a table or a value of a key-value
//! store, which the application reads with its own client; a cookie cache may hold a copy of it for some minutes.
//!
//! ```
//! use cloakroom_authjs::{better_auth::{BetterAuth, BetterAuthLogin}, sealed::Refusal};
//!
//! let auth = BetterAuth::new(["made-up-better-auth-secret-number-one"])?;
//! let header = b"better-auth.session_token=jfprQkCV0ZQSt5UnDzA35kFEXx5MtCV2.F%2B9U%2Bbe2xnEe7iD5xSKdAGiPFNWs6l3SVYeb5Y3H86g%3D";
//! let token = auth.token(header).expect("it is signed");
//!
//! // What `GET` of this key answers, with the Redis client of the application.
//! assert_eq!(auth.session_key(&token), "better-auth:jfprQkCV0ZQSt5UnDzA35kFEXx5MtCV2");
//! let stored = r#"{"session":{"token":"jfprQkCV0ZQSt5UnDzA35kFEXx5MtCV2","userId":"u1",
//!     "createdAt":"2026-01-01T00:00:00.123Z","expiresAt":"2026-01-08T00:00:00.123Z"},"user":{"id":"u1","name":"Ada"}}"#;
//! let login = BetterAuthLogin::from_json(stored).expect("it is a session");
//! login.check(&token, 1_767_225_600_123).expect("it is alive");
//! assert_eq!(login.user.get::<String>("name")?.as_deref(), Some("Ada"));
//! assert_eq!(login.check(&token, 1_767_830_400_124), Err(Refusal::Expired));
//! # Ok::<(), cloakroom_core::Error>(())
//! ```

mod cache;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod database;
mod jwe;
mod keys;
mod login;
mod options;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod tables;

use std::collections::BTreeSet;

use cloakroom_core::{CookieParser, Error};

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use self::database::BetterAuthDatabase;
pub use self::login::BetterAuthLogin;
pub use self::options::{BetterAuthOptions, CookieCache};
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use self::tables::BetterAuthTables;
use self::{cache::Checks, keys::Keys};
use crate::sealed::{Refusal, cookies};

/// The columns of better-auth's table `session`, in a query for the row of a token.
///
/// It is valid in PostgreSQL and SQLite. Make the columns of the row a JSON object under their names, and give it to
/// [`BetterAuthLogin::from_rows`].
pub const SESSION_BY_TOKEN: &str = "SELECT \"id\", \"expiresAt\", \"token\", \"createdAt\", \"updatedAt\", \"ipAddress\", \
     \"userAgent\", \"userId\" FROM \"session\" WHERE \"token\" = $1";

/// Verifies the cookies of better-auth 1, and says where their sessions are.
///
/// `Debug` shows the options and no secret.
#[derive(Clone, Debug)]
pub struct BetterAuth {
    keys: Keys,
    options: BetterAuthOptions,
}

impl BetterAuth {
    /// Creates it with better-auth's default options. The first secret signs; all of them verify.
    ///
    /// better-auth verifies its session cookie with the first of its `secrets` only, so there a rotation logs everybody
    /// out; here the cookies of the other secrets are accepted until you leave those out.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for an empty list, and for an empty secret.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        Self::with_options(secrets, BetterAuthOptions::default())
    }

    /// Creates it with options.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) if no cookie can have
    /// these names or attributes.
    pub fn with_options<S: AsRef<[u8]>>(
        secrets: impl IntoIterator<Item = S>,
        options: BetterAuthOptions,
    ) -> Result<Self, Error> {
        let auth = Self { keys: Keys::new(secrets)?, options };
        auth.removed("session_token")?;
        Ok(auth)
    }

    /// Returns the token in the session cookie of a `Cookie` header. The first cookie of the name counts.
    ///
    /// A token alone is not a login: its session may have ended.
    ///
    /// A request over HTTP/2 can have several `Cookie` lines. Join them, as
    /// [`RequestHead::cookie_header`](cloakroom_tower::RequestHead::cookie_header) does.
    ///
    /// # Errors
    ///
    /// [`Missing`](Refusal::Missing), [`TooLong`](Refusal::TooLong), or [`NotVerified`](Refusal::NotVerified) if no secret
    /// verifies the signature.
    pub fn token(&self, cookie_header: &[u8]) -> Result<String, Refusal> {
        let name = self.options.cookie_name("session_token");
        let value = cookies::find(cookie_header, &name)?;
        self.keys.unsign(&value).map(str::to_owned).ok_or(Refusal::NotVerified)
    }

    /// Returns true if the login was made with `rememberMe: false`. Such a session is never renewed.
    #[must_use]
    pub fn is_browser_session(&self, cookie_header: &[u8]) -> bool {
        let name = self.options.cookie_name("dont_remember");
        let value = cookies::find(cookie_header, &name);
        value.is_ok_and(|value| self.keys.unsign(&value) == Some("true"))
    }

    /// Returns the session in the cookie cache of a `Cookie` header, if it belongs to the signed token beside it.
    ///
    /// A session that has ended stays in the cache until the cache expires, so ask the store where that matters.
    ///
    /// # Errors
    ///
    /// The reasons of [`token`](Self::token) and [`open_cache`](Self::open_cache);
    /// [`OtherSession`](Refusal::OtherSession) if the cache has another token.
    pub fn cached(
        &self,
        cookie_header: &[u8],
        strategy: CookieCache,
        now_ms: i64,
    ) -> Result<BetterAuthLogin, Refusal> {
        let token = self.token(cookie_header)?;
        let name = self.options.cookie_name("session_data");
        // better-auth leaves one form behind when it changes to the other, so each counts for itself.
        let whole = cookies::find(cookie_header, &name);
        let alone = whole.and_then(|value| self.open_cache(&value, strategy, now_ms));
        let login = alone.or_else(|refusal| match cache::join(cookie_header, &name)? {
            Some(value) => self.open_cache(&value, strategy, now_ms),
            None => Err(refusal),
        })?;
        match login.check(&token, now_ms) {
            Err(Refusal::NotVerified) => Err(Refusal::OtherSession),
            checked => checked.map(|()| login),
        }
    }

    /// Returns the session in the value of a cookie cache, without a look at the token.
    ///
    /// The compact form counts milliseconds and is valid at its expiry. The JWT counts whole seconds and is not. The JWE
    /// has a tolerance of 15 seconds, as `getCookieCache` has.
    ///
    /// # Errors
    ///
    /// [`Malformed`](Refusal::Malformed), [`OtherAlgorithm`](Refusal::OtherAlgorithm), [`UnknownKey`](Refusal::UnknownKey),
    /// [`NotVerified`](Refusal::NotVerified), [`Expired`](Refusal::Expired), [`NotYetValid`](Refusal::NotYetValid),
    /// [`OtherVersion`](Refusal::OtherVersion), [`InvalidContent`](Refusal::InvalidContent) or
    /// [`TooLong`](Refusal::TooLong).
    pub fn open_cache(
        &self,
        value: &str,
        strategy: CookieCache,
        now_ms: i64,
    ) -> Result<BetterAuthLogin, Refusal> {
        cookies::check_length(value)?;
        let checks = Checks { now_ms, version: &self.options.cache_version };
        match strategy {
            CookieCache::Compact => cache::compact(&self.keys, value, checks),
            CookieCache::Jwt => cache::jwt(&self.keys, value, checks),
            CookieCache::Jwe => cache::jwe(&self.keys, value, checks),
        }
    }

    /// Returns the key of a session in secondary storage, with the prefix of redis-storage. Its value is for
    /// [`BetterAuthLogin::from_json`].
    #[must_use]
    pub fn session_key(&self, token: &str) -> String {
        format!("{}{token}", self.options.key_prefix)
    }

    /// Returns the key of the time before which all sessions of a user have ended. Its value is for
    /// [`BetterAuthLogin::check_revoked`].
    #[must_use]
    pub fn revoked_key(&self, user_id: &str) -> String {
        format!("{}revoked-sessions-before-{user_id}", self.options.key_prefix)
    }

    /// Returns the key of the list of a user's sessions, a JSON array of `{"token","expiresAt"}` with the expiry in
    /// milliseconds. Two sign-ins at once can lose an entry of it.
    #[must_use]
    pub fn active_sessions_key(&self, user_id: &str) -> String {
        format!("{}active-sessions-{user_id}", self.options.key_prefix)
    }

    /// Returns the expiry that better-auth would give the session when it is read now, in milliseconds since 1970, or
    /// `None` if it would leave it: a session is renewed when the last renewal is `update_age` ago.
    ///
    /// Sessions with [`is_browser_session`](Self::is_browser_session) are never renewed.
    #[must_use]
    pub fn renewal_ms(&self, login: &BetterAuthLogin, now_ms: i64) -> Option<i64> {
        let BetterAuthOptions { expires_in, update_age, .. } = self.options;
        let (expires_in, update_age) =
            (expires_in.saturating_mul(1_000), update_age.saturating_mul(1_000));
        let due = login.expires_ms()?.saturating_sub(expires_in).saturating_add(update_age);
        (due <= now_ms).then(|| now_ms.saturating_add(expires_in))
    }

    /// Returns the value of a `Set-Cookie` header with a signed token, as better-auth sends it for a new session and for
    /// one that was renewed.
    ///
    /// # Errors
    ///
    /// None that [`with_options`](Self::with_options) has not reported.
    pub fn session_cookie(&self, token: &str) -> Result<String, Error> {
        let name = self.options.cookie_name("session_token");
        let value = self.keys.sign(token);
        self.options.set_cookie(&name, &value, Some(self.options.expires_in))
    }

    /// Returns the values of two `Set-Cookie` headers for a login with `rememberMe: false`: the signed token, and the mark
    /// that [`is_browser_session`](Self::is_browser_session) reads. Both end with the browser's session.
    ///
    /// # Errors
    ///
    /// None that [`with_options`](Self::with_options) has not reported.
    pub fn browser_session_cookies(&self, token: &str) -> Result<[String; 2], Error> {
        let cookie = |name, value| {
            let name = self.options.cookie_name(name);
            self.options.set_cookie(&name, &self.keys.sign(value), None)
        };
        Ok([cookie("session_token", token)?, cookie("dont_remember", "true")?])
    }

    /// Returns the values of the `Set-Cookie` headers that better-auth sends at a sign-out: for the token, the cookie cache
    /// with the chunks that are in the `Cookie` header, and the mark of `rememberMe: false`. If the header has the cookie of
    /// `account.storeAccountCookie`, whole or in chunks, that is removed, too.
    ///
    /// The row or key of the session must be deleted too; the cookies alone do not end it.
    ///
    /// # Errors
    ///
    /// None that [`with_options`](Self::with_options) has not reported.
    pub fn sign_out(&self, cookie_header: &[u8]) -> Result<Vec<String>, Error> {
        let names = ["session_token", "session_data", "dont_remember"];
        let mut removed =
            names.map(|name| self.removed(name)).into_iter().collect::<Result<Vec<_>, _>>()?;
        let [data, account] =
            ["session_data", "account_data"].map(|name| self.options.cookie_name(name));
        // A header can have thousands of one name. Each name is removed once.
        let mut known = BTreeSet::new();
        for (name, _) in CookieParser::new().pairs(cookie_header) {
            let is_account = name == account || cache::chunk_number(&name, &account).is_some();
            if (is_account || cache::chunk_number(&name, &data).is_some())
                && known.insert(name.clone())
            {
                removed.push(self.options.set_cookie(&name, "", Some(0))?);
            }
        }
        Ok(removed)
    }

    fn removed(&self, name: &str) -> Result<String, Error> {
        let name = self.options.cookie_name(name);
        self.options.set_cookie(&name, "", Some(0))
    }
}
