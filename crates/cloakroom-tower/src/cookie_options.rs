//! The `cookie` option: the attributes of a new session's cookie.

use std::time::Duration;

use cloakroom_core::{Cookie, CookieMember, Error, JsValue, SameSite, SessionData, set_cookie};

/// express-session's `cookie` option: the attributes of new sessions' cookies. A session that was loaded keeps those in
/// its record.
///
/// As in Express, the record has no member for an attribute that is `None`.
///
/// ```
/// use std::time::Duration;
/// use cloakroom_tower::{CookieOptions, Secure};
///
/// let cookie =
///     CookieOptions::default().with_max_age(Duration::from_secs(86_400)).with_secure(Secure::Auto);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CookieOptions {
    /// `path`: the browser sends the cookie to this path and those below it, and only their requests have a session.
    /// Defaults to `/`. `None` is Express's `path: null`: the attribute is left out, and every request has a session.
    pub path: Option<String>,
    /// `domain`: the browser also sends the cookie to subdomains of this domain.
    pub domain: Option<String>,
    /// `maxAge`: how long a session lives after each touch. By default it ends with the browser.
    pub max_age: Option<Duration>,
    /// `httpOnly`: hides the cookie from scripts. On by default.
    pub http_only: bool,
    /// `secure`: restricts the cookie to secure connections. `None` leaves the attribute out.
    pub secure: Option<Secure>,
    /// `sameSite`: restricts the cookie to requests from the same site.
    pub same_site: Option<SameSitePolicy>,
    /// `partitioned`: gives the cookie a jar of its own for each embedding site.
    pub partitioned: Option<bool>,
    /// `priority`: which cookies Chromium evicts last.
    pub priority: Option<Priority>,
}

/// The `secure` option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Secure {
    /// `true`: browsers send the cookie only over secure connections, and the layer sends it only over those.
    Always,
    /// `false`: the attribute is off.
    Never,
    /// `'auto'`: on if the request that makes the session is secure. The record stores the result, not `auto`.
    Auto,
}

/// The `sameSite` option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSitePolicy {
    /// `'strict'`: browsers send the cookie only with requests from the same site.
    Strict,
    /// `'lax'`: browsers also send it when a link on another site leads here.
    Lax,
    /// `'none'`: browsers send it with all requests, but require `Secure`.
    None,
    /// `'auto'`: `none` if the request that makes the session is secure, else `lax`. The record stores the result.
    Auto,
}

/// The `priority` option. Chromium evicts cookies of low priority first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Priority {
    /// `'low'`.
    Low,
    /// `'medium'`.
    Medium,
    /// `'high'`.
    High,
}

/// The members by which a record's cookie counts its life.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CookieShape {
    /// `originalMaxAge` in milliseconds, and `expires`.
    Express,
    /// `maxAge` in seconds, and `expires`; neither without a max age.
    NextSession,
}

impl CookieShape {
    /// Lets a cookie without a max age count one in the members of this shape.
    pub(crate) fn take_shape(self, cookie: &mut Cookie) {
        if self == Self::Express
            || cookie.is_next_session()
            || cookie.original_max_age_ms().is_some()
        {
            return;
        }
        cookie.set_raw(CookieMember::OriginalMaxAge, JsValue::Undefined);
        // `maxAge` alone tells next-session's shape. Whoever sets the life gives it its value.
        let json = cookie.to_json();
        let members = json.trim_start_matches('{');
        let comma = if members == "}" { "" } else { "," };
        if let Some(shaped) = Cookie::from_json(&format!("{{\"maxAge\":0{comma}{members}")) {
            *cookie = shaped;
        }
    }
}

impl Default for CookieOptions {
    /// Express's: path `/` and `HttpOnly`.
    fn default() -> Self {
        Self {
            path: Some("/".to_owned()),
            domain: None,
            max_age: None,
            http_only: true,
            secure: None,
            same_site: None,
            partitioned: None,
            priority: None,
        }
    }
}

impl CookieOptions {
    /// Sets [`path`](Self::path).
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets [`domain`](Self::domain).
    #[must_use]
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sets [`max_age`](Self::max_age).
    #[must_use]
    pub fn with_max_age(mut self, max_age: impl Into<Option<Duration>>) -> Self {
        self.max_age = max_age.into();
        self
    }

