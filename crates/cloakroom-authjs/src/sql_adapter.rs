//! The SQL adapters of Auth.js: `@auth/pg-adapter`, `@auth/drizzle-adapter` and `@auth/prisma-adapter`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_core::{Error, json};

use crate::{
    AuthAdapter, AuthTables, Claims, SessionAndUser,
    auth_tables::STORE,
    sql::{Sessions, SqlPool, Values, read_time},
};

/// Reads the sessions that a SQL adapter of Auth.js keeps in PostgreSQL, MySQL, MariaDB or SQLite.
///
/// Each call is one statement. Tokens are compared byte for byte, whatever the collation of the column is.
///
/// It uses a pool of the application, on the runtime of tokio to which the pool belongs.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use cloakroom_authjs::{AuthJs, AuthJsOptions, AuthTables, SqlAdapter};
/// use sqlx::sqlite::SqlitePoolOptions;
///
/// // Or sqlx::PgPool, or sqlx::MySqlPool.
/// let pool = SqlitePoolOptions::new().connect_lazy("sqlite:site.db")?;
/// let adapter = SqlAdapter::new(pool, AuthTables::drizzle())?;
/// let auth = AuthJs::database(AuthJsOptions::auth_js_5(), adapter)?;
/// # let _ = auth;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SqlAdapter {
    sessions: Sessions,
    tables: Arc<AuthTables>,
}

impl SqlAdapter {
    /// Creates an adapter on a pool of the application.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) if no table or column can have one of the names, or if the database of the pool has
    /// no such expiry.
    pub fn new(pool: impl Into<SqlPool>, tables: AuthTables) -> Result<Self, Error> {
        let sessions = Sessions::new(pool.into(), STORE, |dialect| tables.statements(dialect))?;
        Ok(Self { sessions, tables: Arc::new(tables) })
    }

    /// Sets how long a call waits for the pool and the database. 5 seconds by default.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.sessions.set_deadline(deadline);
        self
    }

    /// Reads the array of a row.
    fn row(&self, text: &str) -> Option<SessionAndUser> {
        let mut items = json::items(text)?.into_iter();
        let (expires, id) = (read_time(items.next()?)?, items.next()?);
        let id = json::unquote(id).map_or_else(|| id.to_owned(), |id| id.into_owned());
        let mut user = Claims::new();
        for (member, value) in self.tables.members().zip(items) {
            user.set(member, value.to_owned());
        }
        Some(SessionAndUser::new(expires, id, user))
    }
}

#[async_trait]
impl AuthAdapter for SqlAdapter {
    async fn get_session_and_user(&self, token: &str) -> Result<Option<SessionAndUser>, Error> {
        let why = "the expiry of a session is not a time";
        self.sessions.find("get_session_and_user", token, |text| self.row(text), why).await
    }

    async fn update_session(&self, token: &str, expires_at_ms: i64) -> Result<bool, Error> {
        let values = Values { expires_at_ms, ..Values::of(token) };
        self.sessions.extend("update_session", values).await
    }

    async fn delete_session(&self, token: &str) -> Result<(), Error> {
        self.sessions.delete("delete_session", token).await.map(drop)
    }
}
