//! One server, and how commands are exchanged with it.
//!
//! The crate `memcache` formats the commands and parses the answers. The connections are the store's own, because the
//! client of that crate does not report whether a command was sent or an answer received, and lets every call connect
//! by itself.

use std::{
    future::Future,
    io, slice,
    sync::Arc,
    time::{Duration, Instant},
};

use cloakroom_backend::{
    Idempotency, Operation,
    observe::{self, Event, note},
};
use cloakroom_core::{Error, ErrorKind};
use memcache::exp::{
    AsyncMetaClient, Error as ClientError, MetaCommandResult, Operation as Command, ReturnCode,
    build_noop,
};
use smallvec::smallvec;
use tokio::time::timeout;

use crate::{
    MemcachedOptions, client,
    connection::{Connection, unintelligible},
    error,
    gate::Pass,
    lease::{Answers, Lease},
    limit::Limit,
    loss::{Failure, Loss},
    pool::{Pool, Pools},
    target::Host,
};

type ClientResult<T> = Result<T, ClientError>;

/// The length of most commands without their value.
const USUAL_LENGTH: usize = 128;

pub(crate) struct Server {
    /// Its name in the URL, for messages.
    pub(crate) name: String,
    link: Link,
    pub(crate) limit: Limit,
    /// The largest value that is read.
    max_record: u64,
    /// The time limit for connecting, and for waiting for another call's attempt.
    pub(crate) timeout: Duration,
    pools: Pools,
}

/// How a server is reached.
enum Link {
    /// Through the store's own connections.
    Address { host: String, port: u16 },
    /// Through the application's client, which knows the address.
    Client(AsyncMetaClient),
}

impl Server {
    pub(crate) fn new(host: &Host, options: &MemcachedOptions) -> Self {
        let link = Link::Address { host: host.host.clone(), port: host.port };
        Self::by(link, host.on_ring.name.clone(), options)
    }

    pub(crate) fn of_client(client: AsyncMetaClient, options: &MemcachedOptions) -> Self {
        Self::by(Link::Client(client), "the server".to_owned(), options)
    }

    fn by(link: Link, name: String, options: &MemcachedOptions) -> Self {
        let limit = Limit::new(options.max_value);
        let pools = Pools::new(options.pool_size);
        let MemcachedOptions { max_record, timeout, .. } = *options;
        Self { name, link, limit, max_record, timeout, pools }
    }

    /// Returns true if it is reached through the application's client.
    pub(crate) fn is_of_client(&self) -> bool {
        matches!(self.link, Link::Client(_))
    }

    /// Returns the connections of the runtime that this call is on.
    pub(crate) fn pool(&self, operation: &Operation) -> Result<Arc<Pool>, Error> {
        self.pools.of_this_runtime(operation)
    }

    /// Sends one command and returns its answer.
    pub(crate) async fn run<C>(
        &self,
        operation: &Operation,
        command: &C,
    ) -> Result<C::Output, Error>
    where
        C: Command + Clone + Send + Sync,
        C::Output: Send,
    {
        let mut answers = self.run_many(operation, slice::from_ref(command)).await?;
        answers.pop().ok_or_else(|| error::unintelligible(operation, &self.name))
    }

    /// Sends several commands of one kind at once and returns their answers.
    pub(crate) async fn run_many<C>(
        &self,
        operation: &Operation,
        commands: &[C],
    ) -> Result<Answers<C::Output>, Error>
    where
        C: Command + Clone + Send + Sync,
        C::Output: Send,
    {
        let pool = &*self.pool(operation)?;
        if let Link::Client(client) = &self.link {
            let run = || async {
                match commands {
                    [command] => Ok(smallvec![client.run(command.clone()).await?]),
                    _ => client.run_many(commands.to_vec()).await?.into_iter().collect(),
                }
            };
            let attempt = || client::ask(pool, operation, self.timeout, run());
            // Boxed, because the client's futures are large, and each call of the store would reserve room for them.
            return Box::pin(self.exchange(pool, operation, attempt)).await;
        }
        let batch =
            Batch::of(commands).map_err(|cause| error::of_client(operation, &self.name, cause))?;
        let read = |number: usize, answer: MetaCommandResult| {
            let command = commands.get(number).ok_or_else(unintelligible)?;
            let in_order = commands.len() == 1 || answer.opaque == Some(place(number));
            if in_order { command.parse(answer) } else { Err(unintelligible()) }
        };
        self.exchange(pool, operation, || self.ask(pool, operation, &batch, read)).await
    }

    /// Asks the server whether it is there.
    pub(crate) async fn noop(&self, operation: &Operation) -> Result<(), Error> {
        let pool = &*self.pool(operation)?;
        if let Link::Client(client) = &self.link {
            let attempt = || client::ask(pool, operation, self.timeout, client.noop());
            return self.exchange(pool, operation, attempt).await;
        }
        let batch =
            Batch::noop().map_err(|cause| error::of_client(operation, &self.name, cause))?;
        let read = |_, answer: MetaCommandResult| match answer.rc {
            ReturnCode::Mn => Ok(()),
            _ => Err(unintelligible()),
        };
        self.exchange(pool, operation, || self.ask(pool, operation, &batch, read)).await.map(drop)
    }