    /// Sets [`http_only`](Self::http_only).
    #[must_use]
    pub fn with_http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Sets [`secure`](Self::secure).
    #[must_use]
    pub fn with_secure(mut self, secure: impl Into<Option<Secure>>) -> Self {
        self.secure = secure.into();
        self
    }

    /// Sets [`same_site`](Self::same_site).
    #[must_use]
    pub fn with_same_site(mut self, same_site: impl Into<Option<SameSitePolicy>>) -> Self {
        self.same_site = same_site.into();
        self
    }

    /// Sets [`partitioned`](Self::partitioned).
    #[must_use]
    pub fn with_partitioned(mut self, partitioned: impl Into<Option<bool>>) -> Self {
        self.partitioned = partitioned.into();
        self
    }

    /// Sets [`priority`](Self::priority).
    #[must_use]
    pub fn with_priority(mut self, priority: impl Into<Option<Priority>>) -> Self {
        self.priority = priority.into();
        self
    }
}

const MILLENNIUM: Duration = Duration::from_secs(365_243 * 86_400);
const YEAR_10000_MS: i64 = 253_402_300_800_000;

impl CookieOptions {
    /// Returns the cookie of a session that a request makes now.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](cloakroom_core::ErrorKind::InvalidData) for a `max_age` beyond JavaScript's dates.
    pub(crate) fn cookie(
        &self,
        shape: CookieShape,
        is_secure: bool,
        now_ms: i64,
    ) -> Result<Cookie, Error> {
        let mut cookie = match (shape, self.max_age) {
            (CookieShape::Express, _) => Cookie::new(),
            // `maxAge` alone tells next-session's shape; it gets its value below.
            (CookieShape::NextSession, Some(_)) => {
                Cookie::from_json("{\"maxAge\":0}").unwrap_or_default()
            }
            (CookieShape::NextSession, None) => Cookie::from_json("{}").unwrap_or_default(),
        };
        if shape == CookieShape::Express || self.max_age.is_some() {
            cookie.set_max_age(self.max_age, now_ms)?;
        }
        match &self.path {
            Some(path) => cookie.set_path(Some(path)),
            None => cookie.set_raw(CookieMember::Path, JsValue::Null),
        }
        cookie.set_http_only(self.http_only);
        if let Some(domain) = &self.domain {
            cookie.set_domain(Some(domain));
        }
        cookie.set_secure(self.secure.map(|secure| match secure {
            Secure::Always => true,
            Secure::Never => false,
            Secure::Auto => is_secure,
        }));
        cookie.set_same_site(self.same_site.map(|same_site| match same_site {
            SameSitePolicy::Strict => SameSite::Strict,
            SameSitePolicy::Auto if is_secure => SameSite::None,
            SameSitePolicy::Lax | SameSitePolicy::Auto => SameSite::Lax,
            SameSitePolicy::None => SameSite::None,
        }));
        cookie.set_partitioned(self.partitioned);
        cookie.set_priority(self.priority.map(|priority| match priority {
            Priority::Low => "low",
            Priority::Medium => "medium",
            Priority::High => "high",
        }));
        Ok(cookie)
    }

    /// Checks that [`cookie`](Self::cookie) makes a cookie at this time. It makes none itself, except for an extreme life
    /// or time, because a cookie costs several allocations and the text of a date.
    ///
    /// # Errors
    ///
    /// As [`cookie`](Self::cookie).
    pub(crate) fn check_life(&self, shape: CookieShape, now_ms: i64) -> Result<(), Error> {
        // JavaScript's dates end in the year 275760.
        let is_short =
            |max_age: Duration| max_age <= MILLENNIUM && (0..YEAR_10000_MS).contains(&now_ms);
        if self.max_age.is_none_or(is_short) {
            return Ok(());
        }
        self.cookie(shape, false, now_ms).map(drop)
    }

    /// Returns the domain or path that cannot be sent, quoted, and at most 40 characters of it.
    pub(crate) fn offender(&self) -> Option<String> {
        let is_refused = |set: &dyn Fn(&mut Cookie)| {
            let mut cookie = Cookie::new();
            set(&mut cookie);
            set_cookie("name", "", &cookie).is_err()
        };
        let (domain, path) = (self.domain.as_deref(), self.path.as_deref());
        let refused = domain
            .filter(|_| is_refused(&|cookie| cookie.set_domain(domain)))
            .or(path.filter(|_| is_refused(&|cookie| cookie.set_path(path))))?;
        Some(format!("{:?}", refused.chars().take(40).collect::<String>()))
    }
}

