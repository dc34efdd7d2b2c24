//! One server: a client for it that is made on first use, and made again when its connections are lost.
//!
//! Each server has a client of its own. One client for all would look up all addresses first, so that a name that
//! cannot be resolved takes all servers with it, and would never look one up again; and it would ask its ring with the
//! key on the wire, where npm's asks with the key before its digest.

use std::{
    future::Future,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use memcache::exp::{AsyncMetaClient, Error as ClientError, MetaClientBuilder, Operation};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout_at};

use crate::{
    MemcachedOptions,
    call::{Call, Effect},
    error,
    limit::Limit,
    target::Host,
};

type ClientResult<T> = Result<T, ClientError>;

pub(crate) struct Server {
    /// As the URL has it, for messages.
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) limit: Limit,
    pool_size: usize,
    /// How long connecting takes at most.
    pub(crate) timeout: Duration,
    /// One for each connection. The client has such a limit too, but lets nobody wait for as long as a call can.
    permits: Semaphore,
    client: Mutex<Option<Arc<AsyncMetaClient>>>,
}

impl Server {
    pub(crate) fn new(host: &Host, options: &MemcachedOptions) -> Self {
        let pool_size = options.pool_size.min(Semaphore::MAX_PERMITS);
        Self {
            name: host.on_ring.name.clone(),
            host: host.host.clone(),
            port: host.port,
            limit: Limit::new(options.max_value),
            pool_size,
            timeout: options.timeout,
            permits: Semaphore::new(pool_size),
            client: Mutex::new(None),
        }
    }

    /// Sends one command and returns its answer.
    pub(crate) async fn run<O>(&self, call: &Call, operation: O) -> Result<O::Output, Error>
    where
        O: Operation + Clone + Send + Sync,
    {
        self.exchange(call, |client| {
            let operation = operation.clone();
            async move { client.run(operation).await }
        })
        .await
    }

    /// Sends several commands of one kind at once, none of which can be refused by itself.
    pub(crate) async fn run_many<O>(
        &self,
        call: &Call,
        operations: &[O],
    ) -> Result<Vec<O::Output>, Error>
    where
        O: Operation + Clone + Send + Sync,
        O::Output: Send,
    {
        self.exchange(call, |client| {
            let operations = operations.to_vec();
            async move { client.run_many(operations).await?.into_iter().collect() }
        })
        .await
    }

    /// Asks the server whether it is there.
    pub(crate) async fn noop(&self, call: &Call) -> Result<(), Error> {
        self.exchange(call, |client| async move { client.noop().await }).await
    }

    /// It ends at the call's deadline. A command that can be repeated is, once, when the connection is lost; so is one
    /// that has not been sent.
    async fn exchange<T, F>(
        &self,
        call: &Call,
        command: impl Fn(Arc<AsyncMetaClient>) -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = ClientResult<T>> + Send,
    {
        check_runtime(call)?;
        // What can have sent the command when the time is up.
        let mut used = None;
        let attempts = async {
            let _permit = self.permits.acquire().await;
            let mut repeated = false;
            loop {
                let client = self.client().await?;
                used = Some(Arc::clone(&client));
                let cause = match command(Arc::clone(&client)).await {
                    Ok(answer) => return Ok(answer),
                    Err(cause) => cause,
                };
                let Some(loss) = Loss::of(&cause) else { return Err(cause) };
                self.forget(&client);
                if loss.sent {
                    call.lose_answer();
                }
                if repeated || !loss.again || (loss.sent && call.effect == Effect::Once) {
                    return Err(cause);
                }
                repeated = true;
            }
        };
        match timeout_at(call.deadline, attempts).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(cause)) => {
                let error = error::of_client(call, &self.name, cause);
                if error.kind() == ErrorKind::TooLarge {
                    self.limit.forget();
                }
                Err(error)
            }
            Err(_) => {
                if let Some(client) = &used {
                    self.forget(client);
                    call.lose_answer();
                }
                Err(error::timed_out(call))
            }
        }
    }

    async fn client(&self) -> ClientResult<Arc<AsyncMetaClient>> {
        if let Some(client) = &*self.lock() {
            return Ok(Arc::clone(client));
        }
        // The deadline of each call is the only limit of an exchange: the client's own would end calls that still have
        // time.
        let client = MetaClientBuilder::new()
            .max_idle(self.pool_size)
            .connect_timeout(Some(self.timeout))
            .io_timeout(None)
            .connect_async((&*self.host, self.port))
            .await?;
        // Another call can have been quicker; then there is one pool all the same.
        Ok(Arc::clone(self.lock().get_or_insert_with(|| Arc::new(client))))
    }

    /// Gives up all connections of this client: one that is lost without a goodbye is seldom alone. The next call looks
    /// the address up again.
    fn forget(&self, lost: &Arc<AsyncMetaClient>) {
        let mut client = self.lock();
        if client.as_ref().is_some_and(|client| Arc::ptr_eq(client, lost)) {
            *client = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<AsyncMetaClient>>> {
        // Nothing panics while the lock is held.
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// tokio panics where there is none.
pub(crate) fn check_runtime(call: &Call) -> Result<(), Error> {
    let missing = |_| error::new(call, ErrorKind::Config, "there is no tokio runtime here");
    Handle::try_current().map(drop).map_err(missing)
}

/// How a connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loss {
    /// The command can have reached the server.
    sent: bool,
    /// Trying again at once can help: the server was there.
    again: bool,
}

impl Loss {
    /// `None` for the server's refusals and the client's own errors.
    fn of(cause: &ClientError) -> Option<Self> {
        match cause {
            ClientError::Ambiguous { source, .. } => {
                let again = matches!(**source, ClientError::Io(_));
                Self::of(source).map(|_| Self { sent: true, again })
            }
            ClientError::Io(cause) => Some(Self { sent: false, again: is_hang_up(cause.kind()) }),
            ClientError::Timeout { .. } | ClientError::Protocol(_) => {
                Some(Self { sent: false, again: false })
            }
            _ => None,
        }
    }
}

/// Whether a connection ended, rather than none was to be had.
fn is_hang_up(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::WriteZero
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: io::ErrorKind) -> ClientError {
        ClientError::Io(io::Error::from(kind))
    }

    fn ambiguous(source: ClientError) -> ClientError {
        ClientError::Ambiguous { key: Vec::new(), source: Box::new(source) }
    }

    #[test]
    fn a_loss_tells_what_can_have_happened() {
        let timeout = || ClientError::Timeout { key: Vec::new() };
        let loss = |sent, again| Some(Loss { sent, again });
        for (cause, wanted) in [
            (io(io::ErrorKind::ConnectionReset), loss(false, true)),
            (io(io::ErrorKind::ConnectionRefused), loss(false, false)),
            (ambiguous(io(io::ErrorKind::UnexpectedEof)), loss(true, true)),
            (timeout(), loss(false, false)),
            (ambiguous(timeout()), loss(true, false)),
            (ambiguous(ClientError::Protocol(String::new())), loss(true, false)),
            (ambiguous(ClientError::Server(String::new())), None),
            (ClientError::Rejected(String::new()), None),
        ] {
            assert_eq!(Loss::of(&cause), wanted, "{cause}");
        }
    }
}
