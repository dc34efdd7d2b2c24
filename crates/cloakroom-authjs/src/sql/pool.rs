//! A pool of the application, and how a statement runs on one of its connections.

use std::{fmt, sync::Arc, time::Duration};

use cloakroom_backend::{Idempotency, Needs, Operation, Runtimes};
use cloakroom_core::Error;
use sqlx::{Row as _, pool::PoolConnection};
use tokio::runtime::Handle;

use super::{
    dialect::Dialect,
    error::{self, Verdict},
    statement::{Statement, Value, Values},
};

/// A pool of sqlx: a `PgPool`, a `MySqlPool` or a `SqlitePool`, each by the feature of its database.
///
/// The pool belongs to the application. Its own limits apply in addition to the deadline of a call.
#[derive(Clone)]
pub struct SqlPool(Pool);

#[derive(Clone)]
enum Pool {
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
    #[cfg(feature = "mysql")]
    MySql(sqlx::MySqlPool),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqlitePool),
}

#[cfg(feature = "postgres")]
impl From<sqlx::PgPool> for SqlPool {
    fn from(pool: sqlx::PgPool) -> Self {
        Self(Pool::Postgres(pool))
    }
}

#[cfg(feature = "mysql")]
impl From<sqlx::MySqlPool> for SqlPool {
    fn from(pool: sqlx::MySqlPool) -> Self {
        Self(Pool::MySql(pool))
    }
}

#[cfg(feature = "sqlite")]
impl From<sqlx::SqlitePool> for SqlPool {
    fn from(pool: sqlx::SqlitePool) -> Self {
        Self(Pool::Sqlite(pool))
    }
}

impl SqlPool {
    const fn dialect(&self) -> Dialect {
        match self.0 {
            #[cfg(feature = "postgres")]
            Pool::Postgres(_) => Dialect::Postgres,
            #[cfg(feature = "mysql")]
            Pool::MySql(_) => Dialect::MySql,
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(_) => Dialect::Sqlite,
        }
    }

    async fn lease(&self, runtime: &Handle) -> Result<Lease, sqlx::Error> {
        let connection = match &self.0 {
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
            #[cfg(feature = "mysql")]
            Pool::MySql(pool) => Connection::MySql(pool.acquire().await?),
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
        };
        Ok(Lease { connection: Some(connection), runtime: runtime.clone(), is_busy: false })
    }
}

impl fmt::Debug for SqlPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqlPool").field(&self.dialect()).finish()
    }
}

enum Connection {
    #[cfg(feature = "postgres")]
    Postgres(PoolConnection<sqlx::Postgres>),
    #[cfg(feature = "mysql")]
    MySql(PoolConnection<sqlx::MySql>),
    #[cfg(feature = "sqlite")]
    Sqlite(PoolConnection<sqlx::Sqlite>),
}

/// A connection that one call uses.
struct Lease {
    connection: Option<Connection>,
    runtime: Handle,
    /// Whether a statement was sent and not answered.
    is_busy: bool,
}

/// Runs a future of the driver, and returns its panic as a broken answer: sqlx 0.8.6 panics where an answer is shorter than
/// its protocol says (`bytes::Buf`).
async fn caught<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let done = cloakroom_backend::caught(work).await;
    done.unwrap_or_else(|| Err(sqlx::Error::Protocol("the driver panicked".to_owned())))
}

/// What a statement answered.
#[derive(Default)]
pub(crate) struct Answer {
    /// The text of the row that was read.
    pub(crate) text: Option<String>,
    /// The number of rows that a write matched.
    pub(crate) matched: u64,
}

/// Runs a statement on a connection of one database.
macro_rules! run {
    ($connection:expr, $statement:expr, $values:expr) => {{
        let mut query = sqlx::query(&$statement.sql);
        for slot in &$statement.slots {
            query = match $values.value(*slot) {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        if $statement.reads {
            let rows = query.fetch_all($connection).await?;
            let text = rows.first().map(|row| row.try_get_unchecked::<Option<String>, _>(0));
            Ok(Answer { text: text.transpose()?.flatten(), matched: 0 })
        } else {
            let matched = query.execute($connection).await?.rows_affected();
            Ok(Answer { text: None, matched })
        }
    }};
}

impl Connection {
    async fn run(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Answer, sqlx::Error> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => run!(&mut **connection, statement, values),
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => run!(&mut **connection, statement, values),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => run!(&mut **connection, statement, values),
        }
    }
}

impl Lease {
    async fn run(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Answer, sqlx::Error> {
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::PoolClosed) };
        self.is_busy = true;
        let answer = caught(connection.run(statement, values)).await;
        self.is_busy = match &answer {
            Ok(_) => false,
            // The pool need not ask whether the server still answers on it.
            Err(cause @ sqlx::Error::Database(_)) => error::verdict(cause) == Verdict::Lost,
            Err(_) => true,
        };
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // The pool takes a connection back in a task.
        let _entered = self.runtime.enter();
        match connection {
            // The pool would wait for a silent server before it lets go of the connection.
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) if self.is_busy => drop(connection.detach()),
            #[cfg(feature = "mysql")]
            Connection::MySql(connection) if self.is_busy => drop(connection.detach()),
            other => drop(other),
        }
    }
}

/// A pool with the deadline of its calls.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pool: SqlPool,
    store: &'static str,
    deadline: Duration,
    runtimes: Arc<Runtimes>,
}

impl Database {
    /// `store` is the name in errors.
    pub(crate) fn new(pool: SqlPool, store: &'static str) -> Self {
        let runtimes = Arc::new(Runtimes::new(Needs::TimeAndIo));
        Self { pool, store, deadline: Duration::from_secs(5), runtimes }
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.pool.dialect()
    }

    pub(crate) const fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }

    pub(crate) fn start(&self, name: &'static str, idempotency: Idempotency) -> Operation {
        Operation::start(self.store, name, idempotency, self.deadline)
    }

    /// Runs a statement. If the connection is lost, it is sent once more, since all of them can be repeated.
    pub(crate) async fn run(
        &self,
        operation: &Operation,
        statement: &Statement,
        values: Values<'_>,
    ) -> Result<Answer, Error> {
        // PostgreSQL refuses it, and no package makes such a token.
        if values.token.contains('\0') {
            return Ok(Answer::default());
        }
        loop {
            let runtime = self.runtimes.current(operation)?;
            let mut lease = match operation.within(caught(self.pool.lease(&runtime))).await {
                Some(Ok(lease)) => lease,
                // A connection that the pool had was broken, and the pool has let go of it.
                Some(Err(sqlx::Error::Protocol(_))) if operation.repeat() => continue,
                Some(Err(cause)) => return Err(error::of(operation, &cause)),
                None => return Err(operation.timeout()),
            };
            let cause = match operation.within(lease.run(statement, &values)).await {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(cause)) => cause,
                None => {
                    operation.lose_answer();
                    return Err(operation.timeout());
                }
            };
            drop(lease);
            let verdict = error::verdict(&cause);
            match verdict {
                Verdict::NotThere => return Ok(Answer::default()),
                Verdict::Lost => operation.lose_answer(),
                Verdict::Overtaken | Verdict::Refused => {}
            }
            if verdict == Verdict::Refused || !operation.repeat() {
                return Err(error::of(operation, &cause));
            }
        }
    }
}
