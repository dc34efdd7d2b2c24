//! The sessions of a table, which Auth.js and better-auth both find by a token, extend and delete, each by one statement.

use std::{sync::Arc, time::Duration};

use cloakroom_backend::Idempotency;
use cloakroom_core::{Error, ErrorKind};

use super::{
    dialect::Dialect,
    pool::{Database, SqlPool},
    statement::{Moment, Slots, Statement, Values},
    time::{SqlTime, assigned},
};

/// The statements of a table.
#[derive(Debug)]
pub(crate) struct Statements {
    find: Statement,
    extend: Statement,
    delete: Statement,
}

/// A table of sessions, with its names in quotes.
pub(crate) struct Table {
    pub(crate) dialect: Dialect,
    pub(crate) form: SqlTime,
    pub(crate) name: String,
    pub(crate) token: String,
}

impl Table {
    /// Returns the statements. `find` writes the one that reads a session, and `times` are the columns that an extension
    /// sets, in quotes.
    pub(crate) fn statements(
        &self,
        times: &[(String, Moment)],
        find: impl FnOnce(&mut Slots) -> String,
    ) -> Statements {
        let Self { dialect, form, name, token } = self;
        let mut slots = Slots::new(*dialect);
        let text = find(&mut slots);
        let find = slots.statement(text, true);

        let mut slots = Slots::new(*dialect);
        let set = |(column, moment): &(String, Moment)| {
            format!("{column} = {}", assigned(*form, *dialect, column, *moment, &mut slots))
        };
        let sets: Vec<String> = times.iter().map(set).collect();
        let condition = slots.is_token(token);
        let extend = format!("UPDATE {name} SET {} WHERE {condition}", sets.join(", "));
        let extend = slots.statement(extend, false);

        let mut slots = Slots::new(*dialect);
        let delete = format!("DELETE FROM {name} WHERE {}", slots.is_token(token));
        Statements { find, extend, delete: slots.statement(delete, false) }
    }
}

/// The sessions of a table in a pool of the application.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    database: Database,
    statements: Arc<Statements>,
}

impl Sessions {
    /// `store` is the name in errors, and `statements` returns the statements of a database.
    pub(crate) fn new(
        pool: SqlPool,
        store: &'static str,
        statements: impl FnOnce(Dialect) -> Result<Statements, Error>,
    ) -> Result<Self, Error> {
        let database = Database::new(pool, store);
        let statements = Arc::new(statements(database.dialect())?);
        Ok(Self { database, statements })
    }

    pub(crate) fn set_deadline(&mut self, deadline: Duration) {
        self.database.set_deadline(deadline);
    }

    /// Returns what `read` makes of the row of a token. If it makes nothing of it, the error says `why`.
    pub(crate) async fn find<T>(
        &self,
        operation: &'static str,
        token: &str,
        read: impl FnOnce(&str) -> Option<T> + Send,
        why: &'static str,
    ) -> Result<Option<T>, Error> {
        let operation = self.database.start(operation, Idempotency::Read);
        let answer =
            self.database.run(&operation, &self.statements.find, Values::of(token)).await?;
        let Some(text) = answer.text else { return Ok(None) };
        read(&text).map(Some).ok_or_else(|| operation.error(ErrorKind::Corrupt, why))
    }

    /// Returns false if the session does not exist any more.
    pub(crate) async fn extend(
        &self,
        operation: &'static str,
        values: Values<'_>,
    ) -> Result<bool, Error> {
        let operation = self.database.start(operation, Idempotency::Repeatable);
        let answer = self.database.run(&operation, &self.statements.extend, values).await?;
        Ok(answer.matched > 0)
    }

    /// Returns false if the session did not exist.
    pub(crate) async fn delete(&self, operation: &'static str, token: &str) -> Result<bool, Error> {
        let operation = self.database.start(operation, Idempotency::Repeatable);
        let values = Values::of(token);
        let answer = self.database.run(&operation, &self.statements.delete, values).await?;
        Ok(answer.matched > 0)
    }
}
