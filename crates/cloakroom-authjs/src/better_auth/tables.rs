//! The tables of better-auth.

use cloakroom_core::Error;

use crate::sql::{Dialect, Moment, SqlTime, Statements, Table, check_names, selected};

/// The name of the tables in errors.
pub(super) const STORE: &str = "better-auth";

/// The tables in which better-auth keeps sessions and users. By default they are those that its CLI creates.
///
/// If the options of a site rename models or fields, or add fields, say so:
///
/// ```
/// use cloakroom_authjs::better_auth::BetterAuthTables;
///
/// // user: { modelName: "members", fields: { email: "mail" }, additionalFields: { role: { type: "string" } } }
/// let tables = BetterAuthTables::default()
///     .with_users("members")
///     .with_user_field("email", "mail")
///     .with_user_field("role", "role");
/// # let _ = tables;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BetterAuthTables {
    schema: Option<String>,
    sessions: String,
    users: String,
    /// `None` for what better-auth has on the database.
    dates: Option<SqlTime>,
    session_fields: Vec<Field>,
    user_fields: Vec<Field>,
}

/// A field of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    column: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Date,
    /// A boolean, which is a number in MySQL and SQLite.
    Flag,
}

impl Field {
    fn new(name: &str) -> Self {
        let kind = match name {
            "expiresAt" | "createdAt" | "updatedAt" => Kind::Date,
            "emailVerified" => Kind::Flag,
            _ => Kind::Plain,
        };
        Self { name: name.to_owned(), column: name.to_owned(), kind }
    }
}

const TOKEN: &str = "token";
const EXPIRES_AT: &str = "expiresAt";
const UPDATED_AT: &str = "updatedAt";
const USER_ID: &str = "userId";
const ID: &str = "id";

impl Default for BetterAuthTables {
    fn default() -> Self {
        let session =
            [ID, EXPIRES_AT, TOKEN, "createdAt", UPDATED_AT, "ipAddress", "userAgent", USER_ID];
        let user = [ID, "name", "email", "emailVerified", "image", "createdAt", UPDATED_AT];
        Self {
            schema: None,
            sessions: "session".to_owned(),
            users: "user".to_owned(),
            dates: None,
            session_fields: session.map(Field::new).to_vec(),
            user_fields: user.map(Field::new).to_vec(),
        }
    }
}

impl BetterAuthTables {
    /// Sets the schema of PostgreSQL, or the database of MySQL, in which the tables are. By default, the connection decides.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Sets the name of the table of sessions, the option `session.modelName`. `session` by default.
    #[must_use]
    pub fn with_sessions(mut self, table: impl Into<String>) -> Self {
        self.sessions = table.into();
        self
    }

    /// Sets the name of the table of users, the option `user.modelName`. `user` by default.
    #[must_use]
    pub fn with_users(mut self, table: impl Into<String>) -> Self {
        self.users = table.into();
        self
    }

    /// Sets the column of a field of the session, or adds a field. An additional field is read in the form that the
    /// database gives it in JSON: a boolean of MySQL or SQLite is a number.
    #[must_use]
    pub fn with_session_field(mut self, field: &str, column: impl Into<String>) -> Self {
        set(&mut self.session_fields, field, column.into());
        self
    }

    /// Sets the column of a field of the user, or adds a field, as [`with_session_field`](Self::with_session_field) does.
    #[must_use]
    pub fn with_user_field(mut self, field: &str, column: impl Into<String>) -> Self {
        set(&mut self.user_fields, field, column.into());
        self
    }

    /// Sets how the columns keep dates. By default they are as better-auth's CLI creates them; in MySQL,
    /// [`UtcTimestamp`](SqlTime::UtcTimestamp), for a pool of `mysql2` with `timezone: "Z"`.
    #[must_use]
    pub fn with_dates(mut self, form: SqlTime) -> Self {
        self.dates = Some(form);
        self
    }

    pub(super) fn session_fields(&self) -> &[Field] {
        &self.session_fields
    }

    pub(super) fn user_fields(&self) -> &[Field] {
        &self.user_fields
    }

    /// Returns the statements of a database. The one that finds a session reads an array: the fields of the session, then
    /// those of the user.
    pub(super) fn statements(&self, dialect: Dialect) -> Result<Statements, Error> {
        let fields = self.session_fields.iter().chain(&self.user_fields);
        let names = [&self.sessions, &self.users].into_iter().chain(&self.schema);
        check_names(STORE, names.chain(fields.map(|field| &field.column)).map(|name| &**name))?;
        let form = SqlTime::on(dialect, self.dates, SqlTime::UtcTimestamp, STORE)?;
        let column = |fields: &[Field], name: &str| {
            let found = fields.iter().find(|field| field.name == name);
            dialect.quote(found.map_or(name, |field| &field.column))
        };
        let of_session = |name| column(&self.session_fields, name);
        let sessions = dialect.table(self.schema.as_deref(), &self.sessions);
        let users = dialect.table(self.schema.as_deref(), &self.users);

        let values = |fields: &[Field], row: &str| -> Vec<String> {
            let value = |field: &Field| {
                let column = format!("{row}.{}", dialect.quote(&field.column));
                match field.kind {
                    Kind::Date => selected(form, dialect, &column),
                    Kind::Plain | Kind::Flag => column,
                }
            };
            fields.iter().map(value).collect()
        };
        let values = [values(&self.session_fields, "s"), values(&self.user_fields, "u")].concat();
        let times = [(EXPIRES_AT, Moment::Expiry), (UPDATED_AT, Moment::Now)];
        let times = times.map(|(name, moment)| (of_session(name), moment));
        let table = Table { dialect, form, name: sessions, token: of_session(TOKEN) };
        Ok(table.statements(&times, |slots| {
            format!(
                "SELECT {} FROM {} s JOIN {users} u ON u.{} = s.{} WHERE {} LIMIT 1",
                dialect.json_array(&values),
                table.name,
                column(&self.user_fields, ID),
                of_session(USER_ID),
                slots.is_token(&format!("s.{}", table.token)),
            )
        }))
    }
}

fn set(fields: &mut Vec<Field>, name: &str, column: String) {
    match fields.iter_mut().find(|field| field.name == name) {
        Some(field) => field.column = column,
        None => fields.push(Field { column, ..Field::new(name) }),
    }
}
