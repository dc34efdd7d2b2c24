//! The tables of the SQL adapters of Auth.js.

use cloakroom_core::Error;

use crate::sql::{Dialect, Moment, SqlTime, Statements, Table, check_names, selected};

/// The name of the adapter in errors.
pub(crate) const STORE: &str = "authjs";

/// The tables in which a SQL adapter of Auth.js keeps sessions and users.
///
/// [`pg_adapter`](Self::pg_adapter), [`drizzle`](Self::drizzle) and [`prisma`](Self::prisma) are those of the packages'
/// documentation. If a site has other names, say so:
///
/// ```
/// use cloakroom_authjs::AuthTables;
///
/// let tables = AuthTables::prisma()
///     .with_sessions("sessions")
///     .with_users("users")
///     .with_session_token("session_token")
///     .with_session_user("user_id")
///     .with_user_column("role", "role");
/// # let _ = tables;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthTables {
    schema: Option<String>,
    sessions: String,
    session_token: String,
    session_user: String,
    expires: String,
    /// `None` for what the package has on the database.
    expires_form: Option<SqlTime>,
    on_mysql: SqlTime,
    users: String,
    user_id: String,
    /// The members of a user, and their columns.
    user_columns: Vec<(String, String)>,
}

impl AuthTables {
    fn new(sessions: &str, users: &str, on_mysql: SqlTime) -> Self {
        let member = |name: &str| (name.to_owned(), name.to_owned());
        Self {
            schema: None,
            sessions: sessions.to_owned(),
            session_token: "sessionToken".to_owned(),
            session_user: "userId".to_owned(),
            expires: "expires".to_owned(),
            expires_form: None,
            on_mysql,
            users: users.to_owned(),
            user_id: "id".to_owned(),
            user_columns: ["name", "email", "image"].map(member).to_vec(),
        }
    }

    /// The tables `sessions` and `users` of `@auth/pg-adapter` 1, on PostgreSQL.
    #[must_use]
    pub fn pg_adapter() -> Self {
        Self::new("sessions", "users", SqlTime::Timestamp)
    }

    /// The tables `session` and `user` of `@auth/drizzle-adapter` 1, on PostgreSQL, MySQL and SQLite.
    #[must_use]
    pub fn drizzle() -> Self {
        Self::new("session", "user", SqlTime::UtcTimestamp)
    }

    /// The tables `Session` and `User` of `@auth/prisma-adapter` 2 and `@next-auth/prisma-adapter` 1, on PostgreSQL, MySQL
    /// and SQLite.
    #[must_use]
    pub fn prisma() -> Self {
        Self::new("Session", "User", SqlTime::UtcDateTime)
    }

    /// Sets the schema of PostgreSQL, or the database of MySQL, in which the tables are. By default, the connection decides.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Sets the name of the table of sessions.
    #[must_use]
    pub fn with_sessions(mut self, table: impl Into<String>) -> Self {
        self.sessions = table.into();
        self
    }

    /// Sets the column of the session token. `sessionToken` by default.
    #[must_use]
    pub fn with_session_token(mut self, column: impl Into<String>) -> Self {
        self.session_token = column.into();
        self
    }

    /// Sets the column of a session that has the id of its user. `userId` by default.
    #[must_use]
    pub fn with_session_user(mut self, column: impl Into<String>) -> Self {
        self.session_user = column.into();
        self
    }

    /// Sets the column of the expiry, and how it keeps a time. By default it is `expires`, in the form that the package
    /// has on the database.
    #[must_use]
    pub fn with_expires(mut self, column: impl Into<String>, form: SqlTime) -> Self {
        self.expires = column.into();
        self.expires_form = Some(form);
        self
    }

    /// Sets the name of the table of users.
    #[must_use]
    pub fn with_users(mut self, table: impl Into<String>) -> Self {
        self.users = table.into();
        self
    }

    /// Sets the column of a user's id. `id` by default.
    #[must_use]
    pub fn with_user_id(mut self, column: impl Into<String>) -> Self {
        self.user_id = column.into();
        self
    }

    /// Sets the column of a member of the user: `name`, `email`, `image`, or one more. Those three have columns of the same
    /// names by default. The others are in [`AuthSession::user_members`](crate::AuthSession::user_members).
    #[must_use]
    pub fn with_user_column(
        mut self,
        member: impl Into<String>,
        column: impl Into<String>,
    ) -> Self {
        let (member, column) = (member.into(), column.into());
        match self.user_columns.iter_mut().find(|(known, _)| *known == member) {
            Some((_, old)) => *old = column,
            None => self.user_columns.push((member, column)),
        }
        self
    }

    /// Returns the members of a user, in the order in which they are read.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.user_columns.iter().map(|(member, _)| &**member)
    }

    /// Returns the statements of a database. The one that finds a session reads an array: the expiry, the user's id, and the
    /// members of the user.
    pub(crate) fn statements(&self, dialect: Dialect) -> Result<Statements, Error> {
        let columns = self.user_columns.iter().map(|(_, column)| column);
        let names = [&self.sessions, &self.session_token, &self.session_user, &self.expires];
        let names = names.into_iter().chain([&self.users, &self.user_id]).chain(&self.schema);
        check_names(STORE, names.chain(columns).map(|name| &**name))?;
        let form = SqlTime::on(dialect, self.expires_form, self.on_mysql, STORE)?;
        Ok(self.statements_with(dialect, form))
    }

    fn statements_with(&self, dialect: Dialect, form: SqlTime) -> Statements {
        let quote = |name: &str| dialect.quote(name);
        let of_session = |name: &str| format!("s.{}", quote(name));
        let of_user = |name: &str| format!("u.{}", quote(name));
        let sessions = dialect.table(self.schema.as_deref(), &self.sessions);
        let users = dialect.table(self.schema.as_deref(), &self.users);

        let mut values =
            vec![selected(form, dialect, &of_session(&self.expires)), of_user(&self.user_id)];
        values.extend(self.user_columns.iter().map(|(_, column)| of_user(column)));
        let (token, times) = (quote(&self.session_token), [(quote(&self.expires), Moment::Expiry)]);
        let table = Table { dialect, form, name: sessions, token };
        // The schema of @auth/pg-adapter allows several sessions of one token, of which the package takes the first one.
        table.statements(&times, |slots| {
            format!(
                "SELECT {} FROM (SELECT * FROM {} WHERE {} LIMIT 1) s JOIN {users} u ON {} = {}",
                dialect.json_array(&values),
                table.name,
                slots.is_token(&table.token),
                of_user(&self.user_id),
                of_session(&self.session_user),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::ErrorKind;

    use super::*;

    #[test]
    fn what_no_database_has_is_refused() {
        for (tables, dialect, part) in [
            (AuthTables::drizzle().with_sessions(""), Dialect::Postgres, "must not be empty"),
            (AuthTables::prisma().with_schema("a\0"), Dialect::MySql, "control characters"),
            (
                AuthTables::prisma().with_expires("expires", SqlTime::UtcDateTime),
                Dialect::Sqlite,
                "SqlTime::UtcDateTime does not exist in SQLite",
            ),
        ] {
            let error = tables.statements(dialect).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_member_has_one_column() {
        let tables =
            AuthTables::drizzle().with_user_column("name", "full").with_user_column("a", "b");
        assert_eq!(tables.members().collect::<Vec<_>>(), ["name", "email", "image", "a"]);
        let statements = format!("{:?}", tables.statements(Dialect::Sqlite).unwrap());
        assert!(statements.contains("full") && !statements.contains("u.\\\"name"), "{statements}");
    }
}
