//! A session and its user, as better-auth keeps them in every place.

use cloakroom_core::{json, parse_date};

use crate::sealed::{Content, Refusal};

/// A session of better-auth and its user: the rows of both tables, with the names of their columns.
///
/// ```
/// use cloakroom_authjs::{better_auth::BetterAuthLogin, sealed::{Content, Refusal}};
///
/// let session = Content::from_json(
///     r#"{"id":"s1","token":"abc","userId":"u1","expiresAt":"2026-01-08T00:00:00.123Z","createdAt":"2026-01-01T00:00:00.123Z"}"#,
/// )?;
/// let login = BetterAuthLogin::from_rows(session, Content::from_json(r#"{"id":"u1"}"#)?).expect("both are rows");
/// assert_eq!(login.user_id().as_deref(), Some("u1"));
/// assert_eq!(login.expires_ms(), Some(1_767_830_400_123));
/// assert_eq!(login.check("abc", 1_767_225_600_123), Ok(()));
/// assert_eq!(login.check("abd", 1_767_225_600_123), Err(Refusal::NotVerified));
/// assert_eq!(login.check_revoked(Some("1767225600124")), Err(Refusal::Revoked));
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BetterAuthLogin {
    /// The row of the session.
    pub session: Content,
    /// The row of the user.
    pub user: Content,
}

impl BetterAuthLogin {
    /// Reads a value of secondary storage, or an answer of `get-session`: `{"session":{…},"user":{…}}`.
    ///
    /// # Errors
    ///
    /// [`Missing`](Refusal::Missing) for `null`, [`InvalidContent`](Refusal::InvalidContent) if it is anything else.
    pub fn from_json(text: &str) -> Result<Self, Refusal> {
        if text == "null" {
            return Err(Refusal::Missing);
        }
        let both = Content::from_json(text).map_err(|_| Refusal::InvalidContent)?;
        Self::of(&both)
    }

    /// Takes the rows of both tables as JSON objects. A date is a text as JavaScript prints it, such as
    /// `2026-01-08T00:00:00.123Z` in SQLite, or a number of milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`InvalidContent`](Refusal::InvalidContent) if one is not a JSON object.
    pub fn from_rows(session: Content, user: Content) -> Result<Self, Refusal> {
        if !session.is_object() || !user.is_object() {
            return Err(Refusal::InvalidContent);
        }
        Ok(Self { session, user })
    }

    /// Reads the members `session` and `user`.
    pub(super) fn of(both: &Content) -> Result<Self, Refusal> {
        let member = |name| {
            let text = both.get_json(name).ok_or(Refusal::InvalidContent)?;
            Content::from_json(text).map_err(|_| Refusal::InvalidContent)
        };
        Self::from_rows(member("session")?, member("user")?)
    }

    /// Checks that this is the session of a token and has not expired. It is valid at its very expiry, as in better-auth.
    ///
    /// # Errors
    ///
    /// [`NotVerified`](Refusal::NotVerified) for another token, [`Expired`](Refusal::Expired), and
    /// [`InvalidContent`](Refusal::InvalidContent) if there is no expiry that can be read.
    pub fn check(&self, token: &str, now_ms: i64) -> Result<(), Refusal> {
        if self.text("token").as_deref() != Some(token) {
            return Err(Refusal::NotVerified);
        }
        self.check_expiry(now_ms)
    }

    pub(super) fn check_expiry(&self, now_ms: i64) -> Result<(), Refusal> {
        let expires_ms = self.expires_ms().ok_or(Refusal::InvalidContent)?;
        if expires_ms < now_ms { Err(Refusal::Expired) } else { Ok(()) }
    }

    /// Checks that the session began when all earlier ones were ended, or later. The argument is the value of
    /// [`revoked_key`](super::BetterAuth::revoked_key), `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// [`Revoked`](Refusal::Revoked) if it began before, or if one of the times cannot be read.
    pub fn check_revoked(&self, revoked_before: Option<&str>) -> Result<(), Refusal> {
        let Some(revoked_before) = revoked_before else { return Ok(()) };
        match (self.created_ms(), revoked_before.trim().parse::<i64>()) {
            (Some(created_ms), Ok(revoked_ms)) if created_ms >= revoked_ms => Ok(()),
            _ => Err(Refusal::Revoked),
        }
    }

    /// Returns the user's id, as text also if it is a number.
    #[must_use]
    pub fn user_id(&self) -> Option<String> {
        self.text("userId")
    }

    /// Returns the end of the session, in milliseconds since 1970, or `None` if it cannot be read.
    #[must_use]
    pub fn expires_ms(&self) -> Option<i64> {
        self.time("expiresAt")
    }

    /// Returns the beginning of the session, in milliseconds since 1970, or `None` if it cannot be read.
    #[must_use]
    pub fn created_ms(&self) -> Option<i64> {
        self.time("createdAt")
    }

    fn text(&self, name: &str) -> Option<String> {
        let json = self.session.get_json(name)?;
        let is_number = || json.bytes().all(|byte| byte.is_ascii_digit()).then(|| json.to_owned());
        json::unquote(json).map(|text| text.into_owned()).or_else(is_number)
    }

    fn time(&self, name: &str) -> Option<i64> {
        let json = self.session.get_json(name)?;
        match json::unquote(json) {
            Some(date) => parse_date(&date),
            None => json.parse().ok(),
        }
    }
}
