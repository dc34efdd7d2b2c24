//! A site that logs in with NextAuth 4 or Auth.js 5.

use std::{fmt, sync::Arc};

use cloakroom_core::{Error, ErrorKind, decode_uri_component};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::{
    AuthAdapter, AuthJsOptions, AuthSession, Claims, ServerSession, SessionAndUser, SessionRefusal,
    TokenCodec, TokenRefusal,
    session_cookie::{Sent, SessionCookie},
};

/// The longest session token of a database that is looked up. `generateSessionToken` makes a UUID, and the documented
/// schema has 255 characters.
const MAX_SESSION_TOKEN: usize = 1_024;

/// A site that logs in with NextAuth 4 or Auth.js 5: reads its sessions, extends them and ends them.
///
/// Clones are cheap and share the keys.
///
/// ```
/// use cloakroom_authjs::{AuthJs, AuthJsOptions, Claims};
/// use http::{HeaderMap, header::COOKIE};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// // AUTH_SECRET of the site
/// let auth = AuthJs::jwt(AuthJsOptions::auth_js_5(), ["made-up-secret"])?;
///
/// let claims = Claims::from_json(r#"{"name":"Ada","email":"ada@example.com","sub":"42"}"#)?;
/// let cookies = auth.sign_in(&HeaderMap::new(), &claims)?;
/// let mut headers = HeaderMap::new();
/// let pair = cookies[0].to_str().unwrap().split(';').next().unwrap();
/// headers.insert(COOKIE, pair.parse().unwrap());
///
/// let answer = auth.get_server_session(&headers).await?;
/// let session = answer.session().expect("Ada is logged in");
/// assert_eq!(session.name().as_deref(), Some("Ada"));
/// assert_eq!(session.user_id(), Some("42"));
/// # Ok::<(), cloakroom_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct AuthJs {
    site: Arc<Site>,
}

#[derive(Debug)]
struct Site {
    options: AuthJsOptions,
    cookie: SessionCookie,
    strategy: Strategy,
}

enum Strategy {
    Jwt(TokenCodec),
    Database(Arc<dyn AuthAdapter>),
}

impl AuthJs {
    /// Creates a site with `session: { strategy: "jwt" }`, the default without an adapter. The secrets are those of
    /// `NEXTAUTH_SECRET` or `AUTH_SECRET`: the first one writes, and all of them read.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an invalid option, an empty list of secrets and an empty secret.
    pub fn jwt<S: AsRef<[u8]>>(
        options: AuthJsOptions,
        secrets: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        let codec = TokenCodec::new(options.version(), secrets, &options.token_salt())?;
        let codec = codec.with_clock_tolerance(options.clock_tolerance);
        Self::new(options, Strategy::Jwt(codec))
    }

    /// Creates a site with `session: { strategy: "database" }`, the default with an adapter.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) for an invalid option.
    pub fn database(
        options: AuthJsOptions,
        adapter: impl AuthAdapter + 'static,
    ) -> Result<Self, Error> {
        Self::new(options, Strategy::Database(Arc::new(adapter)))
    }

    fn new(options: AuthJsOptions, strategy: Strategy) -> Result<Self, Error> {
        options.check()?;
        let cookie = SessionCookie::new(&options);
        Ok(Self { site: Arc::new(Site { options, cookie, strategy }) })
    }

    /// Answers what `getServerSession` (next-auth 4) and the session endpoint (Auth.js 5) answer with the default callbacks,
    /// and the cookies that they set.
    ///
    /// So does `auth()` of Auth.js 5 with the JWT strategy. With the database strategy, next-auth 5.0.0-beta.32 adds the
    /// row of the session and all members of the user, which [`AuthSession::user_members`] returns here.
    ///
    /// A bad cookie is not an error: the answer has no session, says why, and deletes the cookie. An empty one is ignored.
    ///
    /// - With the JWT strategy, each read makes a new token, which expires `max_age` from now. Nothing waits.
    /// - With the database strategy, the row is extended when at most `max_age` minus `update_age` is left of it, and
    ///   deleted when it has expired. If the user signed out before the row could be extended, there is no session;
    ///   the packages would still answer it.
    ///
    /// # Errors
    ///
    /// With the database strategy, those of the adapter. With the JWT strategy
    /// [`Other`](ErrorKind::Other) if the system's random source fails, and [`TooLarge`](ErrorKind::TooLarge) if the new
    /// token would be longer than [`TokenCodec::MAX_LENGTH`], as that of a compressed one can be.
    pub async fn get_server_session(&self, headers: &HeaderMap) -> Result<ServerSession, Error> {
        let sent = self.site.cookie.sent(headers);
        if sent.is_empty() {
            return Ok(ServerSession::default());
        }
        match &self.site.strategy {
            Strategy::Jwt(codec) => self.of_tokens(codec, &sent),
            Strategy::Database(adapter) => self.of_rows(&**adapter, &sent).await,
        }
    }

    fn of_tokens(&self, codec: &TokenCodec, sent: &Sent) -> Result<ServerSession, Error> {
        let Site { options, cookie, .. } = &*self.site;
        let now_ms = options.clock.now_ms();
        match first_token(codec, sent, now_ms) {
            Ok(claims) => {
                let token = codec.encode(&claims, options.renewed_token(), now_ms)?;
                let expires_at_ms = self.renewed_until(now_ms);
                let cookies = cookie.write(sent, &token, expires_at_ms);
                Ok(ServerSession::found(AuthSession::of_token(claims, expires_at_ms), cookies))
            }
            Err(refusal) => Ok(ServerSession::refused(refusal, cookie.clear(sent))),
        }
    }

