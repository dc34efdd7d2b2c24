//! A connection to one of the databases, and how a statement runs on it.
//!
//! Every value is read as text, so that the rest of the store does not know which database it speaks to.

use std::{path::PathBuf, time::Duration};

use futures::TryStreamExt;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, Row as _};

#[cfg(feature = "mysql")]
use crate::mysql_upsert::LEFT_ALONE;
use crate::{
    call::Want,
    dialect::Dialect,
    statement::{Argument, Statement, Values},
};

/// Where connections come from: the store makes them, or takes them from the application's pool.
#[derive(Clone)]
pub(crate) enum Source {
    #[cfg(feature = "postgres")]
    /// With the time after which the server gives a statement up.
    Postgres(Box<sqlx::postgres::PgConnectOptions>, Duration),
    #[cfg(feature = "postgres")]
    PostgresPool(sqlx::PgPool),
    /// With the statement that a connection begins with.
    #[cfg(feature = "mysql")]
    MySql(Box<(sqlx::mysql::MySqlConnectOptions, String)>),
    #[cfg(feature = "mysql")]
    MySqlPool(sqlx::MySqlPool),
    #[cfg(feature = "sqlite")]
    Sqlite(Box<sqlx::sqlite::SqliteConnectOptions>),
    /// A database that its only connection holds, and that ends with it.
    #[cfg(feature = "sqlite")]
    InMemory(Box<sqlx::sqlite::SqliteConnectOptions>),
    #[cfg(feature = "sqlite")]
    SqlitePool(sqlx::SqlitePool),
    #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
    Nothing(std::convert::Infallible),
}

pub(crate) enum Connection {
    #[cfg(feature = "postgres")]
    Postgres(Box<sqlx::PgConnection>),
    #[cfg(feature = "postgres")]
    PostgresPool(PoolConnection<sqlx::Postgres>),
    #[cfg(feature = "mysql")]
    MySql(Box<sqlx::MySqlConnection>),
    #[cfg(feature = "mysql")]
    MySqlPool(PoolConnection<sqlx::MySql>),
    #[cfg(feature = "sqlite")]
    /// With how long a write waits for the lock of the file, or zero if none was sent yet.
    Sqlite(Box<sqlx::SqliteConnection>, Duration),
    #[cfg(feature = "sqlite")]
    SqlitePool(PoolConnection<sqlx::Sqlite>),
    #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
    Nothing(std::convert::Infallible),
}

/// A row: its columns as text, or `None` for NULL.
pub(crate) type Row = Vec<Result<Option<String>, NotText>>;

/// A value that cannot be read as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotText;

/// Returns the text of a column, or `None` if it is NULL or not text.
pub(crate) fn text(row: &Row, column: usize) -> Option<&str> {
    row.get(column)?.as_ref().ok()?.as_deref()
}

#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// Whether the rows are all that there are.
    pub(crate) whole: bool,
    /// The number of rows that a write matched.
    pub(crate) affected: u64,
}

/// Runs a future of the driver, and returns its panic as a broken answer: sqlx 0.8.6 panics where an answer is shorter than
/// its protocol says (`bytes::Buf`). The connection must not be used again.
pub(crate) async fn caught<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let done = cloakroom_backend::caught(work).await;
    done.unwrap_or_else(|| Err(sqlx::Error::Protocol("the driver panicked".to_owned())))
}

impl Source {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(..) | Self::PostgresPool(_) => Dialect::Postgres,
            #[cfg(feature = "mysql")]
            Self::MySql(_) | Self::MySqlPool(_) => Dialect::MySql,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) | Self::InMemory(_) | Self::SqlitePool(_) => Dialect::Sqlite,
            #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
            Self::Nothing(nothing) => match *nothing {},
        }
    }

    /// Returns true if each runtime has connections of its own. A file does not need that, but a runtime that stands
    /// still would keep the connections that its calls use.
    pub(crate) fn is_of_a_runtime(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(..) => true,
            #[cfg(feature = "mysql")]
            Self::MySql(_) => true,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => true,
            _ => false,
        }
    }

    /// Returns true if the application limits the number of connections.
    pub(crate) fn is_a_pool(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::PostgresPool(_) => true,
            #[cfg(feature = "mysql")]
            Self::MySqlPool(_) => true,
            #[cfg(feature = "sqlite")]
            Self::SqlitePool(_) => true,
            _ => false,
        }
    }

    /// Returns true if the database ends with its connection.
    pub(crate) fn is_in_memory(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::InMemory(_) => true,
            _ => false,
        }
    }

    /// Returns the file of SQLite that all connections share.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(options) => Some(options.get_filename().to_owned()),
            #[cfg(feature = "sqlite")]
            Self::SqlitePool(pool) => Some(pool.connect_options().get_filename().to_owned()),
            _ => None,
        }
    }

    pub(crate) async fn connect(&self) -> Result<Connection, sqlx::Error> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(options, limit) => {
                let limit = limit.as_millis().to_string();
                let limited = (**options).clone().options([("statement_timeout", limit)]);
                let made = match limited.connect().await {
                    Err(cause) if crate::error::is_of_a_pooler(&cause) => options.connect().await,
                    made => made,
                };
                made.map(|made| Connection::Postgres(Box::new(made)))
            }
            #[cfg(feature = "postgres")]
            Self::PostgresPool(pool) => pool.acquire().await.map(Connection::PostgresPool),
            #[cfg(feature = "mysql")]
            Self::MySql(how) => {
                let mut made = how.0.connect().await?;
                sqlx::Executor::execute(&mut made, &*how.1).await?;
                Ok(Connection::MySql(Box::new(made)))
            }
            #[cfg(feature = "mysql")]
            Self::MySqlPool(pool) => pool.acquire().await.map(Connection::MySqlPool),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(options) | Self::InMemory(options) => {
                let made = options.connect().await;
                made.map(|made| Connection::Sqlite(Box::new(made), Duration::ZERO))
            }
            #[cfg(feature = "sqlite")]
            Self::SqlitePool(pool) => pool.acquire().await.map(Connection::SqlitePool),
            #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
            Self::Nothing(nothing) => match *nothing {},
        }
    }
}

