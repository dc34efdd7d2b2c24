//! memcached's older text protocol on a connection of its own, for what the client has no words for: statistics,
//! flushing, and the listing.

use std::{future::Future, time::Instant};

use cloakroom_core::{Error, ErrorKind};
use memcache::exp::Error as ClientError;
use tokio::time::timeout_at;

use crate::{
    call::Call,
    connection::{Connection, TEXT, unintelligible},
    error,
    server::Server,
};

/// A connection for some commands in a row.
pub(crate) struct Plain<'a> {
    server: &'a Server,
    connection: Connection,
}

impl<'a> Plain<'a> {
    /// Connects, sends a first command, and returns the first line of its answer.
    pub(crate) async fn start(
        server: &'a Server,
        call: &Call,
        command: &str,
    ) -> Result<(Self, String), Error> {
        let pool = &*server.pool(call)?;
        let attempt = async {
            let mut pass = pool.gate.pass().await?;
            let mut plain = Self { server, connection: server.connect(pool, &pass).await? };
            let began = Instant::now();
            match pass.hold(server.timeout, plain.ask(call, command)).await {
                Ok(line) => {
                    pool.gate.answered();
                    Ok((plain, line))
                }
                Err(cause) => {
                    pool.gate.failed(&pass, began, &cause);
                    Err(cause)
                }
            }
        };
        within(call, server, attempt).await
    }

    async fn ask(&mut self, call: &Call, command: &str) -> Result<String, ClientError> {
        self.send_now(call, command).await?;
        let line = self.next_line(call).await?;
        // The whole answer of a server without room for another connection.
        if line.starts_with("ERROR") {
            Err(ClientError::Rejected("ERROR".to_owned()))
        } else {
            Ok(line)
        }
    }

    pub(crate) async fn send(&mut self, call: &Call, command: &str) -> Result<(), Error> {
        let server = self.server;
        within(call, server, self.send_now(call, command)).await
    }

    /// One line, without its end.
    pub(crate) async fn line(&mut self, call: &Call) -> Result<String, Error> {
        let server = self.server;
        within(call, server, self.next_line(call)).await
    }

    async fn send_now(&mut self, call: &Call, command: &str) -> Result<(), ClientError> {
        let sent = self.connection.send(command.as_bytes(), command.len()).await;
        if self.connection.sent() {
            call.lose_answer();
        }
        sent.map_err(|cause| lost(cause.into()))
    }

    async fn next_line(&mut self, call: &Call) -> Result<String, ClientError> {
        let line = self.connection.line(&TEXT).await.map_err(lost)?;
        call.find_answer();
        String::from_utf8(line).map_err(|_| unintelligible())
    }

    /// The answer to a command that fits none of those that it has.
    pub(crate) fn unexpected(&self, call: &Call) -> Error {
        error::unintelligible(call, &self.server.name)
    }

    /// The server was started so that it does not do this.
    pub(crate) fn not_offered(&self, call: &Call, why: &str) -> Error {
        error::new(call, ErrorKind::Unsupported, format!("{} {why}", self.server.name))
    }

    /// Returns one number of the statistics whose first line has been read, or `None` if they have no such name.
    pub(crate) async fn stat(
        &mut self,
        call: &Call,
        first: String,
        name: &str,
    ) -> Result<Option<u64>, Error> {
        let mut line = first;
        let mut found = None;
        loop {
            let mut words = line.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("END"), ..) => return Ok(found),
                (Some("STAT"), Some(stat), Some(value)) => {
                    if stat == name {
                        found = value.parse().ok();
                    }
                }
                _ => return Err(self.unexpected(call)),
            }
            line = self.line(call).await?;
        }
    }
}

/// In the wrapping of a connection that was there and went away.
fn lost(cause: ClientError) -> ClientError {
    ClientError::Ambiguous { key: Vec::new(), source: Box::new(cause) }
}

async fn within<T>(
    call: &Call,
    server: &Server,
    step: impl Future<Output = Result<T, ClientError>> + Send,
) -> Result<T, Error> {
    let outcome = timeout_at(call.deadline, step).await;
    match outcome {
        Ok(done) => done.map_err(|cause| error::of_client(call, &server.name, cause)),
        Err(_) => Err(error::timed_out(call)),
    }
}

/// The most bytes that an item of this server has, by its settings; `None` if it does not tell. On a connection that is
/// closed again.
pub(crate) async fn largest_item(server: &Server, call: &Call) -> Result<Option<u64>, Error> {
    let (mut plain, first) = Plain::start(server, call, "stats settings\r\n").await?;
    plain.stat(call, first, "item_size_max").await
}

/// Empties a server.
pub(crate) async fn flush(server: &Server, call: &Call) -> Result<(), Error> {
    if server.is_of_client() {
        let why = "flush_servers needs the servers' addresses, which the client does not tell";
        return Err(error::new(call, ErrorKind::Unsupported, why));
    }
    let (plain, line) = Plain::start(server, call, "flush_all\r\n").await?;
    match line.as_str() {
        "OK" => Ok(()),
        // `-F` says so: "CLIENT_ERROR flush_all not allowed".
        line if line.starts_with("CLIENT_ERROR") => {
            Err(plain.not_offered(call, "does not allow flush_all (-F)"))
        }
        _ => Err(plain.unexpected(call)),
    }
}
