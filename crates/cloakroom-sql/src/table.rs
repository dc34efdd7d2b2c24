//! The description of a table: its columns, and when a row counts as live.

use cloakroom_backend::invalid_option;
use cloakroom_core::Error;

use crate::{
    dialect::Dialect,
    error::STORE,
    expiry::{ExpiryForm, Rounding},
};

/// A column: its name, and the type that `createTable` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// The name, without quotes.
    pub name: String,
    /// The type with everything that belongs to it, such as `varchar(255) NOT NULL`.
    pub sql_type: String,
}

impl Column {
    /// Creates a column.
    #[must_use]
    pub fn new(name: impl Into<String>, sql_type: impl Into<String>) -> Self {
        Self { name: name.into(), sql_type: sql_type.into() }
    }
}

/// What a further column of a row holds, which is not part of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Further {
    /// When the row was created, in the form of the expiry. Only written then.
    CreatedAt,
    /// When the row was last written or touched, in the form of the expiry.
    UpdatedAt,
    /// A random text that names the row. Only written when it is created.
    RowId,
    /// When the session was destroyed, as the database's own time. The row stays, and is not a session.
    DestroyedAt,
}

/// The description of a table that holds sessions.
///
/// [`Counterpart::table`](crate::Counterpart::table) has those of the npm stores. For a table of your own, start with
/// [`new`](Self::new):
///
/// ```
/// use cloakroom_sql::{Column, Dialect, ExpiryForm, SqlOptions, SqlStore, Table};
///
/// let table = Table::new(
///     Dialect::Postgres,
///     "logins",
///     Column::new("id", "text NOT NULL"),
///     Column::new("session", "text NOT NULL"),
///     Column::new("expires_at", "timestamptz NOT NULL"),
///     ExpiryForm::TimestampTz,
/// );
/// assert!(table.create_statements()[0].starts_with("CREATE TABLE IF NOT EXISTS \"logins\" ("));
/// # #[cfg(feature = "postgres")]
/// SqlStore::open_with("postgres://localhost/app", SqlOptions::default().with_table(table))?;
/// # Ok::<(), cloakroom_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// The database that the description is for.
    pub dialect: Dialect,
    /// The name, without quotes.
    pub name: String,
    /// The schema of PostgreSQL. By default, the search path decides.
    pub schema: Option<String>,
    /// The column of the session id. It must be the primary key, or have a unique index.
    pub id: Column,
    /// The column of the session's JSON text. Its type in the database decides how it is written.
    pub data: Column,
    /// The column of the expiry.
    pub expiry: Column,
    /// The form of the expiry.
    pub expiry_form: ExpiryForm,
    /// How the expiry is rounded.
    pub rounding: Rounding,
    /// Whether a session is live in the moment of its expiry. `true` by default.
    pub live_at_expiry: bool,
    /// Further columns that a row needs, in the order of the table.
    pub further: Vec<(Column, Further)>,
}

impl Table {
    /// Creates the description of a table whose expiry is not rounded and that has no further columns.
    #[must_use]
    pub fn new(
        dialect: Dialect,
        name: impl Into<String>,
        id: Column,
        data: Column,
        expiry: Column,
        expiry_form: ExpiryForm,
    ) -> Self {
        Self {
            dialect,
            name: name.into(),
            schema: None,
            id,
            data,
            expiry,
            expiry_form,
            rounding: Rounding::Exact,
            live_at_expiry: true,
            further: Vec::new(),
        }
    }

    /// Sets [`name`](Self::name).
    #[must_use]
    pub fn with_name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets [`schema`](Self::schema).
    #[must_use]
    pub fn with_schema(self, schema: impl Into<Option<String>>) -> Self {
        Self { schema: schema.into(), ..self }
    }

    /// Sets [`rounding`](Self::rounding).
    #[must_use]
    pub fn with_rounding(self, rounding: Rounding) -> Self {
        Self { rounding, ..self }
    }

    /// Sets [`live_at_expiry`](Self::live_at_expiry).
    #[must_use]
    pub fn with_live_at_expiry(self, live_at_expiry: bool) -> Self {
        Self { live_at_expiry, ..self }
    }

    /// Adds a further column.
    #[must_use]
    pub fn add_further(mut self, column: Column, holds: Further) -> Self {
        self.further.push((column, holds));
        self
    }

    /// Returns the table's name in quotes, with its schema if it has one.
    pub(crate) fn quoted(&self) -> String {
        let name = self.dialect.quote(&self.name);
        match &self.schema {
            Some(schema) => format!("{}.{name}", self.dialect.quote(schema)),
            None => name,
        }
    }

    /// Returns the name of the further column that holds this.
    pub(crate) fn further_column(&self, holds: Further) -> Option<&str> {
        let found = self.further.iter().find(|(_, known)| *known == holds);
        found.map(|(column, _)| &*column.name)
    }

    /// Returns all columns: first the id, the data and the expiry.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Column> {
        let further = self.further.iter().map(|(column, _)| column);
        [&self.id, &self.data, &self.expiry].into_iter().chain(further)
    }

    /// Rejects a description that makes no sense.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let names = self.columns().map(|column| &column.name).chain([&self.name]);
        for name in names.chain(&self.schema) {
            if name.is_empty() || name.contains(|c: char| c.is_control()) {
                let why = "the names of a table and of its columns must not be empty or contain control characters";
                return Err(invalid_option(STORE, "table", why));
            }
        }
        if self.schema.is_some() && self.dialect != Dialect::Postgres {
            let why = "only PostgreSQL has schemas; the database of MySQL is in the url";
            return Err(invalid_option(STORE, "schema", why));
        }
        Ok(())
    }
}