/// Returns a cookie with the attributes and the shape of a new one, but with the session's own life.
pub(crate) fn with_life_of(record: &SessionData, new: &Cookie, now_ms: i64) -> Cookie {
    // Node.js leaves the record's own `expires` stale.
    let extended = record.extended(now_ms);
    let (old, mut cookie) = (extended.cookie(), new.clone());
    // Each cookie of the other shape has an `originalMaxAge`.
    let is_next_session = *new.raw(CookieMember::OriginalMaxAge) == JsValue::Undefined;
    if old.is_next_session() || is_next_session {
        // The two shapes count a life in members of their own. One that JavaScript can hold was there already.
        let (max_age_ms, expires_ms) = (old.original_max_age_ms(), old.expires_ms());
        if is_next_session && max_age_ms.is_some() {
            CookieShape::NextSession.take_shape(&mut cookie);
        }
        let set_at_ms =
            expires_ms.unwrap_or_default().saturating_sub(max_age_ms.unwrap_or_default());
        let _ = cookie.set_max_age_ms(max_age_ms, set_at_ms);
    } else {
        for member in [CookieMember::OriginalMaxAge, CookieMember::Expires] {
            cookie.set_raw(member, old.raw(member).clone());
        }
    }
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right column is what express-session 1.19.0 stores.
    #[test]
    fn a_new_cookie_is_written_as_express_writes_it() {
        let plain = CookieOptions::default();
        let auto = CookieOptions {
            secure: Some(Secure::Auto),
            same_site: Some(SameSitePolicy::Auto),
            ..CookieOptions::default()
        };
        let rows = [
            (&plain, false, r#"{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"#),
            (
                &auto,
                false,
                r#"{"originalMaxAge":null,"expires":null,"secure":false,"httpOnly":true,"path":"/","sameSite":"lax"}"#,
            ),
            (
                &auto,
                true,
                r#"{"originalMaxAge":null,"expires":null,"secure":true,"httpOnly":true,"path":"/","sameSite":"none"}"#,
            ),
            (
                &CookieOptions { path: None, ..plain.clone() },
                true,
                r#"{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":null}"#,
            ),
        ];
        for (options, is_secure, json) in rows {
            let cookie =
                options.cookie(CookieShape::Express, is_secure, 1_700_000_000_000).unwrap();
            assert_eq!(cookie.to_json(), json);
        }
    }

    #[test]
    fn a_life_that_is_accepted_gives_a_cookie() {
        let last_ms = 8_640_000_000_000_000;
        let ages_ms = [0, 1, 365_243 * 86_400_000, last_ms - 1, last_ms, u64::MAX];
        let ages = ages_ms.map(Duration::from_millis).into_iter().chain([Duration::MAX]);
        for max_age in ages.map(Some).chain([None]) {
            let options = CookieOptions { max_age, ..CookieOptions::default() };
            for now_ms in [i64::MIN, -1, 0, 1, YEAR_10000_MS - 1, YEAR_10000_MS, i64::MAX] {
                for shape in [CookieShape::Express, CookieShape::NextSession] {
                    let is_made = options.cookie(shape, true, now_ms).is_ok();
                    let is_accepted = options.check_life(shape, now_ms).is_ok();
                    assert_eq!(is_accepted, is_made, "{max_age:?} {now_ms}");
                }
            }
        }
    }

    /// The members are those that next-session 4.0.5 stores; their order is Express's, which means nothing to it.
    #[test]
    fn a_new_cookie_for_next_session_counts_seconds() {
        let mut options = CookieOptions { secure: Some(Secure::Never), ..CookieOptions::default() };
        let json = |options: &CookieOptions| {
            options.cookie(CookieShape::NextSession, false, 1_700_000_000_000).unwrap().to_json()
        };
        assert_eq!(json(&options), r#"{"secure":false,"httpOnly":true,"path":"/"}"#);
        options.max_age = Some(Duration::from_secs(60));
        assert_eq!(
            json(&options),
            r#"{"expires":"2023-11-14T22:14:20.000Z","secure":false,"httpOnly":true,"path":"/","maxAge":60}"#
        );
    }
}
