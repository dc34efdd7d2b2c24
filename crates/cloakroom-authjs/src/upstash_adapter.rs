//! The keys of `@auth/upstash-redis-adapter`.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use cloakroom_backend::{Idempotency, Needs, Operation, Runtimes};
use cloakroom_core::{Error, ErrorKind, json, parse_date, to_iso_string};
use redis::{Cmd, RedisError, Value, aio::ConnectionLike, cmd};

use crate::{AuthAdapter, Claims, SessionAndUser};

const STORE: &str = "upstash";

/// Reads the sessions of `@auth/upstash-redis-adapter` 2 on any server that speaks the Redis protocol, from version 6.0
/// on.
///
/// The keys are `user:session:<token>` and `user:<id>` by default, and no key expires. The npm adapter extends a session
/// by `GET` and `SET`, so a logout between the two is undone; here the second command is `SET … XX`, which creates
/// nothing.
///
/// It uses a connection of the application, such as a `MultiplexedConnection`, a `ConnectionManager` or a
/// `ClusterConnection`. It needs a runtime of tokio with timers.
///
/// ```no_run
/// use cloakroom_authjs::{AuthJs, AuthJsOptions, UpstashAdapter};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = redis::Client::open("redis://localhost")?;
/// let adapter = UpstashAdapter::new(client.get_multiplexed_async_connection().await?);
/// let auth = AuthJs::database(AuthJsOptions::auth_js_5(), adapter)?;
/// # let _ = auth;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UpstashAdapter<C> {
    connection: C,
    base_key_prefix: String,
    session_key_prefix: String,
    user_key_prefix: String,
    deadline: Duration,
    runtimes: Arc<Runtimes>,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> UpstashAdapter<C> {
    /// Creates an adapter on a connection of the application.
    #[must_use]
    pub fn new(connection: C) -> Self {
        Self {
            connection,
            base_key_prefix: String::new(),
            session_key_prefix: "user:session:".to_owned(),
            user_key_prefix: "user:".to_owned(),
            deadline: Duration::from_secs(5),
            runtimes: Arc::new(Runtimes::new(Needs::Time)),
        }
    }

    /// Sets the adapter's option `baseKeyPrefix`, such as `app:`. Empty by default.
    #[must_use]
    pub fn with_base_key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.base_key_prefix = prefix.into();
        self
    }

    /// Sets the adapter's option `sessionKeyPrefix`, which follows `baseKeyPrefix`. `user:session:` by default.
    #[must_use]
    pub fn with_session_key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.session_key_prefix = prefix.into();
        self
    }

    /// Sets the adapter's option `userKeyPrefix`, which follows `baseKeyPrefix`. `user:` by default.
    #[must_use]
    pub fn with_user_key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.user_key_prefix = prefix.into();
        self
    }

    /// Sets how long a call waits for the server. 5 seconds by default.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    fn session_key(&self, token: &str) -> String {
        format!("{}{}{token}", self.base_key_prefix, self.session_key_prefix)
    }

    /// Returns the session of a token, as the text of a JSON object.
    ///
    /// Under `sessionByUserIdKeyPrefix`, which begins with `sessionKeyPrefix` by default, the adapter keeps the key of a
    /// user's session. A token that points there, `by-user-id:1` for instance, is not that of a session.
    async fn session(&self, operation: &Operation, token: &str) -> Result<Option<Claims>, Error> {
        let text = self.get(operation, &self.session_key(token)).await?;
        let prefix = self.session_key("");
        let text = text.filter(|text| prefix.is_empty() || !text.starts_with(&prefix));
        text.map(|text| object(operation, &text)).transpose()
    }

    async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        self.runtimes.current(operation)?;
        let mut connection = self.connection.clone();
        match operation.within(connection.req_packed_command(command)).await {
            Some(answer) => answer.and_then(Value::extract_error).map_err(|cause| {
                if cause.is_io_error() {
                    operation.lose_answer();
                }
                failed(operation, &cause)
            }),
            None => {
                operation.lose_answer();
                Err(operation.timeout())
            }
        }
    }

    /// Returns the text under a key.
    async fn get(&self, operation: &Operation, key: &str) -> Result<Option<String>, Error> {
        let text = match self.send(operation, cmd("GET").arg(key)).await? {
            Value::Nil => return Ok(None),
            Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| corrupt(operation))?,
            Value::SimpleString(text) => text,
            _ => return Err(corrupt(operation)),
        };
        // The npm adapter takes what JavaScript calls falsy for nothing.
        Ok((text != "null").then_some(text))
    }
}