    /// Exchanges commands for answers until the call's deadline. If the connection is lost, a command that is safe to
    /// repeat or was not sent is sent once more.
    async fn exchange<T, F>(
        &self,
        pool: &Pool,
        operation: &Operation,
        attempt: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        if let Link::Address { host, port } = &self.link {
            observe::server(host, Some(*port));
        }
        let attempts = async {
            let _permit = pool.permits.acquire().await;
            let mut repeated = false;
            loop {
                let Failure { cause, shared } = match attempt().await {
                    Ok(answer) => return Ok(answer),
                    Err(failure) => failure,
                };
                let Some(loss) = Loss::of(&cause).filter(|_| !shared) else { return Err(cause) };
                if loss.sent {
                    operation.lose_answer();
                }
                if repeated
                    || !loss.again
                    || (loss.sent && operation.idempotency() == Idempotency::Once)
                {
                    return Err(cause);
                }
                repeated = true;
                observe::tried_again();
            }
        };
        match operation.within(attempts).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(cause)) => {
                let error = error::of_client(operation, &self.name, cause);
                if error.kind() == ErrorKind::TooLarge {
                    self.limit.forget();
                }
                Err(error)
            }
            None => Err(operation.timeout()),
        }
    }

    /// Makes one attempt to send commands over the store's own connection.
    async fn ask<T: Send>(
        &self,
        pool: &Pool,
        operation: &Operation,
        batch: &Batch,
        read: impl Fn(usize, MetaCommandResult) -> ClientResult<T> + Send,
    ) -> Result<Answers<T>, Failure> {
        let mut lease = self.lease(pool, operation).await?;
        // Nobody waits for the answer any more, so the command is not sent.
        if operation.is_over() {
            std::future::pending::<()>().await;
        }
        let answers = match lease.ask(&batch.bytes, batch.first, batch.count).await {
            Ok(answers) => answers,
            Err(cause) => return Err(lease.lose(cause).into()),
        };
        let mut all = Answers::with_capacity(answers.len());
        let mut refusal = None;
        for (number, answer) in answers.into_iter().enumerate() {
            match answer.and_then(|answer| read(number, answer)) {
                Ok(answer) => all.push(answer),
                Err(cause @ ClientError::Server(_)) => refusal = Some(cause),
                // The answer belongs to another command or to none, and so may those that follow on this connection.
                Err(cause) => return Err(lease.lose(cause).into()),
            }
        }
        lease.keep();
        let Some(refusal) = refusal else { return Ok(all) };
        if !all.is_empty() {
            // The other commands of the batch were carried out.
            operation.lose_answer();
        }
        Err(refusal.into())
    }

    /// Returns an idle connection, or a new one.
    async fn lease<'a>(
        &self,
        pool: &'a Pool,
        operation: &'a Operation,
    ) -> Result<Lease<'a>, Failure> {
        let lease = |connection, pass| Lease::new(pool, operation, self.timeout, connection, pass);
        if let Some(connection) = pool.take() {
            return Ok(lease(connection, None));
        }
        let pass = pool.gate.pass(self.timeout).await.map_err(Failure::shared)?;
        // A connection may have come back while this call waited.
        if let Some(connection) = pool.take() {
            return Ok(lease(connection, None));
        }
        let connection = self.connect(pool, &pass).await?;
        Ok(lease(connection, Some(pass)))
    }

    /// Makes a connection.
    pub(crate) async fn connect(&self, pool: &Pool, pass: &Pass<'_>) -> ClientResult<Connection> {
        let Link::Address { host, port } = &self.link else {
            return Err(ClientError::Usage("the address is the client's"));
        };
        let (store, server) = (error::STORE, &*self.name);
        if let Some(reason) = pool.gate.take_untold() {
            note(Event::ConnectionLost { store, server, reason });
        }
        let began = Instant::now();
        let opened = timeout(self.timeout, Connection::open(host, *port, self.timeout)).await;
        let opened = opened.map(|opened| opened.map(|it| it.with_max_value(self.max_record)));
        let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        note(match &opened {
            Ok(_) if pool.gate.returned() => Event::Reconnected { store, server },
            Ok(_) => Event::Connected { store, server },
            Err(cause) if cause.kind() == io::ErrorKind::TimedOut => {
                Event::ConnectFailed { store, server, kind: ErrorKind::Timeout }
            }
            Err(_) => Event::ConnectFailed { store, server, kind: ErrorKind::Unavailable },
        });
        opened.map_err(|cause| {
            let cause = ClientError::Io(cause);
            pool.gate.failed(pass, began, &cause);
            cause
        })
    }
}

/// Commands as they go to the server.
struct Batch {
    bytes: Vec<u8>,
    /// The length of the first one in bytes.
    first: usize,
    count: usize,
}

impl Batch {
    fn of<C: Command>(commands: &[C]) -> ClientResult<Self> {
        let (mut bytes, mut first) = (Vec::with_capacity(commands.len() * USUAL_LENGTH), 0);
        for (number, command) in commands.iter().enumerate() {
            let mut command = command.prepare()?;
            if commands.len() > 1 {
                // The server repeats the opaque number in its answer.
                command = command.flag([b"O", &*place(number)].concat());
            }
            command.encode_into(&mut bytes)?;
            if number == 0 {
                first = bytes.len();
            }
        }
        Ok(Self { bytes, first, count: commands.len() })
    }

    fn noop() -> ClientResult<Self> {
        let bytes = build_noop().encode()?;
        Ok(Self { first: bytes.len(), bytes, count: 1 })
    }
}

fn place(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}
