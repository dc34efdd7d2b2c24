//! A connection of the crate `redis` that the application shares with the store.

use std::sync::{Mutex, PoisonError};

use cloakroom_backend::{Needs, Operation, Runtimes};
use cloakroom_core::{Error, ErrorKind};
use futures::{FutureExt, future::BoxFuture};
use redis::{Cmd, RedisError, ServerError, Value, aio::ConnectionLike};

use crate::{
    error,
    mode::{About, Mode},
};

/// A connection that can send commands.
trait Sender: Send + Sync {
    fn send<'a>(&self, command: &'a Cmd) -> BoxFuture<'a, Result<Value, RedisError>>;
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Sender for C {
    fn send<'a>(&self, command: &'a Cmd) -> BoxFuture<'a, Result<Value, RedisError>> {
        // Sending needs `&mut`. The clone is a handle on the same socket.
        let mut connection = self.clone();
        async move { connection.req_packed_command(command).await }.boxed()
    }
}

/// The application's connection. Its type is erased, so that `RedisStore` has no type parameter.
pub(crate) struct Given {
    sender: Box<dyn Sender>,
    runtimes: Runtimes,
    /// What the server says about itself. `None` until it has been asked.
    about: Mutex<Option<About>>,
}

impl Given {
    pub(crate) fn new(connection: impl ConnectionLike + Clone + Send + Sync + 'static) -> Self {
        Self {
            sender: Box::new(connection),
            runtimes: Runtimes::new(Needs::Time),
            about: Mutex::default(),
        }
    }

    /// Sends one command and returns the server's answer, which may be an error reply. It ends at the call's deadline.
    pub(crate) async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        if self.about(operation).await?.mode == Mode::Sentinel {
            let message = "the connection leads to a Redis Sentinel, which stores no sessions; connect to the master";
            return Err(operation.error(ErrorKind::Config, message));
        }
        loop {
            match self.ask(operation, command).await {
                Err(Failure::Late) => return Err(operation.timeout()),
                Err(Failure::Lost(cause)) => {
                    if cause.is_timeout() || !operation.repeat() {
                        return Err(error::lost(operation, cause));
                    }
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// Rejects an operation that would reach only a part of the keys.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) on a Redis Cluster.
    pub(crate) async fn needs_all_keys(&self, operation: &Operation) -> Result<(), Error> {
        match self.about(operation).await?.mode {
            Mode::Cluster => {
                let message = "the keys of a Redis Cluster cannot be listed";
                Err(operation.error(ErrorKind::Unsupported, message))
            }
            _ => Ok(()),
        }
    }

    /// Returns what the server says about itself, and asks it at the first call. A store cannot see from the connection if
    /// it leads to a cluster, whose keys cannot be listed; then one of its nodes answers.
    pub(crate) async fn about(&self, operation: &Operation) -> Result<About, Error> {
        self.runtimes.current(operation)?;
        if let Some(about) = *self.about.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(about);
        }
        let operation = &operation.reading();
        let mut answer = self.ask(operation, &redis::cmd("HELLO")).await;
        let mut read: fn(&Value) -> About = About::from_hello;
        // Before Redis 6.2, HELLO is unknown or requires a protocol version, which the application has chosen already.
        if matches!(answer, Ok(Value::ServerError(_))) {
            answer = self.ask(operation, redis::cmd("INFO").arg("server")).await;
            read = About::from_info;
        }
        let about = match answer {
            // The user may lack the permission to ask, so this answer is not remembered.
            Ok(Value::ServerError(_)) => return Ok(About::default()),
            Ok(answer) => read(&answer),
            Err(Failure::Late) => return Err(operation.timeout()),
            Err(Failure::Lost(cause)) => return Err(error::lost(operation, cause)),
        };
        *self.about.lock().unwrap_or_else(PoisonError::into_inner) = Some(about);
        Ok(about)
    }

    /// Sends one command without repeating it. An error reply of the server is an answer here.
    async fn ask(&self, operation: &Operation, command: &Cmd) -> Result<Value, Failure> {
        let Some(answer) = operation.within(self.sender.send(command)).await else {
            operation.lose_answer();
            return Err(Failure::Late);
        };
        // Some connections return an error reply as `Err`, others as a value.
        let cause = match answer.map_err(ServerError::try_from) {
            Ok(answer) => return Ok(answer),
            Err(Ok(refusal)) => return Ok(Value::ServerError(refusal)),
            Err(Err(cause)) => cause,
        };
        if !cause.is_connection_refusal() {
            operation.lose_answer();
        }
        Err(Failure::Lost(cause))
    }
}

enum Failure {
    /// The deadline passed.
    Late,
    /// The connection was lost, or gave up waiting.
    Lost(RedisError),
}
