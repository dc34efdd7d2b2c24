//! A connection to one of the databases, and how a statement runs on it.
//!
//! Every value is read as text, so that the rest of the store does not know which database it speaks to.

use futures::TryStreamExt;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, Row as _};

#[cfg(feature = "mysql")]
use crate::mysql_upsert::LEFT_ALONE;
use crate::{
    dialect::Dialect,
    statement::{Argument, Statement, Values},
};

/// Where connections come from: the store makes them, or takes them from the application's pool.
#[derive(Clone)]
pub(crate) enum Source {
    #[cfg(feature = "postgres")]
    Postgres(Box<sqlx::postgres::PgConnectOptions>),
    #[cfg(feature = "postgres")]
    PostgresPool(sqlx::PgPool),
    /// With the statement that a connection begins with.
    #[cfg(feature = "mysql")]
    MySql(Box<(sqlx::mysql::MySqlConnectOptions, String)>),
    #[cfg(feature = "mysql")]
    MySqlPool(sqlx::MySqlPool),
    #[cfg(feature = "sqlite")]
    Sqlite(Box<sqlx::sqlite::SqliteConnectOptions>),
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
    Sqlite(Box<sqlx::SqliteConnection>),
    #[cfg(feature = "sqlite")]
    SqlitePool(PoolConnection<sqlx::Sqlite>),
    #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
    Nothing(std::convert::Infallible),
}

/// A row: its columns as text.
pub(crate) type Row = Vec<Option<String>>;

#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// Whether the rows are all that there are.
    pub(crate) whole: bool,
    /// The number of rows that a write matched.
    pub(crate) affected: u64,
}

/// What a caller wants of a statement.
#[derive(Clone, Copy)]
pub(crate) enum Want {
    /// The number of rows that were written.
    Affected,
    /// Rows, until they have this many bytes together.
    Rows(usize),
}

impl Source {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) | Self::PostgresPool(_) => Dialect::Postgres,
            #[cfg(feature = "mysql")]
            Self::MySql(_) | Self::MySqlPool(_) => Dialect::MySql,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) | Self::SqlitePool(_) => Dialect::Sqlite,
            #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
            Self::Nothing(nothing) => match *nothing {},
        }
    }

    /// Returns true if a connection belongs to the runtime on which it was made. SQLite has threads of its own.
    pub(crate) fn is_of_a_runtime(&self) -> bool {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
            #[cfg(feature = "mysql")]
            Self::MySql(_) => true,
            _ => false,
        }
    }

    pub(crate) async fn connect(&self) -> Result<Connection, sqlx::Error> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => {
                options.connect().await.map(|made| Connection::Postgres(Box::new(made)))
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
            Self::Sqlite(options) => {
                options.connect().await.map(|made| Connection::Sqlite(Box::new(made)))
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
                        let text: Option<String> = row.try_get_unchecked(column)?;
                        bytes += text.as_ref().map_or(0, String::len);
                        texts.push(text);
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
            Self::Sqlite(connection) => {
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
            Self::Sqlite(_) => true,
            _ => false,
        }
    }

    /// Returns true if a call that is dropped leaves the connection usable. SQLite's thread ends what it has begun.
    pub(crate) fn outlives_a_call(&self) -> bool {
        #[cfg(feature = "sqlite")]
        let is_sqlite = matches!(self, Self::Sqlite(_) | Self::SqlitePool(_));
        #[cfg(not(feature = "sqlite"))]
        let is_sqlite = false;
        is_sqlite
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
