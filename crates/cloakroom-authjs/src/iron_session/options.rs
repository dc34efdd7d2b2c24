//! The options of iron-session.

use cloakroom_core::{Cookie, Error, ErrorKind, SameSite};

use super::NAME;

/// iron-session's clock tolerance, in seconds. The cookie ends so much before the seal.
const SKEW_SECONDS: u64 = 60;

/// The largest `Max-Age` of iron-session, in seconds: 2^31 - 1.
const LONGEST_MAX_AGE: i64 = 2_147_483_647;

/// The largest integer that a number of JavaScript holds exactly.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// The `Max-Age` of the cookie: iron-session's `cookieOptions.maxAge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxAge {
    /// `ttl` less the clock tolerance of 60 seconds, and 2^31 - 1 seconds if `ttl` is 0. The default.
    OfTtl,
    /// This many seconds. The seal still lives for `ttl`.
    Seconds(i64),
    /// No `Max-Age`: the cookie ends with the browser's session, and the seal never expires. It is `maxAge: undefined`.
    Browser,
}

/// The options of iron-session, under their names in Rust's spelling.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IronSessionOptions {
    /// How long a session lives, in seconds. 0 is for ever. 1,209,600 (14 days) by default.
    ///
    /// With 60 or less, the `Max-Age` is 0 or less, so browsers drop the cookie at once, as they do iron-session's.
    pub ttl: u64,
    /// The `Max-Age` of the cookie.
    pub max_age: MaxAge,
    /// The other attributes of the cookie: `HttpOnly`, `Secure`, `SameSite=Lax` and `Path=/` by default. Its expiry does
    /// not matter.
    pub cookie: Cookie,
}

impl Default for IronSessionOptions {
    fn default() -> Self {
        let mut cookie = Cookie::new();
        cookie.set_secure(Some(true));
        cookie.set_same_site(Some(SameSite::Lax));
        Self { ttl: 14 * 24 * 3_600, max_age: MaxAge::OfTtl, cookie }
    }
}

impl IronSessionOptions {
    /// Sets [`ttl`](Self::ttl), in seconds.
    #[must_use]
    pub fn with_ttl(mut self, ttl: u64) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets [`max_age`](Self::max_age).
    #[must_use]
    pub fn with_max_age(mut self, max_age: MaxAge) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets [`cookie`](Self::cookie).
    #[must_use]
    pub fn with_cookie(mut self, cookie: Cookie) -> Self {
        self.cookie = cookie;
        self
    }

    /// The cookie's `Max-Age`, in seconds.
    pub(super) fn cookie_max_age(&self) -> Option<i64> {
        match self.max_age {
            MaxAge::OfTtl if self.ttl == 0 => Some(LONGEST_MAX_AGE),
            MaxAge::OfTtl => {
                let ttl = i64::try_from(self.ttl).unwrap_or(i64::MAX);
                Some(ttl.saturating_sub(SKEW_SECONDS as i64))
            }
            MaxAge::Seconds(seconds) => Some(seconds),
            MaxAge::Browser => None,
        }
    }

    /// The end of a seal that is made now, or `None` if it never ends.
    pub(super) fn expires_ms(&self, now_ms: i64) -> Result<Option<i64>, Error> {
        if self.ttl == 0 || self.max_age == MaxAge::Browser {
            return Ok(None);
        }
        let end = i64::try_from(self.ttl)
            .ok()
            .and_then(|ttl| ttl.checked_mul(1_000)?.checked_add(now_ms))
            .filter(|end| (0..=MAX_SAFE_INTEGER).contains(end));
        let message = "invalid option \"ttl\": the session would end beyond the year 287,396";
        end.map(Some).ok_or_else(|| Error::new(ErrorKind::Config, NAME, "seal", message))
    }
}

/// A reader's view of the same tolerance, in milliseconds.
pub(super) const SKEW_MS: i64 = SKEW_SECONDS as i64 * 1_000;
