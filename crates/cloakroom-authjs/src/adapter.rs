//! What the database strategy needs of a database.

use std::fmt;

use async_trait::async_trait;
use cloakroom_core::Error;

use crate::Claims;

/// The session tables or keys of an Auth.js adapter, with the three calls that a read of the session makes.
///
/// This crate implements it for the data of the adapters for PostgreSQL, Drizzle, Prisma, MongoDB and Upstash Redis. For
/// another database, implement it yourself.
///
/// The id of a session is the bare token from the cookie, so it never belongs into a log or an error.
#[async_trait]
pub trait AuthAdapter: fmt::Debug + Send + Sync {
    /// Returns the session with this token and its user, expired or not. Returns `None` if one of them does not exist.
    ///
    /// # Errors
    ///
    /// If the database fails, or if what it holds is not of the adapter.
    async fn get_session_and_user(&self, token: &str) -> Result<Option<SessionAndUser>, Error>;

    /// Sets when the session expires, in milliseconds since 1970. Returns false if the session does not exist any more,
    /// and never brings it back.
    ///
    /// # Errors
    ///
    /// If the database fails.
    async fn update_session(&self, token: &str, expires_at_ms: i64) -> Result<bool, Error>;

    /// Deletes the session. Does nothing if it does not exist.
    ///
    /// # Errors
    ///
    /// If the database fails.
    async fn delete_session(&self, token: &str) -> Result<(), Error>;
}

/// A session in a database, and its user. `Debug` prints nothing of the user.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionAndUser {
    /// When the session expires, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// The id of the user as text: a number in `@auth/pg-adapter`, an `ObjectId` in hex in `@auth/mongodb-adapter`.
    pub user_id: String,
    /// The members of the user, of which the session shows `name`, `email` and `image`.
    /// [`AuthSession::user_members`](crate::AuthSession::user_members) returns all of them.
    pub user: Claims,
}

impl SessionAndUser {
    /// Creates what an adapter returns.
    #[must_use]
    pub fn new(expires_at_ms: i64, user_id: impl Into<String>, user: Claims) -> Self {
        Self { expires_at_ms, user_id: user_id.into(), user }
    }
}

impl fmt::Debug for SessionAndUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionAndUser")
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}
