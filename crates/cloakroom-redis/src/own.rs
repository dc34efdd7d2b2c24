//! The store's own connection: made on first use, shared by all calls, made again when it is lost or silent.
//!
//! Each runtime has one of its own, because a connection ends with the runtime that drives it: a store in a `static`
//! is used by one test's runtime while another's ends.
//!
//! It stands on the client's `MultiplexedConnection` rather than on its `ConnectionManager`, which answers the first
//! call after an outage with the outage's error, keeps a refused login for ever, and cannot tell a command that was
//! never sent from one whose answer was lost.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_backend::{Needs, Operation, Runtimes};
use cloakroom_core::Error;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, Value,
    aio::MultiplexedConnection,
};
use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    error::{self, ConnectFailure},
    live::{Asked, Live},
    login::login,
    pace::{self, Pace},
    stream::Streams,
    target::Target,
    traffic::Traffic,
};

/// How long the server has to accept a connection and its login.
const CONNECT: Duration = Duration::from_secs(1);

/// How many commands wait for the socket before their callers have to.
const QUEUE: usize = 4_096;

/// How many connections in a row may be lost before a call's command is sent.
const MOST_UNSENT: usize = 3;

pub(crate) struct Own(Arc<Inner>);

struct Inner {
    target: Target,
    streams: Streams,
    runtimes: Runtimes,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pace: Pace,
    attempts: u64,
    /// A runtime without one is connected by its next call.
    slots: Vec<(Id, Slot)>,
}

enum Slot {
    Connecting(Attempt),
    Connected(Arc<Live>),
}

/// An attempt to connect, which all calls that need it wait for.
#[derive(Clone)]
struct Attempt {
    number: u64,
    began: Instant,
    /// None has failed just before it.
    is_first: bool,
    traffic: Arc<Traffic>,
    task: AbortHandle,
    outcome: Shared<BoxFuture<'static, Result<Arc<Live>, ConnectFailure>>>,
}

impl Own {
    pub(crate) fn new(target: Target, streams: Streams) -> Self {
        let runtimes = Runtimes::new(Needs::TimeAndIo);
        Self(Arc::new(Inner { target, streams, runtimes, state: Mutex::default() }))
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0.target
    }

    /// Sends one command and returns the server's answer, a refusal included.
    ///
    /// It ends at the call's deadline. A command that can be repeated is, once, when the connection is lost; one that
    /// was not sent is sent over the next connection.
    pub(crate) async fn send(&self, operation: &Operation, command: &Cmd) -> Result<Value, Error> {
        let mut unsent = 0;
        loop {
            let live = self.live(operation).await?;
            match live.ask(operation, command).await {
                Asked::Answered(answer) => return Ok(answer),
                Asked::Late => {
                    operation.lose_answer();
                    return Err(operation.timeout());
                }
                Asked::Unsent(cause) => {
                    unsent += 1;
                    if unsent == MOST_UNSENT {
                        return Err(error::lost(operation, cause));
                    }
                }
                Asked::Lost(cause) => {
                    operation.lose_answer();
                    if !operation.repeat() {
                        return Err(error::lost(operation, cause));
                    }
                }
                Asked::GivenUp => {
                    operation.lose_answer();
                    if !operation.repeat() {
                        return Err(error::silent(operation));
                    }
                }
            }
        }
    }

    /// The connection, at the latest at the call's deadline. An error means that nothing was sent over it.
    async fn live(&self, operation: &Operation) -> Result<Arc<Live>, Error> {
        let runtime = self.0.runtimes.current(operation)?;
        let mut is_again = false;
        loop {
            let attempt = match self.0.live_or_attempt(&runtime) {
                Ok(live) => return Ok(live),
                Err(attempt) => attempt,
            };
            match operation.within(attempt.outcome.clone()).await {
                Some(Ok(live)) => return Ok(live),
                Some(Err(failure)) => {
                    let is_worth_another = match failure {
                        // It ended with its runtime.
                        ConnectFailure::Cancelled => true,
                        // A server that is just starting again.
                        ConnectFailure::Io(_) => attempt.is_first,
                        // What went wrong before this call began says nothing about now.
                        _ => attempt.began < operation.began(),
                    };
                    if is_again || !is_worth_another {
                        return Err(error::not_connected(
                            operation,
                            &self.0.target.address,
                            failure,
                        ));
                    }
                    is_again = true;
                }
                None => {
                    if attempt.traffic.silent_for() >= Some(operation.patience()) {
                        self.0.give_up(runtime.id(), &attempt);
                    }
                    return Err(operation.timeout());
                }
            }
        }
    }
}

