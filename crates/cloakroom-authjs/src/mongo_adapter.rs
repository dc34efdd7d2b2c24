//! The collections of `@auth/mongodb-adapter`.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Needs, Operation, Runtimes};
use cloakroom_core::{Error, ErrorKind, json};
use mongodb::{
    Collection, Database,
    bson::{Bson, DateTime, Document, doc},
    error::{Error as MongoError, ErrorKind as MongoKind, Result as MongoResult},
    options::{CollectionOptions, ReadPreference, SelectionCriteria},
};

use crate::{AuthAdapter, Claims, SessionAndUser};

const STORE: &str = "mongodb";

/// Reads the sessions of `@auth/mongodb-adapter` 3: the collections `sessions` and `users`.
///
/// The npm adapter makes no index. Make one on `sessionToken`, or each request looks at every session.
///
/// It uses a database of the application's client, always on the primary, because a secondary may not know yet who has
/// logged out. It needs a runtime of tokio, on which the driver works.
///
/// ```no_run
/// use cloakroom_authjs::{AuthJs, AuthJsOptions, MongoAdapter};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = mongodb::Client::with_uri_str("mongodb://localhost").await?;
/// let auth = AuthJs::database(AuthJsOptions::auth_js_5(), MongoAdapter::new(&client.database("shop")))?;
/// # let _ = auth;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MongoAdapter {
    database: Database,
    sessions: String,
    users: String,
    deadline: Duration,
    runtimes: Arc<Runtimes>,
}

impl MongoAdapter {
    /// Creates an adapter on a database of the application.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            sessions: "sessions".to_owned(),
            users: "users".to_owned(),
            deadline: Duration::from_secs(5),
            runtimes: Arc::new(Runtimes::new(Needs::TimeAndIo)),
        }
    }

    /// Sets the adapter's option `collections.Sessions`. `sessions` by default.
    #[must_use]
    pub fn with_sessions(mut self, collection: impl Into<String>) -> Self {
        self.sessions = collection.into();
        self
    }

    /// Sets the adapter's option `collections.Users`. `users` by default.
    #[must_use]
    pub fn with_users(mut self, collection: impl Into<String>) -> Self {
        self.users = collection.into();
        self
    }

    /// Sets how long a call waits for the server. 5 seconds by default.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    fn collection(&self, name: &str) -> Collection<Document> {
        let primary = SelectionCriteria::from(ReadPreference::Primary);
        let options = CollectionOptions::builder().selection_criteria(primary).build();
        self.database.collection_with_options(name, options)
    }

    fn start(&self, name: &'static str, idempotency: Idempotency) -> Operation {
        Operation::start(STORE, name, idempotency, self.deadline)
    }

    /// Runs an operation of the driver as a task, and waits for it. Dropping a future of the driver can break its client
    /// (RUST-937), so the task goes on when the deadline has passed.
    async fn run<T: Send + 'static>(
        &self,
        operation: &Operation,
        work: impl Future<Output = MongoResult<T>> + Send + 'static,
    ) -> Result<T, Error> {
        let task = self.runtimes.current(operation)?.spawn(work);
        let answer = operation.within(task).await;
        if let Some(Ok(Ok(answer))) = answer {
            return Ok(answer);
        }
        operation.lose_answer();
        Err(match answer {
            Some(Ok(Err(cause))) => failed(operation, &cause),
            None => operation.timeout(),
            _ => operation.error(ErrorKind::Unavailable, "the runtime of the client has ended"),
        })
    }
}

#[async_trait]
impl AuthAdapter for MongoAdapter {
    async fn get_session_and_user(&self, token: &str) -> Result<Option<SessionAndUser>, Error> {
        let operation = self.start("get_session_and_user", Idempotency::Read);
        let (sessions, users) = (self.collection(&self.sessions), self.collection(&self.users));
        let by_token = doc! { "sessionToken": token };
        let session =
            self.run(&operation, async move { sessions.find_one(by_token).await }).await?;
        let Some(session) = session else { return Ok(None) };
        let (Some(Bson::DateTime(expires)), Some(user_id)) =
            (session.get("expires"), session.get("userId"))
        else {
            let message = "a session has no expiry or no user";
            return Err(operation.error(ErrorKind::Corrupt, message));
        };
        let by_id = doc! { "_id": user_id.clone() };
        let user = self.run(&operation, async move { users.find_one(by_id).await }).await?;
        let user_id = match user_id {
            Bson::ObjectId(id) => id.to_hex(),
            Bson::String(id) => id.clone(),
            other => other.to_string(),
        };
        let found = |user| SessionAndUser::new(expires.timestamp_millis(), user_id, members(&user));
        Ok(user.map(found))
    }

    async fn update_session(&self, token: &str, expires_at_ms: i64) -> Result<bool, Error> {
        let operation = self.start("update_session", Idempotency::Repeatable);
        let sessions = self.collection(&self.sessions);
        let by_token = doc! { "sessionToken": token };
        let change = doc! { "$set": { "expires": DateTime::from_millis(expires_at_ms) } };
        let work = async move { sessions.update_one(by_token, change).await };
        Ok(self.run(&operation, work).await?.matched_count > 0)
    }

    async fn delete_session(&self, token: &str) -> Result<(), Error> {
        let operation = self.start("delete_session", Idempotency::Repeatable);
        let sessions = self.collection(&self.sessions);
        let by_token = doc! { "sessionToken": token };
        self.run(&operation, async move { sessions.delete_one(by_token).await }).await.map(drop)
    }
}

/// Returns the members of a user that are texts, numbers, booleans or null.
fn members(user: &Document) -> Claims {
    let mut members = Claims::new();
    for (name, value) in user {
        let json = match value {
            Bson::String(text) => {
                let mut json = String::new();
                json::quote(text, &mut json);
                json
            }
            Bson::Null => "null".to_owned(),
            Bson::Boolean(value) => value.to_string(),
            Bson::Int32(value) => value.to_string(),
            Bson::Int64(value) => value.to_string(),
            Bson::Double(value) if value.is_finite() => value.to_string(),
            _ => continue,
        };
        members.set(name, json);
    }
    members
}

/// Returns the error for a failed operation. The driver's text can quote the token, so it is not passed on.
fn failed(operation: &Operation, cause: &MongoError) -> Error {
    let (kind, message) = match &*cause.kind {
        MongoKind::ServerSelection { .. } | MongoKind::ConnectionPoolCleared { .. } => {
            (ErrorKind::Unavailable, "no server can be reached")
        }
        MongoKind::Io(_) => (ErrorKind::Unavailable, "the connection was lost"),
        MongoKind::Authentication { .. } => {
            (ErrorKind::Config, "the server rejected the user name or the password")
        }
        MongoKind::InvalidArgument { .. } => (ErrorKind::Config, "the driver rejected an option"),
        MongoKind::BsonDeserialization(_) => (ErrorKind::Corrupt, "a document cannot be read"),
        _ => (ErrorKind::Other, "the server rejected the operation"),
    };
    operation.error(kind, message)
}
