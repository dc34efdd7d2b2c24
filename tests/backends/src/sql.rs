//! Sessions in a table, by SQL statements of its own.

mod layout;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, RawAccess};
use cloakroom_core::Clock;
use sqlx::{
    AnyPool, Row as _,
    any::{AnyPoolOptions, AnyRow},
};
use tokio::sync::OnceCell;

use self::layout::Layout;

const TWO_HOURS_MS: i64 = 7_200_000;

/// The rows of an npm store in its table, on PostgreSQL, MariaDB or SQLite.
///
/// The table must exist, or be [made](Self::in_new_table). The access belongs to the runtime that uses it first.
#[derive(Clone, Debug)]
pub struct RawSql {
    url: String,
    layout: Layout,
    /// What makes the table.
    creates: Vec<String>,
    clock: Clock,
    pool: Arc<OnceCell<AnyPool>>,
}

impl RawSql {
    /// The rows of this npm package in a table, or in its own one if that is empty, at a URL such as
    /// `postgres://postgres@127.0.0.1:5432/postgres` or `sqlite:/tmp/sessions.db`, for a store that goes by this clock.
    ///
    /// # Errors
    ///
    /// If it is not known how the package keeps its rows in this database.
    pub fn new(
        package: &str,
        url: impl Into<String>,
        table: &str,
        clock: Clock,
    ) -> Result<Self, AccessError> {
        let url = url.into();
        let layout = Layout::of(package, &url, table)
            .ok_or_else(|| format!("{package} is not known to keep rows at {url}"))?;
        Ok(Self { url, layout, creates: Vec::new(), clock, pool: Arc::default() })
    }

    /// The same access to a table that these statements make, unless the store has made it.
    #[must_use]
    pub fn in_new_table(self, creates: Vec<String>) -> Self {
        Self { creates, ..self }
    }

    /// The same access to a table whose column for the text is of the type `text`, where the package makes it `json`.
    #[must_use]
    pub fn in_text_column(mut self) -> Self {
        self.layout.insert = self.layout.insert.replace("::json", "");
        self
    }

    async fn pool(&self) -> Result<&AnyPool, AccessError> {
        let connected = self.pool.get_or_try_init(|| async {
            sqlx::any::install_default_drivers();
            // A pool that a test forgets must not keep a server busy.
            let pool = AnyPoolOptions::new().max_connections(1).connect(&self.url).await?;
            if self.url.starts_with("sqlite:") {
                // Several cases write at once, on a machine of any speed.
                sqlx::raw_sql("PRAGMA busy_timeout = 60000").execute(&pool).await?;
            }
            for statement in &self.creates {
                // The store may be making it.
                drop(sqlx::raw_sql(statement).execute(&pool).await);
            }
            Ok::<_, sqlx::Error>(pool)
        });
        Ok(connected.await?)
    }

    /// Runs a statement that has no answer, such as one that makes a table.
    ///
    /// # Errors
    ///
    /// If the database refuses it.
    pub async fn run(&self, statement: &str) -> Result<(), AccessError> {
        sqlx::raw_sql(statement).execute(self.pool().await?).await?;
        Ok(())
    }

    /// Writes a row that ends at this time, in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// If the database refuses it.
    pub async fn write(&self, sid: &str, record: &str, expiry_ms: i64) -> Result<(), AccessError> {
        let pool = self.pool().await?;
        sqlx::query(&self.layout.delete).bind(sid).execute(pool).await?;
        let insert = sqlx::query(&self.layout.insert).bind(sid).bind(record).bind(expiry_ms);
        insert.execute(pool).await?;
        Ok(())
    }

    /// The text and the expiry of a row, in milliseconds since 1970. `None` if there is no such row.
    ///
    /// # Errors
    ///
    /// If the database cannot be asked.
    pub async fn row(&self, sid: &str) -> Result<Option<(String, i64)>, AccessError> {
        let select = sqlx::query(&self.layout.select).bind(sid);
        let row = select.fetch_optional(self.pool().await?).await?;
        let read = |row: AnyRow| {
            // For the driver of any database, a long text of MariaDB is bytes.
            let text = row.try_get(0).or_else(|_| {
                let bytes = row.try_get::<Vec<u8>, _>(0)?;
                String::from_utf8(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
            });
            Ok((text?, row.try_get(1)?))
        };
        row.map(read).transpose()
    }
}

#[async_trait]
impl RawAccess for RawSql {
    async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError> {
        self.write(sid, record, self.clock.now_ms() + TWO_HOURS_MS).await
    }

    async fn put_endless(&self, _sid: &str, _record: &str) -> Result<bool, AccessError> {
        // Each of these tables has a column for the expiry, which is not null.
        Ok(false)
    }

    async fn record(&self, sid: &str) -> Result<Option<String>, AccessError> {
        Ok(self.row(sid).await?.map(|(record, _)| record))
    }

    async fn time_left(&self, sid: &str) -> Result<Option<Duration>, AccessError> {
        let Some((_, expiry_ms)) = self.row(sid).await? else { return Ok(None) };
        let left_ms = expiry_ms - self.clock.now_ms();
        Ok(u64::try_from(left_ms).ok().map(Duration::from_millis))
    }
}
