//! A connection that one call uses. It ends in one of three ways, and each says something about the server: answered,
//! lost, or given up while the server was silent.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use cloakroom_backend::Operation;
use memcache::exp::{Error as ClientError, MetaCommandResult};
use smallvec::SmallVec;

use crate::{connection::Connection, gate::Pass, pool::Pool};

type ClientResult<T> = Result<T, ClientError>;

/// The answers to commands that were sent together. Nearly always it is one, which then needs no memory of its own.
pub(crate) type Answers<T> = SmallVec<[T; 1]>;

/// A lease ends with [`keep`](Self::keep) or [`lose`](Self::lose). If its call is dropped or meets its deadline, the
/// connection is given up.
pub(crate) struct Lease<'a> {
    pool: &'a Pool,
    operation: &'a Operation,
    /// How long other calls wait for this call's answer, and how long a connection may be silent if its call was
    /// dropped before its deadline.
    patience: Duration,
    connection: Option<Connection>,
    /// The permission with which the connection was made, if it was made for this call.
    pass: Option<Pass<'a>>,
    /// When the command was sent, until it is answered.
    asked: Option<Instant>,
}

impl<'a> Lease<'a> {
    pub(crate) fn new(
        pool: &'a Pool,
        operation: &'a Operation,
        patience: Duration,
        connection: Connection,
        pass: Option<Pass<'a>>,
    ) -> Self {
        Self { pool, operation, patience, connection: Some(connection), pass, asked: None }
    }

    /// Sends commands and returns their answers, which may be the server's errors. The first command has `first` bytes.
    pub(crate) async fn ask(
        &mut self,
        commands: &[u8],
        first: usize,
        answers: usize,
    ) -> ClientResult<Answers<ClientResult<MetaCommandResult>>> {
        let Some(connection) = &mut self.connection else { return Ok(Answers::new()) };
        self.asked = Some(Instant::now());
        let exchange = pin!(async {
            connection.send(commands, first).await?;
            let mut all = Answers::with_capacity(answers);
            for _ in 0..answers {
                match connection.answer().await {
                    Err(cause @ ClientError::Server(_)) => all.push(Err(cause)),
                    answer => all.push(Ok(answer?)),
                }
            }
            Ok(all)
        });
        match &mut self.pass {
            Some(pass) => pass.hold(self.patience, exchange).await,
            None => exchange.await,
        }
    }

    /// Returns the connection to the pool after all commands were answered.
    pub(crate) fn keep(mut self) {
        self.asked = None;
        self.pool.gate.answered();
        if let Some(connection) = self.connection.take() {
            self.pool.put_back(connection);
        }
    }

    /// Gives up the connection. Returns the cause, wrapped as `Ambiguous` if the server may have the command.
    pub(crate) fn lose(mut self, cause: ClientError) -> ClientError {
        let (Some(asked), Some(connection)) = (self.asked.take(), self.connection.take()) else {
            return cause;
        };
        self.pool.gate.left("closed");
        match &self.pass {
            Some(pass) => self.pool.gate.failed(pass, asked, &cause),
            None => self.pool.gate.lost(asked),
        }
        if matches!(cause, ClientError::Rejected(_)) {
            return cause;
        }
        self.pool.give_up_older(asked);
        if connection.sent() {
            return ClientError::Ambiguous { key: Vec::new(), source: Box::new(cause) };
        }
        cause
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let (Some(asked), Some(connection)) = (self.asked, &self.connection) else { return };
        if connection.sent() {
            self.operation.lose_answer();
        }
        if connection.is_answering() {
            return;
        }
        // A caller in a hurry proves nothing about other callers' connections.
        let limit = self.patience.min(self.operation.patience());
        if self.pool.gate.is_silent(asked, limit) {
            self.pool.give_up_older(asked);
            // If another call was answered since, this one was only slow.
            if !self.pool.gate.has_answered_since(asked) {
                self.pool.gate.left("silent");
                self.pool.gate.lost(asked);
            }
        }
    }
}
