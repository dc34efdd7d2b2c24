//! The one connection: made on first use, shared by all calls, made again when it is lost.
//!
//! It stands on the client's `MultiplexedConnection` rather than on its `ConnectionManager`, which answers the first
//! call after an outage with the outage's error, keeps a refused login for ever, and cannot tell a command that was
//! never sent from one whose answer was lost.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom_core::{Error, ErrorKind};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, RedisError, ServerErrorKind,
    Value, aio::MultiplexedConnection,
};
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{sleep, timeout, timeout_at},
};

use crate::{
    call::{Call, Effect},
    error::{self, ConnectFailure},
    stream::Streams,
    target::Target,
};

/// How long the server has to accept a connection and its login.
const CONNECT: Duration = Duration::from_secs(1);

/// The pause before the second and last try to connect, for a server that is just starting again.
const PAUSE: Duration = Duration::from_millis(20);

/// How many commands wait for the socket before their callers have to.
const QUEUE: usize = 4_096;

/// An attempt to connect, which all calls that need it wait for.
type Attempt = Shared<BoxFuture<'static, Result<Arc<Live>, ConnectFailure>>>;

pub(crate) struct Connection(Arc<Inner>);

struct Inner {
    target: Target,
    streams: Streams,
    state: Mutex<State>,
}

enum State {
    Idle,
    Connecting(Attempt),
    Connected(Arc<Live>),
}

/// A connection as long as it lasts. Calls under way keep it; the last one out closes it.
struct Live {
    connection: MultiplexedConnection,
    driver: AbortHandle,
    lost: Arc<AtomicBool>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Tells that the driver has ended, however it did.
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Connection {
    pub(crate) fn new(target: Target, streams: Streams) -> Self {
        Self(Arc::new(Inner { target, streams, state: Mutex::new(State::Idle) }))
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0.target
    }

    /// Sends one command and returns the server's answer, a refusal included.
    ///
    /// It ends at the call's deadline. A command that can be repeated is, once, when the connection is lost.
    pub(crate) async fn send(&self, call: &Call, command: &Cmd) -> Result<Value, Error> {
        loop {
            let live = self.live(call).await?;
            // A clone, because sending needs it to itself; it is a handle on the same socket.
            let mut connection = live.connection.clone();
            match timeout_at(call.deadline, connection.send_packed_command(command)).await {
                Err(_) => {
                    call.lose_answer();
                    return Err(error::timed_out(call));
                }
                Ok(Ok(answer)) => {
                    if is_parting(&answer) {
                        live.lost.store(true, Ordering::Release);
                    }
                    return Ok(answer);
                }
                Ok(Err(cause)) => {
                    live.lost.store(true, Ordering::Release);
                    let first = call.lose_answer();
                    if !first || call.effect == Effect::Once {
                        return Err(error::lost(call, cause));
                    }
                }
            }
        }
    }

    /// The connection, at the latest at the call's deadline. An error means that nothing was sent over it.
    async fn live(&self, call: &Call) -> Result<Arc<Live>, Error> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(error::new(call, ErrorKind::Config, "there is no tokio runtime here"));
        };
        let mut again = false;
        loop {
            let attempt = {
                let mut state = self.0.state();
                match &*state {
                    State::Connected(live) if !live.lost.load(Ordering::Acquire) => {
                        return Ok(Arc::clone(live));
                    }
                    State::Connecting(attempt) => attempt.clone(),
                    _ => {
                        let attempt = self.attempt(&runtime);
                        *state = State::Connecting(attempt.clone());
                        attempt
                    }
                }
            };
            match timeout_at(call.deadline, attempt).await {
                Ok(Ok(live)) => return Ok(live),
                Ok(Err(ConnectFailure::Cancelled)) if !again => {
                    again = true;
                    *self.0.state() = State::Idle;
                }
                Ok(Err(failure)) => {
                    return Err(error::not_connected(call, &self.0.target, failure));
                }
                Err(_) => return Err(error::timed_out(call)),
            }
        }
    }

    /// A task of its own, so that it goes on when the call that began it is dropped.
    fn attempt(&self, runtime: &Handle) -> Attempt {
        let inner = Arc::clone(&self.0);
        let task = runtime.spawn(async move {
            let outcome = inner.connect().await;
            *inner.state() = match &outcome {
                Ok(live) => State::Connected(Arc::clone(live)),
                Err(_) => State::Idle,
            };
            outcome
        });
        async move { task.await.unwrap_or(Err(ConnectFailure::Cancelled)) }.boxed().shared()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Arc<Live>, ConnectFailure> {
        match self.connect_once().await {
            Err(ConnectFailure::Io(_)) => {
                sleep(PAUSE).await;
                self.connect_once().await
            }
            outcome => outcome,
        }
    }

    async fn connect_once(&self) -> Result<Arc<Live>, ConnectFailure> {
        let login = async {
            match self.login(self.target.protocol.unwrap_or(ProtocolVersion::RESP3)).await {
                Err(ConnectFailure::Refused(cause))
                    if self.target.protocol.is_none() && is_old(&cause) =>
                {
                    self.login(ProtocolVersion::RESP2).await
                }
                outcome => outcome,
            }
        };
        timeout(CONNECT, login).await.unwrap_or(Err(ConnectFailure::Timeout))
    }

    async fn login(&self, protocol: ProtocolVersion) -> Result<Arc<Live>, ConnectFailure> {
        let mut login = RedisConnectionInfo::default()
            .set_db(self.target.database.into())
            .set_protocol(protocol)
            .set_skip_set_lib_name();
        if let Some(user) = &self.target.user {
            login = login.set_username(user);
        }
        if let Some(password) = &self.target.password {
            login = login.set_password(password);
        }
        // The deadline of each call is the only limit: the client's own would end calls that still have time.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let stream = self.streams.open(&self.target).await?;
        let (connection, driver) = MultiplexedConnection::new_with_config(&login, stream, config)
            .await
            .map_err(ConnectFailure::Refused)?;
        let lost = Arc::new(AtomicBool::new(false));
        let ending = Ending(Arc::clone(&lost));
        let driver = tokio::spawn(async move {
            let _ending = ending;
            driver.await;
        });
        Ok(Arc::new(Live { connection, driver: driver.abort_handle(), lost }))
    }
}

/// Whether the server, older than Redis 6, does not know RESP3. The wording changed over the versions.
fn is_old(refusal: &RedisError) -> bool {
    refusal.kind() == redis::ErrorKind::RESP3NotSupported
        || refusal.code() == Some("NOPROTO")
        || refusal.detail().is_some_and(|detail| detail.starts_with("unknown command"))
}

/// Whether this is the last answer worth having from this connection: the server hangs up after it, or it was the
/// master once, and its name may lead to the new one by now.
fn is_parting(answer: &Value) -> bool {
    let Value::ServerError(refusal) = answer else { return false };
    refusal.kind() == Some(ServerErrorKind::ReadOnly)
        || refusal.details().is_some_and(|why| {
            why.starts_with("Protocol error") || why.starts_with("max number of clients")
        })
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.target, f)
    }
}