#[async_trait]
impl<C: ConnectionLike + Clone + Send + Sync + 'static> AuthAdapter for UpstashAdapter<C> {
    async fn get_session_and_user(&self, token: &str) -> Result<Option<SessionAndUser>, Error> {
        let name = "get_session_and_user";
        let operation = Operation::start(STORE, name, Idempotency::Read, self.deadline);
        let Some(session) = self.session(&operation, token).await? else { return Ok(None) };
        let expires = session.text("expires").and_then(|expires| parse_date(&expires));
        let user_id = session.text("userId");
        let (Some(expires_at_ms), Some(user_id)) = (expires, user_id) else {
            return Err(corrupt(&operation));
        };
        let key = format!("{}{}{user_id}", self.base_key_prefix, self.user_key_prefix);
        let user = self.get(&operation, &key).await?;
        let user = user.map(|user| object(&operation, &user)).transpose()?;
        Ok(user.map(|user| SessionAndUser::new(expires_at_ms, user_id, user)))
    }

    async fn update_session(&self, token: &str, expires_at_ms: i64) -> Result<bool, Error> {
        let name = "update_session";
        let operation = Operation::start(STORE, name, Idempotency::Repeatable, self.deadline);
        let Some(mut session) = self.session(&operation, token).await? else { return Ok(false) };
        let mut expires = String::new();
        let text = to_iso_string(expires_at_ms).ok_or_else(|| {
            operation.error(ErrorKind::InvalidData, "the expiry is beyond the dates of JavaScript")
        })?;
        json::quote(&text, &mut expires);
        session.set("expires", expires);
        // XX: a logout that came in between stays one.
        let mut set = cmd("SET");
        let set = set.arg(self.session_key(token)).arg(session.to_json()).arg("XX").arg("KEEPTTL");
        Ok(self.send(&operation, set).await? != Value::Nil)
    }

    async fn delete_session(&self, token: &str) -> Result<(), Error> {
        let name = "delete_session";
        let operation = Operation::start(STORE, name, Idempotency::Repeatable, self.deadline);
        self.send(&operation, cmd("DEL").arg(self.session_key(token))).await.map(drop)
    }
}

fn object(operation: &Operation, text: &str) -> Result<Claims, Error> {
    Claims::from_json(text).map_err(|_| corrupt(operation))
}

fn corrupt(operation: &Operation) -> Error {
    operation.error(ErrorKind::Corrupt, "the value under a key is not that of the npm adapter")
}

/// Returns the error for a failed command. The server's text can quote the key, so it is not passed on.
fn failed(operation: &Operation, cause: &RedisError) -> Error {
    let (kind, message) = if cause.is_timeout() {
        (ErrorKind::Timeout, "no answer within the connection's own response timeout")
    } else if cause.is_io_error() || cause.is_connection_refusal() {
        (ErrorKind::Unavailable, "the connection was lost")
    } else {
        match cause.code() {
            Some("LOADING" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY") => {
                (ErrorKind::Unavailable, "the server does not accept commands at the moment")
            }
            Some("OOM") => (ErrorKind::Full, "the server is out of memory"),
            Some("NOAUTH" | "WRONGPASS" | "NOPERM") => {
                (ErrorKind::Config, "the user lacks a permission that the adapter needs")
            }
            Some("WRONGTYPE") => (ErrorKind::Corrupt, "a key does not hold a string"),
            _ => (ErrorKind::Other, "the server rejected the command"),
        }
    };
    operation.error(kind, message)
}

impl<C> fmt::Debug for UpstashAdapter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstashAdapter")
            .field("base_key_prefix", &self.base_key_prefix)
            .field("session_key_prefix", &self.session_key_prefix)
            .field("user_key_prefix", &self.user_key_prefix)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use redis::{Pipeline, RedisFuture};

    use super::*;

    /// A connection to a server with one session, whose token is `a`, and its user.
    #[derive(Clone)]
    struct Server;

    impl ConnectionLike for Server {
        fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
            let key = match command.args_iter().nth(1) {
                Some(redis::Arg::Simple(key)) => key,
                _ => b"",
            };
            let text = match key {
                b"a" => r#"{"userId":"1","expires":"2026-01-01T00:00:00.000Z"}"#,
                _ => r#"{"id":"1"}"#,
            };
            Box::pin(async move { Ok(Value::BulkString(text.into())) })
        }

        fn req_packed_commands<'a>(
            &'a mut self,
            _: &'a Pipeline,
            _: usize,
            _: usize,
        ) -> RedisFuture<'a, Vec<Value>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn get_db(&self) -> i64 {
            0
        }
    }

    #[tokio::test]
    async fn a_prefix_of_sessions_may_be_empty() {
        let adapter = UpstashAdapter::new(Server).with_session_key_prefix("");
        assert!(adapter.get_session_and_user("a").await.unwrap().is_some());
    }
}
