//! What a read of the session answers.

use std::{borrow::Cow, fmt, sync::Arc};

use cloakroom_core::{json, to_iso_string};
use http::HeaderValue;

use crate::{Claims, SessionRefusal};

/// A session as the packages' default callbacks make it: the user's name, email and image, and when it expires.
///
/// `Debug` prints nothing of the user.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthSession {
    /// `name`, `email` and `image`, as far as they are there.
    user: Claims,
    expires_at_ms: i64,
    user_id: Option<String>,
    claims: Option<Claims>,
    user_members: Option<Claims>,
}

impl AuthSession {
    /// Creates the session of a token. The image is the claim `picture`.
    pub(crate) fn of_token(claims: Claims, expires_at_ms: i64) -> Self {
        let user = user(&claims, "picture");
        let user_id = claims.sub().map(Cow::into_owned);
        Self { user, expires_at_ms, user_id, claims: Some(claims), user_members: None }
    }

    /// Creates the session of a row in a database.
    pub(crate) fn of_row(members: Claims, user_id: String, expires_at_ms: i64) -> Self {
        let user = user(&members, "image");
        let (user_id, user_members) = (Some(user_id), Some(members));
        Self { user, expires_at_ms, user_id, claims: None, user_members }
    }

    /// Returns the text that the packages' session endpoint answers: `{"user":{…},"expires":"…"}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = format!("{{\"user\":{},\"expires\":", self.user.to_json());
        json::quote(&self.expires(), &mut text);
        text.push('}');
        text
    }

    /// Returns the user's name, or `None` if it is missing or not a string.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'_, str>> {
        self.user.name()
    }

    /// Returns the user's email address, or `None` if it is missing or not a string.
    #[must_use]
    pub fn email(&self) -> Option<Cow<'_, str>> {
        self.user.email()
    }

    /// Returns the address of the user's picture, or `None` if it is missing or not a string.
    #[must_use]
    pub fn image(&self) -> Option<Cow<'_, str>> {
        self.user.text("image")
    }

    /// Returns the id of the user: the claim `sub`, or the id in the database. The packages' default callbacks leave it
    /// out of the session.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }

    /// Returns all claims of the token, with those that the site's `jwt` callback has added. Returns `None` with the
    /// database strategy.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// Returns all members of the user that the adapter has read, also those that the packages' default callbacks leave out,
    /// such as a column of `AuthTables::with_user_column`. Returns `None` with the JWT strategy.
    ///
    /// ```
    /// use cloakroom_authjs::AuthSession;
    ///
    /// fn is_admin(session: &AuthSession) -> bool {
    ///     session.user_members().and_then(|user| user.text("role")).as_deref() == Some("admin")
    /// }
    /// ```
    #[must_use]
    pub fn user_members(&self) -> Option<&Claims> {
        self.user_members.as_ref()
    }

    /// Returns when the session expires, in milliseconds since 1970.
    ///
    /// It is what the packages answer: with the JWT strategy the expiry of the renewed token, and with the database
    /// strategy that of the row before it was extended.
    #[must_use]
    pub const fn expires_at_ms(&self) -> i64 {
        self.expires_at_ms
    }

    /// Returns when the session expires, as JavaScript's `toISOString` prints it. Returns an empty text for a time in a
    /// row that JavaScript cannot represent.
    #[must_use]
    pub fn expires(&self) -> String {
        to_iso_string(self.expires_at_ms).unwrap_or_default()
    }
}

/// Returns what the default callbacks show of a user. A member that is missing stays missing, as `undefined` does.
fn user(members: &Claims, image: &str) -> Claims {
    let mut user = Claims::new();
    for (name, from) in [("name", "name"), ("email", "email"), ("image", image)] {
        if let Some(json) = members.get_json(from) {
            user.set(name, json.to_owned());
        }
    }
    user
}

impl fmt::Debug for AuthSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthSession")
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}

/// The answer to a read of the session: the session or the reason why it was refused, and the cookies to send.
///
/// [`AuthLayer`](crate::AuthLayer) puts it into the extensions of each request. Clones share their content.
#[derive(Clone, Default)]
pub struct ServerSession {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    session: Option<AuthSession>,
    refusal: Option<SessionRefusal>,
    set_cookies: Vec<HeaderValue>,
}

impl ServerSession {
    pub(crate) fn found(session: AuthSession, set_cookies: Vec<HeaderValue>) -> Self {
        let inner = Inner { session: Some(session), refusal: None, set_cookies };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn refused(
        refusal: impl Into<SessionRefusal>,
        set_cookies: Vec<HeaderValue>,
    ) -> Self {
        let inner = Inner { session: None, refusal: Some(refusal.into()), set_cookies };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the session, or `None` where `getServerSession` and `auth()` answer null.
    #[must_use]
    pub fn session(&self) -> Option<&AuthSession> {
        self.inner.session.as_ref()
    }

    /// Returns the reason why a session cookie was refused. Returns `None` if there is a session, and if the browser
    /// sent no session cookie, or an empty one.
    #[must_use]
    pub fn refusal(&self) -> Option<SessionRefusal> {
        self.inner.refusal
    }

    /// Returns the `Set-Cookie` headers that the packages send in answer to the same read. They renew the session, or
    /// delete a cookie that was refused.
    #[must_use]
    pub fn set_cookies(&self) -> &[HeaderValue] {
        &self.inner.set_cookies
    }
}

impl fmt::Debug for ServerSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSession")
            .field("session", &self.inner.session)
            .field("refusal", &self.inner.refusal)
            .field("set_cookies", &self.inner.set_cookies.len())
            .finish()
    }
}