impl State {
    /// The connection of a runtime, or the attempt to make it. One that is over is taken away.
    fn slot(&mut self, runtime: Id) -> Option<&Slot> {
        let place = self.slots.iter().position(|(id, _)| *id == runtime)?;
        let is_over = match &self.slots[place].1 {
            Slot::Connected(live) if live.is_over() => {
                if live.has_lasted() {
                    self.pace.succeed();
                } else {
                    self.pace.fail(Instant::now(), pace::ACCEPTED);
                }
                true
            }
            Slot::Connecting(attempt) => attempt.task.is_finished(),
            Slot::Connected(_) => false,
        };
        if is_over {
            self.slots.swap_remove(place);
            return None;
        }
        self.slots.get(place).map(|(_, slot)| slot)
    }

    /// Puts an attempt's outcome in its place, unless it was given up.
    fn settle(&mut self, runtime: Id, number: u64, outcome: &Result<Arc<Live>, ConnectFailure>) {
        let place = self.slots.iter().position(|(id, slot)| {
            *id == runtime && matches!(slot, Slot::Connecting(attempt) if attempt.number == number)
        });
        let Some(place) = place else { return };
        match outcome {
            Ok(live) => self.slots[place].1 = Slot::Connected(Arc::clone(live)),
            Err(failure) => {
                self.slots.swap_remove(place);
                let is_refused = matches!(failure, ConnectFailure::Io(_));
                let longest = if is_refused { pace::REFUSED } else { pace::ACCEPTED };
                self.pace.fail(Instant::now(), longest);
            }
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the connection of this runtime, or the attempt to make it. Begins an attempt if none is under way.
    fn live_or_attempt(self: &Arc<Self>, runtime: &Handle) -> Result<Arc<Live>, Attempt> {
        let id = runtime.id();
        let mut state = self.state();
        match state.slot(id) {
            Some(Slot::Connected(live)) => return Ok(Arc::clone(live)),
            Some(Slot::Connecting(attempt)) => return Err(attempt.clone()),
            None => {}
        }
        // What other runtimes left behind when they ended.
        state.slots.retain(|(_, slot)| match slot {
            Slot::Connected(live) => !live.is_over(),
            Slot::Connecting(attempt) => !attempt.task.is_finished(),
        });
        state.attempts += 1;
        let number = state.attempts;
        let (start, is_first) = state.pace.begin(Instant::now());
        let traffic = Arc::new(Traffic::new());
        let (inner, heard) = (Arc::clone(self), Arc::clone(&traffic));
        // A task of its own, so that it goes on when the call that began it is dropped.
        let task = runtime.spawn(async move {
            if start > Instant::now() {
                sleep_until(start).await;
            }
            let outcome = inner.connect(heard).await;
            inner.state().settle(id, number, &outcome);
            outcome
        });
        let attempt = Attempt {
            number,
            began: Instant::now(),
            is_first,
            traffic,
            task: task.abort_handle(),
            outcome: async move { task.await.unwrap_or(Err(ConnectFailure::Cancelled)) }
                .boxed()
                .shared(),
        };
        state.slots.push((id, Slot::Connecting(attempt.clone())));
        Err(attempt)
    }

    /// A login that nobody answers is left like a connection that nobody answers on.
    fn give_up(&self, runtime: Id, attempt: &Attempt) {
        self.state().settle(runtime, attempt.number, &Err(ConnectFailure::Timeout));
        attempt.task.abort();
    }

    async fn connect(&self, traffic: Arc<Traffic>) -> Result<Arc<Live>, ConnectFailure> {
        let connect = async {
            let stream = self.streams.open(&self.target, &traffic).await?;
            // Neither a login nor a protocol: `login` sees to both. The deadline of each call is the only limit: the
            // client's own would end calls that still have time.
            let nobody = RedisConnectionInfo::default()
                .set_protocol(ProtocolVersion::RESP2)
                .set_skip_set_lib_name();
            let config = AsyncConnectionConfig::new()
                .set_response_timeout(None)
                .set_connection_timeout(None)
                .set_pipeline_buffer_size(QUEUE);
            let (connection, driver) =
                MultiplexedConnection::new_with_config(&nobody, stream, config)
                    .await
                    .map_err(ConnectFailure::HungUp)?;
            let mut live = Live::start(connection, driver, Arc::clone(&traffic));
            let about = login(&mut live.connection(), &self.target).await?;
            live.set_replica(about.is_replica);
            Ok(Arc::new(live))
        };
        timeout(CONNECT, connect).await.unwrap_or(Err(ConnectFailure::Timeout))
    }
}
