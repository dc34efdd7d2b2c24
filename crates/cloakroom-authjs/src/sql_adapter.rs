//! The SQL adapters of Auth.js: `@auth/pg-adapter`, `@auth/drizzle-adapter` and `@auth/prisma-adapter`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_backend::Idempotency;
use cloakroom_core::{Error, ErrorKind, json};

use crate::{
    AuthAdapter, AuthTables, Claims, SessionAndUser,
    auth_tables::{STORE, Statements},
    sql::{Database, SqlPool, Values, read_time},
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
    database: Database,
    tables: Arc<AuthTables>,
    statements: Arc<Statements>,
}

impl SqlAdapter {
    /// Creates an adapter on a pool of the application.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if no table or column can have one of the names, or if the database of the pool has
    /// no such expiry.
    pub fn new(pool: impl Into<SqlPool>, tables: AuthTables) -> Result<Self, Error> {
        let database = Database::new(pool.into(), STORE);
        let statements = Arc::new(tables.statements(database.dialect())?);
        Ok(Self { database, tables: Arc::new(tables), statements })
    }

    /// Sets how long a call waits for the pool and the database. 5 seconds by default.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.database.set_deadline(deadline);
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
        let operation = self.database.start("get_session_and_user", Idempotency::Read);
        let answer =
            self.database.run(&operation, &self.statements.find, Values::of(token)).await?;
        let Some(text) = answer.text else { return Ok(None) };
        let row = self.row(&text).ok_or_else(|| {
            let message = "the expiry of a session is not a time";
            operation.error(ErrorKind::Corrupt, message)
        })?;
        Ok(Some(row))
    }

    async fn update_session(&self, token: &str, expires_at_ms: i64) -> Result<bool, Error> {
        let operation = self.database.start("update_session", Idempotency::Repeatable);
        let values = Values { expires_at_ms, ..Values::of(token) };
        let answer = self.database.run(&operation, &self.statements.update, values).await?;
        Ok(answer.matched > 0)
    }

    async fn delete_session(&self, token: &str) -> Result<(), Error> {
        let operation = self.database.start("delete_session", Idempotency::Repeatable);
        self.database.run(&operation, &self.statements.delete, Values::of(token)).await.map(drop)
    }
}
