//! The sessions of better-auth in the tables of a database.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Error, json, to_iso_string};

use super::{
    login::BetterAuthLogin,
    tables::{BetterAuthTables, Field, Kind, STORE},
};
use crate::{
    sealed::Content,
    sql::{Sessions, SqlPool, Values, read_time},
};

/// Reads, extends and ends the sessions that better-auth keeps in PostgreSQL, MySQL, MariaDB or SQLite.
///
/// Each call is one statement. Tokens are compared byte for byte, whatever the collation of the column is.
///
/// It uses a pool of the application, on the runtime of tokio to which the pool belongs.
///
/// ```
/// use cloakroom_authjs::{better_auth::{BetterAuth, BetterAuthDatabase, BetterAuthLogin}, sealed::Refusal};
/// use cloakroom_core::Error;
///
/// /// Answers what `auth.api.getSession` answers, or why it answers null.
/// async fn get_session(
///     auth: &BetterAuth,
///     database: &BetterAuthDatabase,
///     cookie_header: &[u8],
///     now_ms: i64,
/// ) -> Result<Result<BetterAuthLogin, Refusal>, Error> {
///     let token = match auth.token(cookie_header) {
///         Ok(token) => token,
///         Err(refusal) => return Ok(Err(refusal)),
///     };
///     let Some(login) = database.find_session(&token).await? else { return Ok(Err(Refusal::Missing)) };
///     if let Err(refusal) = login.check(&token, now_ms) {
///         return Ok(Err(refusal));
///     }
///     if let Some(expires_at_ms) = auth.renewal_ms(&login, now_ms)
///         && !auth.is_browser_session(cookie_header)
///     {
///         // Send auth.session_cookie(&token), too.
///         database.renew_session(&token, expires_at_ms, now_ms).await?;
///     }
///     Ok(Ok(login))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct BetterAuthDatabase {
    sessions: Sessions,
    tables: Arc<BetterAuthTables>,
}

impl BetterAuthDatabase {
    /// Creates it on a pool of the application.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) if no table or column can have one of the names.
    pub fn new(pool: impl Into<SqlPool>, tables: BetterAuthTables) -> Result<Self, Error> {
        let sessions = Sessions::new(pool.into(), STORE, |dialect| tables.statements(dialect))?;
        Ok(Self { sessions, tables: Arc::new(tables) })
    }

    /// Sets how long a call waits for the pool and the database. 5 seconds by default.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.sessions.set_deadline(deadline);
        self
    }

    /// Returns the session with this token and its user, expired or not. Returns `None` if one of them does not exist.
    ///
    /// Dates are texts such as `2026-01-08T00:00:00.123Z`, and `emailVerified` is a boolean, in every database.
    ///
    /// # Errors
    ///
    /// If the database fails, and [`Corrupt`](cloakroom_core::ErrorKind::Corrupt) if a date in a row cannot be read.
    pub async fn find_session(&self, token: &str) -> Result<Option<BetterAuthLogin>, Error> {
        let why = "a date in a row cannot be read";
        self.sessions.find("find_session", token, |text| self.login(text), why).await
    }

    /// Sets when the session expires and when it was updated, in milliseconds since 1970. Returns false if the session does
    /// not exist any more, and never brings it back.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn renew_session(
        &self,
        token: &str,
        expires_at_ms: i64,
        now_ms: i64,
    ) -> Result<bool, Error> {
        self.sessions.extend("renew_session", Values { token, expires_at_ms, now_ms }).await
    }

    /// Deletes the session. Returns false if it did not exist.
    ///
    /// Send the cookies of [`BetterAuth::sign_out`](super::BetterAuth::sign_out), too.
    ///
    /// # Errors
    ///
    /// If the database fails. Send no cookies then: the session may still be alive.
    pub async fn end_session(&self, token: &str) -> Result<bool, Error> {
        self.sessions.delete("end_session", token).await
    }

    /// Reads the array of a row.
    fn login(&self, text: &str) -> Option<BetterAuthLogin> {
        let mut items = json::items(text)?.into_iter();
        let session = object(self.tables.session_fields(), &mut items)?;
        let user = object(self.tables.user_fields(), &mut items)?;
        BetterAuthLogin::from_rows(session, user).ok()
    }
}

/// Returns the object of these fields.
fn object<'a>(fields: &[Field], values: &mut impl Iterator<Item = &'a str>) -> Option<Content> {
    let mut text = String::from("{");
    for (number, field) in fields.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        json::quote(&field.name, &mut text);
        text.push(':');
        let value = values.next()?;
        match field.kind {
            Kind::Date if value != "null" => {
                json::quote(&to_iso_string(read_time(value)?)?, &mut text);
            }
            Kind::Flag if value == "0" => text.push_str("false"),
            Kind::Flag if value == "1" => text.push_str("true"),
            Kind::Date | Kind::Flag | Kind::Plain => text.push_str(value),
        }
    }
    text.push('}');
    Content::from_json(text).ok()
}
