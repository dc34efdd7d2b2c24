//! The rows of a table, by sqlx alone and statements of their own.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use cloakroom_conformance::{AccessError, RawAccess};
use cloakroom_core::{Clock, to_iso_string};
use cloakroom_sql::{
    Dialect, ExpiryForm, Further, Table,
    sqlx::{self, ConnectOptions as _, Connection as _, Row as _},
};

const HOUR_MS: i64 = 3_600_000;

/// Access to a table, for a store that goes by this clock. The store has created the table by then, or a call of
/// `put` does.
pub(crate) struct RawSql {
    url: String,
    table: Table,
    clock: Clock,
}

impl fmt::Debug for RawSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSql").finish_non_exhaustive()
    }
}

impl RawSql {
    pub(crate) fn new(url: impl Into<String>, table: Table, clock: Clock) -> Self {
        Self { url: url.into(), table, clock }
    }

    /// A literal of SQL.
    fn literal(text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }

    fn name(&self) -> String {
        format!("\"{}\"", self.table.name)
    }

    /// A time as a literal in the form of the expiry.
    fn time(&self, ms: i64) -> String {
        let iso = to_iso_string(ms).unwrap_or_default();
        match self.table.expiry_form {
            ExpiryForm::TimestampTz => format!("'{iso}'"),
            ExpiryForm::LocalTimestamp | ExpiryForm::UtcTimestamp => {
                format!("'{}'", iso.trim_end_matches('Z'))
            }
            ExpiryForm::IsoText => format!("'{iso}'"),
            ExpiryForm::SpacedText => {
                format!("'{}'", iso.replace('T', " ").replace('Z', " +00:00"))
            }
            _ => ms.to_string(),
        }
    }

    /// The time left in seconds, as SQL.
    fn left(&self) -> String {
        let (expiry, now) = (&self.table.expiry.name, self.clock.now_ms());
        let seconds = match self.table.expiry_form {
            ExpiryForm::TimestampTz | ExpiryForm::LocalTimestamp | ExpiryForm::UtcTimestamp => {
                format!("extract(epoch FROM \"{expiry}\")::float8")
            }
            ExpiryForm::IsoText | ExpiryForm::SpacedText => {
                format!("(julianday(\"{expiry}\") - 2440587.5) * 86400.0")
            }
            _ => format!("\"{expiry}\" / 1000.0"),
        };
        let cast = if self.table.dialect == Dialect::Postgres { "float8" } else { "REAL" };
        format!("CAST({seconds} - {now} / 1000.0 AS {cast})")
    }

    async fn run(&self, sql: &str) -> Result<Option<(String, f64)>, AccessError> {
        match self.table.dialect {
            Dialect::Postgres => {
                let options: sqlx::postgres::PgConnectOptions = self.url.parse()?;
                let mut connection = options.connect().await?;
                let row = sqlx::query(sql).fetch_optional(&mut connection).await?;
                connection.close().await?;
                row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
            }
            _ => {
                let path = self.url.trim_start_matches("sqlite://");
                let path = path.split('?').next().unwrap_or_default();
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let options = options.busy_timeout(Duration::from_secs(60));
                let mut connection = options.create_if_missing(true).connect().await?;
                let row = sqlx::query(sql).fetch_optional(&mut connection).await?;
                connection.close().await?;
                row.map(|row| Ok((row.try_get_unchecked(0)?, row.try_get_unchecked(1)?)))
                    .transpose()
            }
        }
    }

    async fn row(&self, sid: &str) -> Result<Option<(String, f64)>, AccessError> {
        let gone = self.table.further.iter().find(|(_, holds)| *holds == Further::DestroyedAt);
        let gone = gone.map(|(column, _)| format!(" AND \"{}\" IS NULL", column.name));
        let (data, id) = (&self.table.data.name, &self.table.id.name);
        self.run(&format!(
            "SELECT CAST(\"{data}\" AS text), {} FROM {} WHERE \"{id}\" = {}{}",
            self.left(),
            self.name(),
            Self::literal(sid),
            gone.unwrap_or_default(),
        ))
        .await
    }
}

#[async_trait]
impl RawAccess for RawSql {
    async fn put(&self, sid: &str, record: &str) -> Result<(), AccessError> {
        for statement in self.table.create_statements() {
            // Another connection can be creating it.
            drop(self.run(&statement).await);
        }
        let (mut columns, mut values) = (String::new(), String::new());
        for (column, holds) in &self.table.further {
            columns += &format!(", \"{}\"", column.name);
            values += &match holds {
                Further::RowId => format!(", {}", Self::literal(&format!("row-{sid}"))),
                Further::DestroyedAt => ", NULL".to_owned(),
                _ => format!(", {}", self.time(self.clock.now_ms())),
            };
        }
        let id = &self.table.id.name;
        let sid = Self::literal(sid);
        self.run(&format!("DELETE FROM {} WHERE \"{id}\" = {sid}", self.name())).await?;
        self.run(&format!(
            "INSERT INTO {} (\"{id}\", \"{}\", \"{}\"{columns}) VALUES ({sid}, {}, {}{values})",
            self.name(),
            self.table.data.name,
            self.table.expiry.name,
            Self::literal(record),
            self.time(self.clock.now_ms() + HOUR_MS),
        ))
        .await
        .map(drop)
    }

    async fn put_endless(&self, _: &str, _: &str) -> Result<bool, AccessError> {
        Ok(false)
    }

    async fn record(&self, sid: &str) -> Result<Option<String>, AccessError> {
        Ok(self.row(sid).await?.map(|(text, _)| text))
    }

    async fn time_left(&self, sid: &str) -> Result<Option<Duration>, AccessError> {
        let left = self.row(sid).await?.map(|(_, left)| left);
        Ok(left.filter(|left| *left > 0.0).map(Duration::from_secs_f64))
    }
}
