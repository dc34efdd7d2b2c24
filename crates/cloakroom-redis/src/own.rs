//! The store's own connection: made on first use, shared by all calls, and replaced when it is lost or silent.
//!
//! Each runtime has its own, because a connection ends with the runtime that drives it. A store in a `static`, for
//! example, is used by the runtime of one test while that of another test shuts down.
//!
//! It uses the `MultiplexedConnection` of the crate `redis` rather than its `ConnectionManager`. The latter returns the
//! old error to the first call after an outage, keeps a rejected login for ever, and does not distinguish a command
//! that was never sent from one whose answer was lost.

mod watch;

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cloakroom_backend::{
    Needs, Operation, Runtimes,
    observe::{self, Event},
};
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
    limited::Limited,
    live::{Asked, Live, REPLICA},
    login::login,
    pace::{self, Pace},
    stream::Streams,
    target::Target,
    traffic::Traffic,
};
use watch::Spare;

/// The time limit for a connection and its login.
const CONNECT: Duration = Duration::from_secs(1);

/// The number of commands that can be queued for the socket before callers have to wait.
const QUEUE: usize = 4_096;

/// The number of connections in a row that a call may lose before its command is sent.
const MOST_UNSENT: usize = 3;

pub(crate) struct Own(Arc<Inner>);

struct Inner {
    target: Target,
    streams: Streams,
    /// The largest value that is read.
    max_record: u64,
    runtimes: Runtimes,
    state: Mutex<State>,
    spare: Spare,
}

/// What all runtimes share. It is locked for moments only, never while something is awaited.
#[derive(Default)]
struct State {
    pace: Pace,
    attempts: u64,
    /// The connections by runtime. If a runtime has no entry, its next call connects.
    slots: Vec<(Id, Slot)>,
    /// Whether a connection was lost and none was made since.
    has_lost: bool,
}

/// The connection of one runtime, or the attempt to make it.
enum Slot {
    Connecting(Attempt),
    Connected(Arc<Live>),
}

/// An attempt to connect, for which all calls on its runtime wait.
#[derive(Clone)]
struct Attempt {
    number: u64,
    began: Instant,
    /// Whether no attempt failed just before it.
    is_first: bool,
    traffic: Arc<Traffic>,
    task: AbortHandle,
    outcome: Shared<BoxFuture<'static, Result<Arc<Live>, ConnectFailure>>>,
}

impl Own {
    pub(crate) fn new(target: Target, streams: Streams, max_record: u64) -> Self {
        let runtimes = Runtimes::new(Needs::TimeAndIo);
        Self(Arc::new(Inner {
            target,
            streams,
            max_record,
            runtimes,
            state: Mutex::default(),
            spare: Spare::default(),
        }))
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0.target
    }

    /// Sends one command and returns the server's answer, which may be an error reply.
    ///
    /// It ends at the call's deadline. If the connection is lost, a command that was not sent is sent on the next
    /// connection, and a command that is safe to repeat is repeated once.
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
                    observe::tried_again();
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

    /// Returns true if the server can compare a value with the one that it replaces. An error means that nothing was sent.
    pub(crate) async fn has_ifeq(&self, operation: &Operation) -> Result<bool, Error> {
        Ok(self.live(operation).await?.about().has_ifeq)
    }

