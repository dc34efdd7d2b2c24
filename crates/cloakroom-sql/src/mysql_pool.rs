//! A store on the application's pool of MySQL.

use cloakroom_core::Error;

use crate::{connection::Source, options::SqlOptions, store::SqlStore};

impl SqlStore {
    /// Creates a store on the application's pool, as [`with_postgres_pool`](Self::with_postgres_pool) does. The first call
    /// checks that its connections are in strict mode, commit every write, and have the character set utf8mb4.
    ///
    /// # Errors
    ///
    /// [`Config`](cloakroom_core::ErrorKind::Config) for an invalid option.
    pub fn with_mysql_pool(pool: sqlx::MySqlPool, options: SqlOptions) -> Result<Self, Error> {
        Self::of(Source::MySqlPool(pool), "the server".to_owned(), false, options)
    }
}
