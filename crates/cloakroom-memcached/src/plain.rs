//! memcached's older text protocol on a separate connection, for commands that the crate `memcache` does not offer:
//! statistics, flushing and the listing.

use std::{future::Future, time::Instant};

use cloakroom_backend::Operation;
use cloakroom_core::{Error, ErrorKind};
use memcache::exp::Error as ClientError;

use crate::{
    connection::{Connection, TEXT, unintelligible},
    error,
    server::Server,
};

/// A connection for a few commands in a row.
pub(crate) struct Plain<'a> {
    server: &'a Server,
    connection: Connection,
}

impl<'a> Plain<'a> {
    /// Connects, sends a first command, and returns the first line of its answer.
    pub(crate) async fn start(
        server: &'a Server,
        operation: &Operation,
        command: &str,
    ) -> Result<(Self, String), Error> {
        let pool = &*server.pool(operation)?;
        let attempt = async {
            let mut pass = pool.gate.pass(server.timeout).await?;
            let mut plain = Self { server, connection: server.connect(pool, &pass).await? };
            let began = Instant::now();
            match pass.hold(server.timeout, plain.ask(operation, command)).await {
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
        within(operation, server, attempt).await
    }

    /// Sends the first command and returns the first line of the answer. Only then is it known that the server accepts
    /// connections.
    async fn ask(&mut self, operation: &Operation, command: &str) -> Result<String, ClientError> {
        self.send_now(operation, command).await?;
        let line = self.next_line(operation).await?;
        // This is the whole answer of a server that accepts no more connections.
        if line.starts_with("ERROR") {
            return Err(ClientError::Rejected("ERROR".to_owned()));
        }
        match line.strip_prefix("CLIENT_ERROR ") {
            Some(error::UNAUTHENTICATED) => {
                Err(ClientError::Rejected(error::UNAUTHENTICATED.to_owned()))
            }
            _ => Ok(line),
        }
    }

    pub(crate) async fn send(&mut self, operation: &Operation, command: &str) -> Result<(), Error> {
        let server = self.server;
        within(operation, server, self.send_now(operation, command)).await
    }

    /// Reads one line and returns it without its end.
    pub(crate) async fn line(&mut self, operation: &Operation) -> Result<String, Error> {
        let server = self.server;
        within(operation, server, self.next_line(operation)).await
    }

    async fn send_now(&mut self, operation: &Operation, command: &str) -> Result<(), ClientError> {
        let sent = self.connection.send(command.as_bytes(), command.len()).await;
        if self.connection.sent() {
            operation.lose_answer();
        }
        sent.map_err(|cause| lost(cause.into()))
    }

    async fn next_line(&mut self, operation: &Operation) -> Result<String, ClientError> {
        let line = self.connection.line(&TEXT).await.map_err(lost)?;
        operation.find_answer();
        String::from_utf8(line).map_err(|_| unintelligible())
    }

    /// Returns the error for an answer that the command never gets.
    pub(crate) fn unexpected(&self, operation: &Operation) -> Error {
        error::unintelligible(operation, &self.server.name)
    }

    /// Returns the error for a command that the server was configured not to offer.
    pub(crate) fn not_offered(&self, operation: &Operation, why: &str) -> Error {
        operation.error(ErrorKind::Unsupported, format!("{} {why}", self.server.name))
    }

    /// Returns one number of the statistics whose first line has been read, or `None` if the name is missing.
    pub(crate) async fn stat(
        &mut self,
        operation: &Operation,
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
                _ => return Err(self.unexpected(operation)),
            }
            line = self.line(operation).await?;
        }
    }
}

/// Wraps an error as that of a connection that was made and then lost.
fn lost(cause: ClientError) -> ClientError {
    ClientError::Ambiguous { key: Vec::new(), source: Box::new(cause) }
}

async fn within<T>(
    operation: &Operation,
    server: &Server,
    step: impl Future<Output = Result<T, ClientError>> + Send,
) -> Result<T, Error> {
    match operation.within(step).await {
        Some(done) => done.map_err(|cause| error::of_client(operation, &server.name, cause)),
        None => Err(operation.timeout()),
    }
}

/// Returns the largest item of this server in bytes, from its settings, or `None` if it does not report them. It uses a
/// connection of its own and closes it.
pub(crate) async fn largest_item(
    server: &Server,
    operation: &Operation,
) -> Result<Option<u64>, Error> {
    let (mut plain, first) = Plain::start(server, operation, "stats settings\r\n").await?;
    plain.stat(operation, first, "item_size_max").await
}

/// Empties a server.
pub(crate) async fn flush(server: &Server, operation: &Operation) -> Result<(), Error> {
    if server.is_of_client() {
        let why = "flush_servers requires the servers' addresses, which a client given by the application does not expose";
        return Err(operation.error(ErrorKind::Unsupported, why));
    }
    let (plain, line) = Plain::start(server, operation, "flush_all\r\n").await?;
    match line.as_str() {
        "OK" => Ok(()),
        // A server with `-F` answers "CLIENT_ERROR flush_all not allowed".
        line if line.starts_with("CLIENT_ERROR") => {
            Err(plain.not_offered(operation, "does not allow flush_all (-F)"))
        }
        _ => Err(plain.unexpected(operation)),
    }
}