    async fn of_rows(
        &self,
        adapter: &dyn AuthAdapter,
        sent: &Sent,
    ) -> Result<ServerSession, Error> {
        let cookie = &self.site.cookie;
        let mut refusal = SessionRefusal::UnknownSession;
        for token in session_tokens(sent) {
            let Some(row) = adapter.get_session_and_user(&token).await? else { continue };
            let now_ms = self.site.options.clock.now_ms();
            if row.expires_at_ms < now_ms {
                adapter.delete_session(&token).await?;
                refusal = SessionRefusal::ExpiredSession;
            } else if self.extend(adapter, &token, &row, now_ms).await? {
                let cookies = cookie.write(sent, &token, self.renewed_until(now_ms));
                let SessionAndUser { expires_at_ms, user_id, user } = row;
                let session = AuthSession::of_row(user, user_id, expires_at_ms);
                return Ok(ServerSession::found(session, cookies));
            }
        }
        Ok(ServerSession::refused(refusal, cookie.clear(sent)))
    }

    /// Extends a row if it is due. Returns false if it is gone.
    async fn extend(
        &self,
        adapter: &dyn AuthAdapter,
        token: &str,
        row: &SessionAndUser,
        now_ms: i64,
    ) -> Result<bool, Error> {
        let Site { options, .. } = &*self.site;
        let (max_age, update_age) = (millis(options.max_age), millis(options.update_age));
        let due = row.expires_at_ms.saturating_sub(max_age).saturating_add(update_age) <= now_ms;
        if due { adapter.update_session(token, self.renewed_until(now_ms)).await } else { Ok(true) }
    }

    fn renewed_until(&self, now_ms: i64) -> i64 {
        now_ms.saturating_add(millis(self.site.options.max_age))
    }

    /// Answers what `getToken` answers: the claims of the token in the session cookie or, without such a cookie, in the
    /// header `Authorization: Bearer`. Returns `None` if there is neither. It renews nothing.
    ///
    /// # Errors
    ///
    /// The [`TokenRefusal`] says why the token is refused. With the database strategy there are no tokens to decrypt,
    /// and whatever is sent is [`Malformed`](TokenRefusal::Malformed).
    pub fn get_token(&self, headers: &HeaderMap) -> Result<Option<Claims>, TokenRefusal> {
        let Site { options, cookie, strategy } = &*self.site;
        let now_ms = options.clock.now_ms();
        let sent = cookie.sent(headers);
        let bearer = || headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
        let bearer = Some(()).filter(|()| sent.is_empty()).and_then(|()| bearer());
        if sent.is_empty() && bearer.is_none() {
            return Ok(None);
        }
        let Strategy::Jwt(codec) = strategy else { return Err(TokenRefusal::Malformed) };
        match bearer {
            None => first_token(codec, &sent, now_ms).map(Some),
            Some(token) => {
                let token = decode_uri_component(token).ok_or(TokenRefusal::Malformed)?;
                codec.decode(&token, now_ms).map(Some)
            }
        }
    }

    /// Returns the `Set-Cookie` headers of a login: the token with these claims, and the removal of the session cookies
    /// in `headers`, those of the request, that it does not replace.
    ///
    /// The packages put `name`, `email`, `picture` and `sub` into the token of a login.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) with the database strategy, as for
    /// [`TokenCodec::encode`] otherwise.
    pub fn sign_in(&self, headers: &HeaderMap, claims: &Claims) -> Result<Vec<HeaderValue>, Error> {
        let Site { options, cookie, strategy } = &*self.site;
        let Strategy::Jwt(codec) = strategy else {
            let message = "a session in a database is created by the site; read it here, extend it and end it";
            return Err(Error::new(ErrorKind::Unsupported, "authjs", "sign_in", message));
        };
        let now_ms = options.clock.now_ms();
        let token = codec.encode(claims, options.first_token(), now_ms)?;
        Ok(cookie.write(&cookie.sent(headers), &token, self.renewed_until(now_ms)))
    }

    /// Ends the session of a request, and returns the `Set-Cookie` headers that delete its cookies.
    ///
    /// With the JWT strategy only the cookies are deleted. A copy of the token works until it expires, as with the
    /// packages.
    ///
    /// # Errors
    ///
    /// With the database strategy, those of the adapter. Send no cookies then: the session may still be alive.
    pub async fn sign_out(&self, headers: &HeaderMap) -> Result<Vec<HeaderValue>, Error> {
        let Site { cookie, strategy, .. } = &*self.site;
        let sent = cookie.sent(headers);
        if let Strategy::Database(adapter) = strategy {
            for token in session_tokens(&sent) {
                adapter.delete_session(&token).await?;
            }
        }
        Ok(cookie.clear(&sent))
    }

    /// Returns true if a `Set-Cookie` header is about the session cookie.
    pub(crate) fn is_session_cookie(&self, header: &HeaderValue) -> bool {
        self.site.cookie.is_set_by(header)
    }
}

/// Returns the claims of the first token that is valid, or why the first one was refused.
fn first_token(codec: &TokenCodec, sent: &Sent, now_ms: i64) -> Result<Claims, TokenRefusal> {
    let mut refused = None;
    for value in sent.values() {
        match codec.decode(&value, now_ms) {
            Ok(claims) => return Ok(claims),
            Err(refusal) => _ = refused.get_or_insert(refusal),
        }
    }
    Err(refused.unwrap_or(TokenRefusal::Malformed))
}

/// Returns the session tokens to look up. A text that no site makes as a token never gets to the database.
fn session_tokens(sent: &Sent) -> impl Iterator<Item = String> {
    let is_token = |token: &String| !token.is_empty() && token.len() <= MAX_SESSION_TOKEN;
    sent.values().into_iter().filter(is_token)
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jwt(codec) => codec.fmt(f),
            Self::Database(adapter) => adapter.fmt(f),
        }
    }
}