/// Runs a statement on a connection of one database.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
macro_rules! run {
    ($connection:expr, $statement:expr, $values:expr, $want:expr) => {{
        let (statement, values): (&Statement, &Values<'_>) = ($statement, $values);
        let mut query = sqlx::query(&statement.sql);
        for slot in &statement.slots {
            query = match values.argument(*slot) {
                Argument::Text(text) => query.bind(text),
                Argument::Number(number) => query.bind(number),
                Argument::Real(real) => query.bind(real),
            };
        }
        match $want {
            Want::Affected => {
                let done = query.execute($connection).await?;
                Ok(Answer { affected: done.affected(), whole: true, rows: Vec::new() })
            }
            Want::Rows(most) => {
                let mut rows = query.fetch($connection);
                let (mut answer, mut bytes) = (Answer { whole: true, ..Answer::default() }, 0);
                while let Some(row) = rows.try_next().await? {
                    let mut texts = Vec::with_capacity(row.len());
                    for column in 0..row.len() {
                        let text = row.try_get_unchecked::<Option<String>, _>(column);
                        bytes +=
                            text.as_ref().map_or(0, |text| text.as_ref().map_or(0, String::len));
                        texts.push(text.map_err(|_| NotText));
                    }
                    answer.rows.push(texts);
                    if bytes >= most {
                        answer.whole = false;
                        break;
                    }
                }
                Ok(answer)
            }
        }
    }};
}

/// The answer to a write.
trait Written {
    /// The number of rows that it matched.
    fn affected(&self) -> u64;
}

#[cfg(feature = "mysql")]
impl Written for sqlx::mysql::MySqlQueryResult {
    fn affected(&self) -> u64 {
        if self.last_insert_id() == LEFT_ALONE { 0 } else { self.rows_affected() }
    }
}

#[cfg(feature = "postgres")]
impl Written for sqlx::postgres::PgQueryResult {
    fn affected(&self) -> u64 {
        self.rows_affected()
    }
}

#[cfg(feature = "sqlite")]
impl Written for sqlx::sqlite::SqliteQueryResult {
    fn affected(&self) -> u64 {
        self.rows_affected()
    }
}

impl Connection {
    /// Runs a statement to its end, so that what it wrote is committed.
    pub(crate) async fn run(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
        want: Want,
    ) -> Result<Answer, sqlx::Error> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                run!(&mut **connection, statement, values, want)
            }
            #[cfg(feature = "postgres")]
            Self::PostgresPool(connection) => {
                run!(&mut **connection, statement, values, want)
            }
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => {
                run!(&mut **connection, statement, values, want)
            }
            #[cfg(feature = "mysql")]
            Self::MySqlPool(connection) => {
                run!(&mut **connection, statement, values, want)
            }
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection, _) => {
                run!(&mut **connection, statement, values, want)
            }
            #[cfg(feature = "sqlite")]
            Self::SqlitePool(connection) => {
                run!(&mut **connection, statement, values, want)
            }
            #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
            Self::Nothing(nothing) => match *nothing {},
        }
    }

    /// Returns true if the store made the connection, and may use it for another call.
    pub(crate) fn is_own(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
            #[cfg(feature = "mysql")]
            Self::MySql(_) => true,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(..) => true,
            _ => false,
        }
    }

    /// Sets how long a statement waits for the lock of a SQLite file. An application's pool decides that by itself.
    pub(crate) async fn wait_at_most(&mut self, limit: Duration) -> Result<(), sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection, set) if set.abs_diff(limit) > limit / 10 => {
                let sql = format!("PRAGMA busy_timeout = {}", limit.as_millis());
                sqlx::Executor::execute(&mut **connection, &*sql).await?;
                *set = limit;
                Ok(())
            }
            _ => {
                let _ = limit;
                Ok(())
            }
        }
    }

    /// Waits until the thread of SQLite has done what it was sent, which it does even if nobody waits for the answer.
    pub(crate) async fn end(&mut self) {
        #[cfg(feature = "sqlite")]
        if let Self::Sqlite(connection, _) = self {
            drop(sqlx::Connection::ping(&mut **connection).await);
        } else if let Self::SqlitePool(connection) = self {
            drop(sqlx::Connection::ping(&mut **connection).await);
        }
    }

    /// Returns true if the server answers on this connection. A file has no server, and a pool asks by itself.
    pub(crate) async fn answers(&mut self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => {
                caught(sqlx::Connection::ping(&mut **connection)).await.is_ok()
            }
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => {
                caught(sqlx::Connection::ping(&mut **connection)).await.is_ok()
            }
            _ => true,
        }
    }

    /// Closes the connection at once, without a word to the server, which may be silent.
    pub(crate) fn close(self) {
        match self {
            #[cfg(feature = "postgres")]
            Self::PostgresPool(connection) => drop(connection.detach()),
            #[cfg(feature = "mysql")]
            Self::MySqlPool(connection) => drop(connection.detach()),
            other => drop(other),
        }
    }
}