    /// Returns the connection. An error means that nothing was sent.
    async fn live(&self, operation: &Operation) -> Result<Arc<Live>, Error> {
        self.0.target.address.note();
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
                        // Its runtime shut down; this one can try again.
                        ConnectFailure::Cancelled => true,
                        // The server may just be restarting.
                        ConnectFailure::Io(_) => attempt.is_first,
                        // A failure before this call began says nothing about the current state.
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
    /// Returns the connection of a runtime, or the attempt to make it. Removes it if it is no longer usable, and notes
    /// in `lost` why.
    fn slot(&mut self, runtime: Id, lost: &mut Option<&'static str>) -> Option<&Slot> {
        let place = self.slots.iter().position(|(id, _)| *id == runtime)?;
        let is_over = match &self.slots[place].1 {
            Slot::Connected(live) if live.is_over() => {
                if live.has_lasted() {
                    self.pace.succeed();
                } else {
                    self.pace.fail(Instant::now(), pace::ACCEPTED);
                }
                (*lost, self.has_lost) = (Some(live.reason()), true);
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

    /// Stores the outcome of an attempt, unless the attempt was given up.
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

    /// Returns the connection of this runtime, or the attempt to make it. Starts an attempt if no attempt is in
    /// progress.
    fn live_or_attempt(self: &Arc<Self>, runtime: &Handle) -> Result<Arc<Live>, Attempt> {
        let mut lost = None;
        let outcome = self.look(runtime, &mut lost);
        if let Some(reason) = lost {
            self.tell_of_loss(reason);
        }
        outcome
    }

    fn look(
        self: &Arc<Self>,
        runtime: &Handle,
        lost: &mut Option<&'static str>,
    ) -> Result<Arc<Live>, Attempt> {
        let id = runtime.id();
        let mut state = self.state();
        match state.slot(id, lost) {
            Some(Slot::Connected(live)) => return Ok(Arc::clone(live)),
            Some(Slot::Connecting(attempt)) => return Err(attempt.clone()),
            None => {}
        }
        // Remove what other runtimes left behind when they shut down.
        state.slots.retain(|(_, slot)| match slot {
            Slot::Connected(live) => !live.is_over(),
            Slot::Connecting(attempt) => !attempt.task.is_finished(),
        });
        state.attempts += 1;
        let number = state.attempts;
        let (start, is_first) = state.pace.begin(Instant::now());
        let traffic = Arc::new(Traffic::new());
        let (inner, heard) = (Arc::clone(self), Arc::clone(&traffic));
        // A separate task, so that it continues if the call that started it is dropped.
        let task = runtime.spawn(async move {
            if start > Instant::now() {
                sleep_until(start).await;
            }
            let outcome = inner.connect(heard).await;
            inner.state().settle(id, number, &outcome);
            inner.tell(outcome.as_ref().err());
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

    /// Gives up an attempt whose login got no answer, like a silent connection.
    fn give_up(&self, runtime: Id, attempt: &Attempt) {
        self.state().settle(runtime, attempt.number, &Err(ConnectFailure::Timeout));
        attempt.task.abort();
        self.tell(Some(&ConnectFailure::Timeout));
    }

    /// Tells the operator that a connection was made, or why not.
    fn tell(&self, failure: Option<&ConnectFailure>) {
        let (store, server) = (error::STORE, &*self.target.address.to_string());
        observe::note(match failure {
            Some(failure) => Event::ConnectFailed { store, server, kind: failure.kind() },
            None if mem::take(&mut self.state().has_lost) => Event::Reconnected { store, server },
            None => Event::Connected { store, server },
        });
    }

    fn tell_of_loss(&self, reason: &'static str) {
        let (store, server) = (error::STORE, &*self.target.address.to_string());
        observe::note(Event::ConnectionLost { store, server, reason });
        if reason == REPLICA {
            observe::note(Event::Failover { store, server });
        }
    }

    /// Connects and logs in, within [`CONNECT`]. The socket notes its traffic from the first byte, so that a server
    /// that accepts and says nothing can be told from one that is slow.
    async fn connect(&self, traffic: Arc<Traffic>) -> Result<Arc<Live>, ConnectFailure> {
        let connect = async {
            let stream = self.streams.open(&self.target, &traffic).await?;
            let stream = Limited::new(stream, self.max_record);
            // No login and no protocol, because `login` handles both. No timeouts of the client either: they would end
            // calls that still have time before their deadline.
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
            live.set_about(about);
            Ok(Arc::new(live))
        };
        timeout(CONNECT, connect).await.unwrap_or(Err(ConnectFailure::Timeout))
    }
}
