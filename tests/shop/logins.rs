//! The logins of passport-remember-me.

use std::time::Duration;

use axum::http::{HeaderMap, header::COOKIE};
use cloakroom::{
    Error, ExpressSession, SessionData,
    cookie::{Cookie, clear_cookie, find_cookie, set_cookie},
    express::passport,
    generate_id,
    tower::Session,
};

const REMEMBER_ME: &str = "remember_me";
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// The token that the browser sends to be remembered by.
pub(crate) fn token(headers: &HeaderMap) -> Option<String> {
    let mut headers = headers.get_all(COOKIE).iter();
    headers.find_map(|header| Some(find_cookie(header.as_bytes(), REMEMBER_ME)?.into_owned()))
}

/// A `Set-Cookie` line by which a browser is no longer remembered.
pub(crate) fn forget() -> Result<String, Error> {
    clear_cookie(REMEMBER_ME, &Cookie::new())
}

#[derive(Clone)]
pub(crate) struct Logins {
    sessions: ExpressSession,
    /// Whether a session keeps its members when somebody logs in or out: Passport 0.5, or `keepSessionInfo`.
    keeps: bool,
}

impl Logins {
    pub(crate) fn new(sessions: ExpressSession, keeps: bool) -> Self {
        Self { sessions, keeps }
    }

    /// What `req.logIn` does.
    pub(crate) async fn log_in(&self, session: &Session, user: &str) -> Result<(), Error> {
        if self.keeps {
            passport::login_keeping_data(session, user).await
        } else {
            passport::login(session, user).await
        }
    }

    /// What `req.logout` does.
    pub(crate) async fn log_out(&self, session: &Session) -> Result<(), Error> {
        if self.keeps {
            passport::logout_keeping_data(session).await
        } else {
            passport::logout(session).await
        }
    }

    /// A `Set-Cookie` line with a token that is good for one login.
    pub(crate) async fn issue(&self, user: &str) -> Result<String, Error> {
        let now_ms = self.sessions.options().clock.now_ms();
        let token = generate_id()?;
        let mut cookie = Cookie::new();
        cookie.set_max_age(Some(WEEK), now_ms)?;
        let mut record = SessionData::with_cookie(cookie.clone());
        record.insert("user", user)?;
        self.sessions.set(&format!("remember-{token}"), &record).await?;
        set_cookie(REMEMBER_ME, &token, &cookie)
    }

    /// The user of a token that nobody has used.
    pub(crate) async fn consume(&self, token: &str) -> Result<Option<String>, Error> {
        let id = format!("remember-{token}");
        let record = self.sessions.get(&id).await?;
        self.sessions.destroy(&id).await?;
        record.map_or(Ok(None), |record| record.get("user"))
    }
}
